//! Changes of the engine's keys, as they come: the stream of a watch.

use bytes::{Buf as _, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{HeaderMap, Response};

use super::error::EngineError;
use super::etcd::ANSWER_MAX;
use super::messages::{Pair, WatchResponse};
use crate::fleet::settings::Endpoint;
use crate::http::{client, grpc, grpc_client};

/// Changes of keys, as they come.
pub struct KeyWatch {
    pub(super) member: Endpoint,
    pub(super) response: Response<Incoming>,
    /// The beginning of a message.
    pub(super) unread: BytesMut,
}

/// Changes of one revision or more.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// The engine's revision.
    pub revision: i64,
    /// What was written.
    pub puts: Vec<Pair>,
    /// What was deleted: only the keys are known.
    pub deletes: Vec<Pair>,
}

impl Changes {
    fn of(message: WatchResponse) -> Self {
        let mut changes = Self {
            revision: message.header.map_or(0, |header| header.revision),
            ..Self::default()
        };

        for event in message.events {
            let pair = event.kv.unwrap_or_default();
            match event.kind {
                // etcd's mvccpb.Event: PUT is 0, DELETE is 1.
                0 => changes.puts.push(pair),
                _ => changes.deletes.push(pair),
            }
        }

        changes
    }
}

impl KeyWatch {
    /// The next changes. Nothing is lost when this is dropped before it is ready.
    ///
    /// # Errors
    /// Why no more will come.
    pub async fn next(&mut self) -> Result<Changes, EngineError> {
        loop {
            if let Some(changes) = self.come()? {
                return Ok(changes);
            }
            self.receive().await?;
        }
    }

    /// Takes what comes next; an error where that is the end.
    async fn receive(&mut self) -> Result<(), EngineError> {
        let Some(received) = self.response.body_mut().frame().await else {
            return Err(self.ended(&HeaderMap::new()));
        };

        let frame = received.map_err(|e| self.lost(client::cause(&e)))?;
        match frame.into_data() {
            Ok(data) => {
                self.unread.extend_from_slice(&data);
                Ok(())
            }
            Err(other) => {
                // What is no data is how the stream ends.
                let trailers = other.into_trailers().unwrap_or_default();
                Err(self.ended(&trailers))
            }
        }
    }

    /// The changes of the message that has come whole, if one has.
    fn come(&mut self) -> Result<Option<Changes>, EngineError> {
        // A message may come in several frames, and a frame may hold several messages.
        let Some(length) = grpc::frame_length(&self.unread) else {
            return Ok(None);
        };

        // By its head alone, before anything of it is kept.
        if length > ANSWER_MAX {
            return Err(self.lost("a message is too long".to_owned()));
        }

        if self.unread.len() < length {
            return Ok(None);
        }

        let message = self.take_message(length)?;
        self.changes(message).map(Some)
    }

    fn take_message(&mut self, length: usize) -> Result<WatchResponse, EngineError> {
        let message = grpc::unframed(&self.unread[..length]);
        self.unread.advance(length);
        message.ok_or_else(|| EngineError::malformed(&self.member))
    }

    fn changes(&self, message: WatchResponse) -> Result<Changes, EngineError> {
        // What changed since was thrown away: the watch would go on behind a gap.
        if message.compact_revision != 0 {
            return Err(EngineError::Compacted);
        }

        if message.canceled {
            return Err(self.lost(format!("the watch ended: {}", message.cancel_reason)));
        }

        Ok(Changes::of(message))
    }

    fn ended(&self, trailers: &HeaderMap) -> EngineError {
        match grpc_client::expect_success(trailers, self.response.headers()) {
            Ok(()) => self.lost("the watch ended".to_owned()),
            Err(failed) => EngineError::failed(&self.member, failed),
        }
    }

    fn lost(&self, cause: String) -> EngineError {
        EngineError::lost(&self.member, cause)
    }
}
