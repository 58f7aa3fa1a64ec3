//! Names whose addresses change from one question to the next, as an attacker's name server has it.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::TempDir;
use crate::support::client;
use crate::support::daemon::Setup;
use crate::support::namespace;
use crate::support::upstream::{Upstream, http};

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
            let addresses: &[Ipv4Addr] =
                match (is_for_v4, turns.fetch_add(usize::from(is_for_v4), Ordering::SeqCst) % 4) {
                    (false, _) => &[],
                    (_, 0) => &[Ipv4Addr::LOCALHOST],
                    (_, 1) => &[METADATA],
                    (_, 2) => &[Ipv4Addr::LOCALHOST, METADATA],
                    _ => &[METADATA, Ipv4Addr::LOCALHOST],
                };
            let mut answer = question[..2].to_vec();
            answer.extend([0x81, 0x80, 0, 1, 0, u8::try_from(addresses.len()).unwrap(), 0, 0, 0, 0]);
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
        let good = Upstream::start_on("127.0.0.1:80".parse().unwrap(), |_| Some(http("200 OK", "good")));
        let bait = Upstream::start_on((METADATA, 80).into(), |_| Some(http("200 OK", "credentials")));
        let config = "check_hosts: any\nhealthcheck_timeout: 5\ncache_time: 0\n";
        let mut daemon = Setup::new().config(config).start();
        let mut seen = [0, 0];
        for i in 0..60 {
            let state = "UP; address=rebound.test; port=80";
            let headers = [("X-Nerve-Check-IP", "rebound.test"), ("X-Haproxy-Server-State", state)];
            let path = format!("/http/web/80/{i}");
            let answer = client::request(daemon.address, "GET", &path, &headers[i % 2..=i % 2]);
            match answer.status {
                200 => assert_eq!(answer.body, "good"),
                403 => answer.says(403, "metadata"),
                _ => panic!("{answer:?}"),
            }
            seen[usize::from(answer.status == 403)] += 1;
        }
        assert!(seen.iter().all(|n| *n > 5), "{seen:?} after {} turns", turns.load(Ordering::SeqCst));
        assert_eq!((bait.seen().len(), good.seen().len()), (0, seen[0]));
        daemon.is_sound();
    });
}
