//! Memory under floods: what hacheck holds for others stays within `memory_limit`; what does not fit is told so, and
//! others are answered.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};

use flate2::Compression;
use flate2::write::GzEncoder;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::support::client::{self, Response, connect};
use crate::support::daemon::{Daemon, Setup};
use crate::support::upstream::Upstream;
use crate::support::{PATIENCE, wait_until};

/// What a daemon may take besides `memory_limit` and `cache_bytes`: itself, its connections, and what the allocator
/// keeps.
const BESIDES: f64 = (96 << 20) as f64;

const MIB: f64 = (1 << 20) as f64;

/// Memory that the daemon takes, as somebody sees who asks among the flood.
fn resident(daemon: &Daemon) -> f64 {
    daemon.metric("process_resident_memory_bytes")
}

/// Checks that the daemon has stayed within its bound and answers others.
#[track_caller]
fn stays_within(daemon: &mut Daemon, limit: f64) {
    let resident = resident(daemon);
    assert!(
        resident < limit + BESIDES,
        "{} MiB for a budget of {} MiB",
        resident / MIB,
        limit / MIB
    );
    let used = daemon.metric("hacheck_memory_used_bytes");
    let most = daemon.metric("hacheck_memory_limit_bytes");
    assert!(used <= most, "{used} of {most} bytes");
    daemon.get("/spool/web/0").is(200, "");
    daemon.is_sound();
}

/// Checks that all were answered, by one of two ways; gives how many got 503.
#[track_caller]
fn answered_or_told_to_come_again(answers: &[Response]) -> usize {
    let mut statuses = BTreeMap::new();
    for answer in answers {
        *statuses.entry(answer.status).or_insert(0) += 1;
        if answer.status == 503 {
            assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
        }
    }
    let refused = statuses.get(&503).copied().unwrap_or(0);
    let fine = statuses.get(&200).copied().unwrap_or(0);
    assert_eq!(refused + fine, answers.len(), "{statuses:?}");
    refused
}

/// An answer that may have come before everything was sent, so that the connection was reset behind it.
fn what_came(mut stream: TcpStream) -> Option<Response> {
    let mut raw = Vec::new();
    let mut part = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut part) {
        raw.extend_from_slice(&part[..n]);
    }
    (!raw.is_empty()).then(|| Response::parse(&raw))
}

/// A form whose last byte never comes.
fn half_form(address: SocketAddr, length: usize) -> TcpStream {
    let mut stream = connect(address);
    let head = format!(
        "POST /spool/flood/0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\nstatus=down&reason="
    );
    // One that is refused is not read to its end.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&vec![b'r'; length - 20]);
    stream
}

#[test]
fn six_hundred_half_forms_are_held_within_the_budget_and_the_rest_is_told_to_come_again() {
    let mut daemon = Daemon::with_config("allow_remote_spool_changes: yes\nheader_timeout: 120\n");
    let open: Vec<TcpStream> = (0..600)
        .map(|_| half_form(daemon.address, 2_000_000))
        .collect();
    stays_within(&mut daemon, 80.0 * MIB);
    assert!(daemon.metric("hacheck_memory_refusals_total") > 500.0);
    let refused = open.into_iter().filter(|stream| !client::is_silent(stream));
    let refused: Vec<Response> = refused.filter_map(what_came).collect();
    assert_eq!(answered_or_told_to_come_again(&refused), refused.len());
    assert!(refused.len() > 500, "{}", refused.len());
    wait_until(PATIENCE, "the budget is free again", || {
        daemon.metric("hacheck_memory_used_bytes") == 0.0
    });
    daemon
        .request("POST", "/spool/web/0?status=up", &[("Content-Length", "0")])
        .is(200, "");
}

/// Upstreams that answer 9 KB of gzip, which are 8 MiB; each takes as many probes as one target may have.
fn bombs() -> Vec<Upstream> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(&vec![b'0'; 8 << 20]).unwrap();
    let packed = packer.finish().unwrap();
    assert!(packed.len() < 10_000);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    );
    let answer = [head.as_bytes(), &packed].concat();
    let upstream = |_| {
        let answer = answer.clone();
        Upstream::start(move |_| Some(answer.clone()))
    };
    (0..20).map(upstream).collect()
}

const BOMBS: usize = 250;

/// Clients that ask for them at the same time.
const CLIENTS: usize = 64;

/// Asks for a bomb; the answer's body is its length.
fn length_of(daemon: SocketAddr, port: u16, path: usize) -> Response {
    let answer = client::request(daemon, "GET", &format!("/http/x/{port}/{path}"), &[]);
    Response {
        body: answer.body.len().to_string(),
        ..answer
    }
}

#[test]
fn hundreds_of_gzip_bombs_are_unpacked_within_the_budget() {
    let upstreams = bombs();
    let mut daemon =
        Daemon::with_config("max_body: 8MiB\nmax_waiting: 2000\nhealthcheck_timeout: 60\n");
    let address = daemon.address;
    let ports: Vec<u16> = upstreams.iter().map(Upstream::port).collect();
    let clients = (0..CLIENTS).map(|first| {
        let ports = ports.clone();
        thread::spawn(move || {
            let own = (first..BOMBS).step_by(CLIENTS);
            own.map(|i| length_of(address, ports[i % ports.len()], i))
                .collect::<Vec<_>>()
        })
    });
    let clients: Vec<JoinHandle<_>> = clients.collect();
    let mut highest: f64 = 0.0;
    while !clients.iter().all(JoinHandle::is_finished) {
        highest = highest.max(resident(&daemon));
    }
    let answers = clients
        .into_iter()
        .flat_map(|client| client.join().unwrap());
    let answers: Vec<Response> = answers.collect();
    assert!(highest < 80.0 * MIB + BESIDES, "{} MiB", highest / MIB);
    let refused = answered_or_told_to_come_again(&answers);
    assert!(refused < BOMBS, "none was unpacked");
    for fine in answers.iter().filter(|a| a.status == 200) {
        assert_eq!(fine.body, (8 << 20).to_string());
    }
    stays_within(&mut daemon, 80.0 * MIB);
}

#[test]
fn eight_hundred_answers_that_nobody_reads_are_held_within_the_budget() {
    let body: &'static str = "b".repeat(8 << 20).leak();
    let upstreams: Vec<Upstream> = (0..16).map(|_| Upstream::answering(body)).collect();
    let mut daemon = Daemon::with_config("max_body: 8MiB\nwrite_timeout: 120\n");
    let mut open = Vec::new();
    let mut highest: f64 = 0.0;
    for i in 0..800 {
        let port = upstreams[i % upstreams.len()].port();
        let path = format!("/http/x/{port}/{i}");
        open.push(client::send(daemon.address, "GET", &path, &[]));
        if i % 50 == 0 {
            highest = highest.max(resident(&daemon));
            daemon.get("/spool/web/0").is(200, "");
        }
    }
    stays_within(&mut daemon, 80.0 * MIB);
    let small = Upstream::answering("fine");
    daemon
        .get(&format!("/http/web/{}/", small.port()))
        .is(200, "fine");
    assert!(daemon.metric("hacheck_memory_refusals_total") > 0.0);
    // Readers that read are served again: the slowest of the others is closed each time that something does not fit.
    let large = format!("/http/web/{}/", upstreams[0].port());
    wait_until(PATIENCE, "a reader gets its large answer", || {
        daemon.get(&large).status == 200
    });
    assert!(highest < 80.0 * MIB + BESIDES, "{} MiB", highest / MIB);
}

const HEADS: usize = 9_900;

/// Lets this process, and the daemon that it starts, have as many files as are needed, if they may.
fn may_have_files() -> bool {
    let wanted = HEADS as u64 + 1000;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    soft >= wanted || hard >= wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok()
}

#[test]
fn ten_thousand_half_heads_are_held_within_the_budget_and_the_rest_is_told_to_come_again() {
    if !may_have_files() {
        eprintln!("this process may not have {HEADS} connections: left out");
        return;
    }
    let config =
        "max_connections: 12000\nmax_connections_per_address: 12000\nheader_timeout: 120\n";
    let mut daemon = Setup::new().config(config).start();
    let head = format!(
        "GET /spool/web/0 HTTP/1.1\r\nHost: x\r\nX-Long: {}",
        "z".repeat(30_000)
    );
    let begun = |_| {
        let mut stream = connect(daemon.address);
        let _ = stream.write_all(head.as_bytes());
        stream
    };
    let open: Vec<TcpStream> = (0..HEADS).map(begun).collect();
    stays_within(&mut daemon, 80.0 * MIB);
    let refused = open.into_iter().filter(|stream| !client::is_silent(stream));
    let refused: Vec<Response> = refused.filter_map(what_came).collect();
    assert_eq!(answered_or_told_to_come_again(&refused), refused.len());
    assert!(refused.len() > HEADS / 2, "{}", refused.len());
    wait_until(PATIENCE, "the budget is free again", || {
        daemon.metric("hacheck_memory_used_bytes") == 0.0
    });
}

#[test]
fn after_a_flood_memory_goes_back_to_the_system() {
    let large = Upstream::answering("b".repeat(1 << 20).leak());
    let config = "allow_remote_spool_changes: yes\ncache_time: 1\n";
    let daemon = Daemon::with_config(config);
    let ask = |i: usize| daemon.get(&format!("/http/x/{}/{i}", large.port()));
    ask(0);
    let idle = resident(&daemon);
    let forms: Vec<TcpStream> = (0..100)
        .map(|_| half_form(daemon.address, 1_000_000))
        .collect();
    for i in 1..30 {
        // Refused or not: the forms take what they can.
        ask(i);
    }
    let flooded = resident(&daemon);
    assert!(flooded > 2.0 * idle + 16.0 * MIB, "{}", flooded / MIB);
    drop(forms);
    for i in 0..20 {
        ask(i);
    }
    wait_until(PATIENCE, "its memory went back", || {
        resident(&daemon) < 2.0 * idle
    });
    wait_until(PATIENCE, "expired results are dropped", || {
        daemon.metric("hacheck_cache_bytes") == 0.0
    });
}

#[test]
fn an_established_poller_gets_its_large_answer_while_strangers_fill_the_budget() {
    let page = Upstream::answering("b".repeat(60_000).leak());
    let config = "allow_remote_spool_changes: yes\nheader_timeout: 120\ncache_time: 0\n\
                  memory_limit: 1MiB\ncache_bytes: 0\n";
    let daemon = Daemon::with_config(config);
    let path = format!("/http/web/{}/steady", page.port());
    for _ in 0..5 {
        assert_eq!(daemon.get(&path).status, 200);
        // Faster ones would count as a burst.
        thread::sleep(std::time::Duration::from_millis(250));
    }
    let forms: Vec<TcpStream> = (0..30).map(|_| half_form(daemon.address, 40_000)).collect();
    wait_until(PATIENCE, "strangers find no place", || {
        daemon
            .get(&format!("/http/web/{}/other", page.port()))
            .status
            == 503
    });
    let answer = daemon.get(&path);
    assert_eq!((answer.status, answer.body.len()), (200, 60_000));
    // A downtime with a long reason is an answer of hacheck's own.
    let reason = "r".repeat(150_000);
    daemon.spool.put("web", &reason);
    let down = daemon.get(&path);
    assert!(down.body.len() > 150_000, "{}", down.body.len());
    let stranger = daemon.get("/spool/web/1");
    assert_eq!(stranger.header("retry-after"), Some("1"));
    drop(forms);
}
