//! Asks at a steady rate, whether or not answers come in time, and tells how long they took: from when each request was
//! due, so that a server that stalls is not asked less often for it. Where it has as many connections as there may be,
//! requests wait for one that is free, which counts too.
//!
//! Usage: `rate PORT PER_SECOND SECONDS kept|close PATH [SERVICES]`; with SERVICES the `%` of PATH is one number after the
//! other below it. Prints one JSON object, times in microseconds.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// How many connections there may be at once: more than any server here needs that keeps up.
const MOST: u32 = 1000;

/// What is asked.
struct Load {
    server: SocketAddr,
    gap: Duration,
    count: u32,
    kept: bool,
    path: String,
    services: u32,
}

/// A request by its number, and when it is due.
type Due = (u32, Instant);

/// What came of it so far, what waits to be sent, and the connections that nobody uses.
#[derive(Default)]
struct Shared {
    took: Vec<Duration>,
    errors: u32,
    waiting: VecDeque<Due>,
    senders: u32,
    idle: Vec<TcpStream>,
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(load) = load(&arguments) else {
        eprintln!("usage: rate PORT PER_SECOND SECONDS kept|close PATH [SERVICES]");
        std::process::exit(2);
    };
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let shared = Rc::<RefCell<Shared>>::default();
    LocalSet::new().block_on(&runtime, send_all(Rc::new(load), Rc::clone(&shared)));
    print(&mut shared.borrow_mut());
    Ok(())
}

fn load(arguments: &[String]) -> Option<Load> {
    let number = |at: usize| arguments.get(at)?.parse::<u32>().ok();
    let (port, rate, seconds) = (number(0)?, number(1)?, number(2)?);
    Some(Load {
        server: SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).ok()?)),
        gap: Duration::from_secs(1) / rate.max(1),
        count: rate * seconds,
        kept: arguments.get(3)? == "kept",
        path: arguments.get(4)?.clone(),
        services: number(5).unwrap_or(1),
    })
}

/// Sends each request when it is due, and waits for the last answers.
async fn send_all(load: Rc<Load>, shared: Rc<RefCell<Shared>>) {
    let began = Instant::now();
    for number in 0..load.count {
        let due = began + load.gap * number;
        // tokio's timers are good for a millisecond, which is longer than most answers take.
        while Instant::now() < due {
            tokio::task::yield_now().await;
        }
        let mut queue = shared.borrow_mut();
        queue.waiting.push_back((number, due));
        if queue.senders < MOST {
            queue.senders += 1;
            tokio::task::spawn_local(send_waiting(Rc::clone(&load), Rc::clone(&shared)));
        }
    }
    let done = |shared: &Shared| shared.took.len() as u32 + shared.errors;
    let last = Instant::now() + Duration::from_secs(10);
    while done(&shared.borrow()) < load.count && Instant::now() < last {
        tokio::task::yield_now().await;
    }
}

/// Sends one request after the other until none waits.
async fn send_waiting(load: Rc<Load>, shared: Rc<RefCell<Shared>>) {
    while let Some(due) = next(&shared) {
        send(&load, due, &shared).await;
    }
    shared.borrow_mut().senders -= 1;
}

fn next(shared: &RefCell<Shared>) -> Option<Due> {
    shared.borrow_mut().waiting.pop_front()
}

async fn send(load: &Load, (number, due): Due, shared: &RefCell<Shared>) {
    let idle = shared.borrow_mut().idle.pop();
    let answered = ask(load, number, idle).await;
    let mut shared = shared.borrow_mut();
    match answered {
        Ok(stream) => {
            shared.took.push(due.elapsed());
            if load.kept {
                shared.idle.push(stream);
            }
        }
        Err(_) => shared.errors += 1,
    }
}

async fn ask(load: &Load, number: u32, idle: Option<TcpStream>) -> io::Result<TcpStream> {
    let mut stream = match idle {
        Some(stream) => stream,
        None => TcpStream::connect(load.server).await?,
    };
    stream.set_nodelay(true)?;
    let service = number % load.services;
    let path = load.path.replace('%', &service.to_string());
    let connection = if load.kept { "keep-alive" } else { "close" };
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: {connection}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    read_answer(&mut stream).await?;
    Ok(stream)
}

/// Reads an answer with `Content-Length`, which must be 200.
async fn read_answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if is_whole(&bytes) {
            break;
        }
    }
    if bytes.starts_with(b"HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}

fn print(shared: &mut Shared) {
    shared.took.sort_unstable();
    let answered = shared.took.len();
    let at = |share: f64| {
        let index = (answered as f64 * share) as usize;
        let took = shared.took.get(index.min(answered.saturating_sub(1)));
        took.map_or(0, Duration::as_micros)
    };
    println!(
        "{{\"answered\": {answered}, \"errors\": {}, \"p50\": {}, \"p99\": {}, \"p999\": {}}}",
        shared.errors,
        at(0.5),
        at(0.99),
        at(0.999)
    );
}
