//! Thousands of connections at once, all within the limits, none with a whole request.

use std::io::Write as _;
use std::net::TcpStream;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::attack::Site;
use crate::support::namespace::{self, Client};
use crate::support::{PATIENCE, TempDir, client, wait_until};

const CONNECTIONS: usize = 5000;

/// Lets this process, and the daemon that it starts, have as many files as are needed, if they may.
fn may_have_files() -> bool {
    // The daemon, with the same limit, gives connections a half.
    let wanted = 3 * CONNECTIONS as u64;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    soft >= wanted || hard >= wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok()
}

#[test]
fn five_thousand_slow_connections_that_are_all_held_change_nothing() {
    if !may_have_files() {
        eprintln!("this process may not have {CONNECTIONS} connections: left out");
        return;
    }
    let folder = TempDir::new();
    namespace::on_host(folder.path(), "", &[], |host| {
        let mut site = Site::start(
            "max_connections: 6000\nmax_connections_per_address: 6000\nheader_timeout: 20\n",
        );
        let port = site.daemon.address.port();
        host.beside(|far: Client| {
            let begun = |i: usize| {
                let mut stream = far.connect(port).expect("a new connection was refused");
                stream
                    .write_all(&b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "[..i % 40])
                    .unwrap();
                stream
            };
            let mut open: Vec<TcpStream> = (0..CONNECTIONS).map(begun).collect();
            let metric = |name: &str| {
                let page = client::request(far.address(port), "GET", "/metrics", &[]).body;
                let value = page
                    .lines()
                    .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
                value
                    .and_then(|v| v.parse::<f64>().ok())
                    .unwrap_or_else(|| panic!("no {name} in {page}"))
            };
            assert!(metric("hacheck_connections") >= CONNECTIONS as f64);
            for stream in &mut open {
                let _ = stream.write_all(b"z");
            }
            site.goes_on();
            assert_eq!(metric("hacheck_connections_dropped_total"), 0.0);
            let memory = metric("process_resident_memory_bytes");
            assert!(
                memory < f64::from(256 << 20),
                "{memory} bytes for {CONNECTIONS} connections"
            );
            // Each has had its time; a byte now and then does not prolong it.
            wait_until(PATIENCE, "slow connections are closed", || {
                open.iter_mut()
                    .step_by(97)
                    .for_each(|stream| drop(stream.write_all(b"z")));
                metric("hacheck_connections") < 100.0
            });
        });
        site.stands("5,000 connections at once");
    });
}
