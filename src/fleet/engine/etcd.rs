//! One connection to one member of etcd: the calls of its API v3 over gRPC.
//!
//! Rule: each call has the same limit of time, and what comes back is bounded. The connection is asked every ten seconds
//! whether it is still there, since a member that is frozen says nothing.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use prost::Message;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::access::Access;
use super::error::EngineError;
use super::messages::{
    AuthenticateRequest, AuthenticateResponse, LeaseGrantRequest, LeaseRequest, LeaseResponse,
    Pair, RangeResponse, RequestOp, ResponseHeader, TxnRequest, TxnResponse, WatchCreateRequest,
    WatchRequest,
};
use super::transaction::{Committed, Found, KeyRange, Transaction};
use super::watch::KeyWatch;
use crate::fleet::settings::Endpoint;
use crate::http::any_stream::AnyStream;
use crate::http::h2::{self, H2Connection, Ping};
use crate::http::{client, grpc, grpc_client};
use crate::net::Host;
use crate::os::cause::cause_text;

/// Most bytes of an answer: some 150,000 hosts.
pub(super) const ANSWER_MAX: usize = 64 << 20;

/// How soon a member that is frozen is found out; etcd refuses to be asked more often than every 5 s.
const PING: Ping = Ping {
    every: Duration::from_secs(10),
    limit: Duration::from_secs(5),
};

/// A connection to a member.
pub struct EngineSession {
    member: Endpoint,
    connection: H2Connection,
    /// What proves who we are, where that is no certificate.
    token: Option<HeaderValue>,
    timeout: Duration,
}

impl EngineSession {
    /// Connects to a member, and logs in where there is a password.
    pub(super) async fn open(access: &Access, member: &Endpoint) -> Result<Self, EngineError> {
        let connected = timeout(access.timeout, connect(access, member)).await;
        let connected = connected.unwrap_or_else(|_| Err(no_answer(access.timeout)));
        let connection = connected.map_err(|cause| EngineError::lost(member, cause))?;
        let mut session = Self {
            member: member.clone(),
            connection,
            token: None,
            timeout: access.timeout,
        };

        // etcd forgets tokens after some minutes, so each connection gets one of its own.
        if let Some((user, password)) = &access.login {
            session.log_in(user, password.reveal()).await?;
        }

        Ok(session)
    }

    /// The member.
    #[must_use]
    pub fn member(&self) -> &Endpoint {
        &self.member
    }

    async fn log_in(&mut self, name: &str, password: &str) -> Result<(), EngineError> {
        let request = AuthenticateRequest {
            name: name.to_owned(),
            password: password.to_owned(),
        };

        // It is sent as it is: fleet.yml warns of an endpoint without TLS.
        let answer: AuthenticateResponse = self.call("Auth/Authenticate", &request).await?;
        let token = HeaderValue::from_str(&answer.token);
        self.token = Some(token.map_err(|_| self.malformed())?);
        Ok(())
    }

    /// Reads keys as the majority of the members has them; of those that changed, at this revision or later.
    ///
    /// # Errors
    /// When no answer came, or a refusal.
    pub async fn read(&self, keys: &KeyRange, min_mod_revision: i64) -> Result<Found, EngineError> {
        let request = keys.request(min_mod_revision);
        let answer: RangeResponse = self.call("KV/Range", &request).await?;
        self.found(answer.header, answer.kvs)
    }

    /// Reads several ranges at one moment, and puts them behind one another.
    ///
    /// # Errors
    /// When no answer came, or a refusal.
    pub async fn read_all(&self, ranges: &[KeyRange]) -> Result<Found, EngineError> {
        let request = reading(ranges);
        let answer: TxnResponse = self.call("KV/Txn", &request).await?;
        let ranges = answer.responses.into_iter().filter_map(|r| r.range);
        let pairs = ranges.flat_map(|range| range.kvs).collect();
        self.found(answer.header, pairs)
    }

    fn found(
        &self,
        header: Option<ResponseHeader>,
        pairs: Vec<Pair>,
    ) -> Result<Found, EngineError> {
        let header = header.ok_or_else(|| self.malformed())?;
        Ok(Found {
            cluster: header.cluster_id,
            revision: header.revision,
            pairs,
        })
    }

    /// Applies a transaction, once.
    ///
    /// # Errors
    /// When it certainly was not applied.
    pub async fn commit(&self, transaction: &Transaction) -> Result<Committed, EngineError> {
        let sent: Result<TxnResponse, _> = self.call("KV/Txn", &transaction.0).await;
        match sent {
            Ok(answer) if answer.succeeded => {
                let revision = answer.header.map_or(0, |header| header.revision);
                Ok(Committed::Done(revision))
            }
            Ok(_) => Ok(Committed::Conflict),
            Err(e) if e.is_certain() => Err(e),
            // It may have been applied, and it may be applied much later: a member that hung goes on when it thaws.
            Err(e) => Ok(Committed::Unknown(e)),
        }
    }

    /// Begins a lease.
    ///
    /// # Errors
    /// When no answer came, or a refusal.
    pub async fn grant(&self, life: Duration) -> Result<i64, EngineError> {
        // etcd counts in whole seconds.
        let ttl = i64::try_from(life.as_secs().max(1)).unwrap_or(i64::MAX);
        let request = LeaseGrantRequest { ttl };
        let answer: LeaseResponse = self.call("Lease/LeaseGrant", &request).await?;
        Ok(answer.id)
    }

    /// Keeps a lease alive; whether it still was.
    ///
    /// # Errors
    /// When no answer came, or a refusal.
    pub async fn keep_alive(&self, lease: i64) -> Result<bool, EngineError> {
        let request = LeaseRequest { id: lease };
        let answer: LeaseResponse = self.call("Lease/LeaseKeepAlive", &request).await?;
        // A lease that has ended is no error: etcd answers that it has 0 s left.
        Ok(answer.ttl > 0)
    }

    /// Ends a lease, and with it the keys that it holds.
    ///
    /// # Errors
    /// When no answer came, or a refusal.
    pub async fn revoke(&self, lease: i64) -> Result<(), EngineError> {
        let request = LeaseRequest { id: lease };
        let _: LeaseResponse = self.call("Lease/LeaseRevoke", &request).await?;
        Ok(())
    }

    /// Waits for changes of keys from a revision on. It ends where the member has lost the majority.
    ///
    /// # Errors
    /// When no answer came, or a refusal.
    pub async fn watch(&self, keys: &KeyRange, from: i64) -> Result<KeyWatch, EngineError> {
        let request = WatchRequest {
            create_request: Some(WatchCreateRequest {
                key: keys.start.clone(),
                range_end: keys.end.clone(),
                start_revision: from,
            }),
        };

        let sending = self.send("Watch/Watch", grpc::framed(&request));
        Ok(KeyWatch {
            member: self.member.clone(),
            response: self.in_time(sending).await?,
            unread: BytesMut::new(),
        })
    }

    /// One call with one message each way.
    async fn call<Q: Message, A: Message + Default>(
        &self,
        method: &str,
        question: &Q,
    ) -> Result<A, EngineError> {
        let answer = self.exchange(method, grpc::framed(question)).await?;
        grpc::unframed(&answer).ok_or_else(|| self.malformed())
    }

    /// A call, frame for frame.
    async fn exchange(&self, method: &str, frame: Bytes) -> Result<Bytes, EngineError> {
        let exchange = async {
            let response = self.send(method, frame).await?;
            let answer = h2::read(response, ANSWER_MAX).await;
            answer.map_err(|e| self.lost(client::cause(&e)))
        };

        let answer = self.in_time(exchange).await?;
        // In the trailers, or in the headers where there is no body at all.
        let ended = grpc_client::expect_success(&answer.trailers, &answer.headers);
        ended.map_err(|failed| EngineError::failed(&self.member, failed))?;
        Ok(answer.body)
    }

    /// What is asked, unless it takes too long.
    async fn in_time<T>(
        &self,
        asking: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let asked = timeout(self.timeout, asking).await;
        asked.unwrap_or_else(|_| Err(self.lost(no_answer(self.timeout))))
    }

    /// Sends the one message of a call.
    async fn send(&self, method: &str, frame: Bytes) -> Result<Response<Incoming>, EngineError> {
        let request = self.request(method, frame)?;
        let sent = self.connection.send(request).await;
        let response = sent.map_err(|e| self.lost(client::cause(&e)))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            other => Err(self.lost(format!("the answer is not gRPC's: {other}"))),
        }
    }

    fn request(&self, method: &str, frame: Bytes) -> Result<Request<Full<Bytes>>, EngineError> {
        let member = &self.member;
        let uri = format!("{member}/etcdserverpb.{method}");
        let request = grpc_client::request(&uri, frame);
        let mut request = request.map_err(|e| self.lost(e.to_string()))?;
        let headers = request.headers_mut();
        // A watch at a member without a majority would be silent for ever: with this it ended after 3 s, without it a test
        // waited half a minute for nothing (etcd's `clientv3.WithRequireLeader`).
        headers.insert("hasleader", HeaderValue::from_static("true"));
        if let Some(token) = &self.token {
            headers.insert("token", token.clone());
        }

        Ok(request)
    }

    fn lost(&self, cause: String) -> EngineError {
        EngineError::lost(&self.member, cause)
    }

    fn malformed(&self) -> EngineError {
        EngineError::malformed(&self.member)
    }
}

/// As a transaction: ranges that are asked for one after the other may be of two revisions, and what moved from one to the
/// other in between would be in both or in neither.
fn reading(ranges: &[KeyRange]) -> TxnRequest {
    let mut request = TxnRequest::default();
    for range in ranges {
        request.success.push(RequestOp {
            range: Some(range.request(0)),
            ..RequestOp::default()
        });
    }

    request
}

fn no_answer(limit: Duration) -> String {
    format!("no answer within {limit:?}")
}

async fn connect(access: &Access, member: &Endpoint) -> Result<H2Connection, String> {
    let stream = stream(access, member).await?;
    let opened = H2Connection::open(stream, PING).await;
    opened.map_err(|e| client::cause(&e))
}

async fn stream(access: &Access, member: &Endpoint) -> Result<AnyStream, String> {
    let host = host_text(&member.host);
    let tcp = TcpStream::connect((host.as_str(), member.port)).await;
    let tcp = tcp.map_err(cause_text)?;
    // Requests are small and complete, so there is nothing to wait for.
    tcp.set_nodelay(true).map_err(cause_text)?;
    match &access.tls {
        Some(connector) if member.tls => encrypted(connector, host, tcp).await,
        _ => Ok(AnyStream::new(tcp)),
    }
}

async fn encrypted(
    connector: &TlsConnector,
    host: String,
    tcp: TcpStream,
) -> Result<AnyStream, String> {
    let name = ServerName::try_from(host).map_err(cause_text)?;
    match connector.connect(name, tcp).await {
        Ok(stream) => Ok(AnyStream::new(stream)),
        Err(e) => {
            let cause = cause_text(e);
            Err(format!("TLS handshake failed: {cause}"))
        }
    }
}

fn host_text(host: &Host) -> String {
    match host {
        Host::Local => "127.0.0.1".to_owned(),
        Host::Address(address) => address.to_string(),
        Host::Name(name) => name.to_string(),
    }
}
