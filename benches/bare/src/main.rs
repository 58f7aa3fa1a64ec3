//! A bare hyper server: a constant answer on 127.0.0.1 and the port in the first argument, with as many threads as
//! the second one says; with a third one, `shared`, they work for one runtime, else each has its own.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::runtime::Builder;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|a| a.parse::<u16>().ok());
    let (port, threads) = (number(0).unwrap_or(3998), number(1).unwrap_or(1));
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    if arguments.get(2).is_some_and(|a| a == "shared") {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.into())
            .enable_all()
            .build()?;
        return runtime.block_on(serve(listener));
    }
    let alone = |listener| {
        Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(serve(listener))
    };
    for _ in 1..threads {
        let listener = listener.try_clone()?;
        std::thread::spawn(move || alone(listener));
    }
    alone(listener)
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let answer = |_: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"ok"))))
            };
            // A client that goes away is no event.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
        });
    }
}
