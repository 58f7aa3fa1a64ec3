//! Names that a name server answers with other addresses from one question to the next, or not at all.

use std::collections::HashSet;
use std::fs::{self, File};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::client;
use crate::support::daemon::Setup;
use crate::support::namespace;
use crate::support::process::Process;
use crate::support::upstream::{Upstream, http};
use crate::support::{PATIENCE, Ran, TempDir, command, timed_out_after, wait_until};

const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Answers every question for an address: by turns loopback, metadata, and both, in both orders.
fn name_server(turns: &Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    let turns = Arc::clone(turns);
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let question = &question[..length];
            // Behind the header stands the name, then type and class.
            let name = question[12..].iter().position(|b| *b == 0).unwrap_or(0);
            let is_for_v4 = question[12 + name + 1..12 + name + 3] == [0, 1];
            let addresses: &[Ipv4Addr] = match (
                is_for_v4,
                turns.fetch_add(usize::from(is_for_v4), Ordering::SeqCst) % 4,
            ) {
                (false, _) => &[],
                (_, 0) => &[Ipv4Addr::LOCALHOST],
                (_, 1) => &[METADATA],
                (_, 2) => &[Ipv4Addr::LOCALHOST, METADATA],
                _ => &[METADATA, Ipv4Addr::LOCALHOST],
            };
            let mut answer = question[..2].to_vec();
            answer.extend([
                0x81,
                0x80,
                0,
                1,
                0,
                u8::try_from(addresses.len()).unwrap(),
                0,
                0,
                0,
                0,
            ]);
            answer.extend(&question[12..12 + name + 5]);
            for address in addresses {
                // The question's name, an address of the Internet, to be forgotten at once.
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                answer.extend(address.octets());
            }
            let _ = socket.send_to(&answer, from);
        }
    });
}

#[test]
fn a_name_that_is_rebound_never_leads_to_metadata() {
    let folder = TempDir::new();
    namespace::on_host(folder.path(), "", &["169.254.169.254/32"], |host| {
        if !host.is_separate() {
            eprintln!("names are not ours to bind without a network of our own");
            return;
        }
        namespace::resolve_by(folder.path(), "127.0.0.1");
        let turns = Arc::<AtomicUsize>::default();
        name_server(&turns);
        let good = Upstream::start_on("127.0.0.1:80".parse().unwrap(), |_| {
            Some(http("200 OK", "good"))
        });
        let bait = Upstream::start_on((METADATA, 80).into(), |_| {
            Some(http("200 OK", "credentials"))
        });
        let config = "check_hosts: any\nhealthcheck_timeout: 5\ncache_time: 0\n";
        let mut daemon = Setup::new().config(config).start();
        let mut seen = [0, 0];
        for i in 0..60 {
            let state = "UP; address=rebound.test; port=80";
            let headers = [
                ("X-Nerve-Check-IP", "rebound.test"),
                ("X-Haproxy-Server-State", state),
            ];
            let path = format!("/http/web/80/{i}");
            let answer = client::request(daemon.address, "GET", &path, &headers[i % 2..=i % 2]);
            match answer.status {
                200 => assert_eq!(answer.body, "good"),
                403 => answer.says(403, "metadata"),
                _ => panic!("{answer:?}"),
            }
            seen[usize::from(answer.status == 403)] += 1;
        }
        assert!(
            seen.iter().all(|n| *n > 5),
            "{seen:?} after {} turns",
            turns.load(Ordering::SeqCst)
        );
        assert_eq!((bait.seen().len(), good.seen().len()), (0, seen[0]));
        daemon.is_sound();
    });
}

#[test]
fn names_that_are_not_answered_hold_up_neither_a_groups_checks_nor_established_pollers() {
    let folder = TempDir::new();
    namespace::on_host(folder.path(), "127.0.0.1 known.test\n", &[], |host| {
        if !host.is_separate() {
            eprintln!("names are not ours to hold back without a network of our own");
            return;
        }
        namespace::resolve_by(folder.path(), "127.0.0.1");
        let asked = Arc::new(Mutex::new(HashSet::new()));
        let names = Arc::clone(&asked);
        let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, _)) = socket.recv_from(&mut question) {
                // Behind the header stands the name; each is asked for by both kinds of address, and again.
                let name = question[12..length]
                    .split(|b| *b == 0)
                    .next()
                    .unwrap_or_default();
                // The host looks for its own name too.
                if name.windows(4).any(|w| w == b"held") {
                    names.lock().unwrap().insert(name.to_vec());
                }
            }
        });
        let upstream = Upstream::answering("fine");
        let config = format!(
            "healthcheck_timeout: 60\ncache_time: 0\ngroups: {{node: {{checks: [tcp://known.test:{}]}}}}\n",
            upstream.port()
        );
        let mut daemon = Setup::new().config(config).start();
        // Established before the others come.
        let known = format!("UP; address=known.test; port={}", upstream.port());
        let poll = || daemon.get_with("/tcp/web/80", &[("X-Haproxy-Server-State", &known)]);
        for _ in 0..5 {
            assert_eq!(poll().status, 200);
            thread::sleep(Duration::from_millis(250));
        }
        let ask = |i: usize| {
            let state = format!("UP; address=held{i}.test; port={}", upstream.port());
            client::send(
                daemon.address,
                "GET",
                "/http/web/80/",
                &[("X-Haproxy-Server-State", &state)],
            )
        };
        let _waiting: Vec<_> = (0..30).map(ask).collect();
        wait_until(PATIENCE, "all probes run", || {
            daemon.metric("hacheck_probes_running") == 30.0
        });
        wait_until(PATIENCE, "eight names are asked for", || {
            asked.lock().unwrap().len() >= 8
        });
        for i in 0..20 {
            daemon
                .get(&format!("/http/other/{}/{i}", upstream.port()))
                .is(200, "fine");
            assert_eq!(daemon.get("/group/node/0/").status, 200);
            assert_eq!(poll().status, 200);
        }
        assert_eq!(asked.lock().unwrap().len(), 8);
        daemon.is_sound();
    });
}

/// Hears every question and answers none.
fn silent_name_server() -> Arc<Mutex<Vec<u8>>> {
    let heard = Arc::<Mutex<Vec<u8>>>::default();
    let kept = Arc::clone(&heard);
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, _)) = socket.recv_from(&mut question) {
            kept.lock().unwrap().extend(&question[..length]);
        }
    });
    heard
}

/// Runs `hacheck probe`, which must end before the resolver gives up.
fn probe_in_time(folder: &Path, host: &str, port: u16) -> Ran {
    let config = folder.join("c.yml");
    fs::write(&config, "healthcheck_timeout: 1\n").unwrap();
    let [out, err] = ["out", "err"].map(|name| folder.join(name));
    let mut probe = command("hacheck");
    probe
        .args(["probe", "--spool-root", "/tmp", "-c"])
        .arg(config);
    probe.args([
        "-H",
        &format!("X-Haproxy-Server-State: UP; address={host}; port={port}"),
    ]);
    probe.args(["http", "web", "80"]);
    probe.stdout(File::create(&out).unwrap());
    probe.stderr(File::create(&err).unwrap());
    let code = Process::spawn(&mut probe).wait(PATIENCE);
    Ran {
        code: Some(code),
        out: fs::read_to_string(out).unwrap(),
        err: fs::read_to_string(err).unwrap(),
    }
}

#[test]
fn without_name_servers_hacheck_probe_ends_when_the_check_has_had_its_time() {
    let folder = TempDir::new();
    // The host's own name is in no file either.
    namespace::on_host(folder.path(), "", &[], |host| {
        if !host.is_separate() {
            eprintln!("names are not ours to hold back without a network of our own");
            return;
        }
        // The resolver is more patient than the test.
        namespace::resolve_with(folder.path(), "127.0.0.1", "timeout:30 attempts:5");
        let heard = silent_name_server();
        let was_asked_for = |name: &str| {
            let heard = heard.lock().unwrap();
            heard.windows(name.len()).any(|w| w == name.as_bytes())
        };
        let upstream = Upstream::answering("fine");
        let ran = probe_in_time(folder.path(), "127.0.0.1", upstream.port());
        ran.is_with(0, "200 OK\nfine\n", "passes");
        let name = nix::unistd::gethostname().unwrap();
        assert!(
            was_asked_for(name.to_str().unwrap()),
            "the own name is not looked up"
        );

        let ran = probe_in_time(folder.path(), "dead.test", upstream.port());
        ran.code_is(1);
        assert!(was_asked_for("dead"));
        assert!(ran.out.contains("http dead.test"), "{ran:?}");
        assert!(ran.out.contains("looking up the host"), "{ran:?}");
        assert!(timed_out_after(&ran.out) >= 1.0);
    });
}
