//! Services to be checked: scripted HTTP servers and listeners that hang.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::client::split_head;
use super::{PATIENCE, wait_until};

/// Gives the whole answer to a request's head; `None` leaves the connection open without an answer.
type Script = dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync;

/// A running server; it ends when this is dropped.
pub struct Upstream {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    forgets: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Upstream {
    pub fn start(script: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap(), script)
    }

    pub fn start_on(
        address: SocketAddr,
        script: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address)
            .unwrap_or_else(|e| panic!("cannot listen on {address}: {e}"));
        let address = listener.local_addr().unwrap();
        let (seen, stop) = (
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::<AtomicBool>::default(),
        );
        let forgets = Arc::<AtomicBool>::default();
        let means = Serving {
            script: Box::new(script),
            seen: Arc::clone(&seen),
            forgets: Arc::clone(&forgets),
        };
        let stopped = Arc::clone(&stop);
        let accepting = thread::spawn(move || accept(&listener, &Arc::new(means), &stopped));
        Self {
            address,
            seen,
            stop,
            forgets,
            accepting: Some(accepting),
        }
    }

    /// Keeps neither requests nor connections that have ended, so that it can serve for hours.
    pub fn forgetful(self) -> Self {
        self.forgets.store(true, Ordering::SeqCst);
        self
    }

    /// One that answers 200 with a body.
    pub fn answering(body: &'static str) -> Self {
        Self::start(move |_| Some(http("200 OK", body)))
    }

    /// One that takes connections and requests and never answers.
    pub fn hung() -> Self {
        Self::start(|_| None)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The heads of all requests so far.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub fn wait_for(&self, requests: usize) {
        let deadline = PATIENCE;
        wait_until(deadline, "the upstream saw the requests", || {
            self.seen.lock().unwrap().len() >= requests
        });
    }

    /// Stops listening; what was accepted is still answered.
    pub fn stop(&mut self) {
        let Some(thread) = self.accepting.take() else {
            return;
        };
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        let _ = thread.join();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What every connection is served by.
struct Serving {
    script: Box<Script>,
    seen: Arc<Mutex<Vec<String>>>,
    forgets: Arc<AtomicBool>,
}

fn accept(listener: &TcpListener, means: &Arc<Serving>, stop: &AtomicBool) {
    let mut serving: Vec<JoinHandle<Option<TcpStream>>> = Vec::new();
    for stream in listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let Ok(stream) = stream else { continue };
        if means.forgets.load(Ordering::SeqCst) {
            serving.retain(|thread| !thread.is_finished());
        }
        let means = Arc::clone(means);
        serving.push(thread::spawn(move || serve(stream, &means)));
    }
    // What was accepted is still answered; connections without an answer end here.
    for thread in serving {
        let _ = thread.join();
    }
}

fn serve(mut stream: TcpStream, means: &Serving) -> Option<TcpStream> {
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    let mut raw = Vec::new();
    let mut part = [0; 4096];
    let head = loop {
        if let Some((head, _)) = split_head(&raw) {
            break head.to_owned();
        }
        match stream.read(&mut part) {
            Ok(n) if n > 0 => raw.extend_from_slice(&part[..n]),
            _ => return None,
        }
    };
    let forgets = means.forgets.load(Ordering::SeqCst);
    if !forgets {
        means.seen.lock().unwrap().push(head.clone());
    }
    match (means.script)(&head) {
        Some(answer) => {
            // Who asked may be gone.
            let _ = stream.write_all(&answer);
            None
        }
        None if forgets => {
            // Until who asked has had enough.
            while stream.read(&mut part).is_ok_and(|n| n > 0) {}
            None
        }
        None => Some(stream),
    }
}

/// A whole answer, after which the connection ends.
pub fn http(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
