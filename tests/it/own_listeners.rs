//! No check reaches hacheck itself: it would answer as to a caller on this host, and count its own question as a poll.

use crate::support::client::Response;
use crate::support::daemon::{Daemon, Setup};
use crate::support::server::free_port;
use crate::support::upstream::Upstream;
use crate::support::{PATIENCE, run, wait_until};

const NO_CHECK: &str = "hacheck itself listens";

fn at(daemon: &Daemon, host: &str, port: u16) -> Response {
    let state = format!("UP; address={host}; port={port}; name=web/s1; node=lb1");
    let headers = [("X-Haproxy-Server-State", state.as_str())];
    daemon.get_with("/http/web/1/mutornadomon", &headers)
}

#[test]
fn no_check_of_its_own_port_is_made_however_the_host_is_spelt() {
    let setup = Setup::new().config("check_hosts: any\ncache_time: 0\n");
    let mut daemon = setup.bind("0.0.0.0").start();
    let port = daemon.address.port();
    for path in [
        format!("/http/web/{port}/mutornadomon"),
        format!("/http/web/{port}/pollers/health"),
        format!("/http/web/{port}/http/web/1/health"),
        format!("/http/web/{port}/healthz"),
        format!("/https/web/{port}/"),
        format!("/tcp/web/{port}"),
        format!("/grpc/web/{port}"),
        format!("/redis/web/{port}"),
    ] {
        daemon.get(&path).says(403, NO_CHECK);
    }
    for host in [
        "localhost",
        "LOCALHOST",
        "127.0.0.1",
        "127.0.0.2",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "::ffff:127.0.0.1",
        "::ffff:0:0",
    ] {
        at(&daemon, host, port).says(403, NO_CHECK);
        let nerve = [("X-Nerve-Check-IP", host)];
        daemon
            .get_with(&format!("/tcp/web/{port}"), &nerve)
            .says(403, NO_CHECK);
    }
    daemon.is_sound();
}

#[test]
fn agent_ports_and_listeners_of_groups_are_its_own_too_for_as_long_as_they_are_there() {
    let (agent, first, second) = (free_port(), free_port(), free_port());
    let config = |port: u16| {
        format!(
            "cache_time: 300\nagent_ports: [{agent}]\ngroups: {{g: {{checks: [tcp://127.0.0.1:1], listen: '127.0.0.1:{port}'}}}}\n"
        )
    };
    let daemon = Daemon::with_config(&config(first));
    let tcp = |port: u16| daemon.get(&format!("/tcp/web/{port}"));
    tcp(agent).says(403, NO_CHECK);
    tcp(first).says(403, NO_CHECK);
    tcp(second).says(503, "");
    daemon.reload(&config(second), "configuration read from");
    wait_until(PATIENCE, "the new listener is its own", || {
        tcp(second).status == 403
    });
    wait_until(PATIENCE, "the old one is gone", || tcp(first).status == 503);
}

#[test]
fn its_unix_socket_is_no_unix_socket_of_a_service() {
    let setup = Setup::new();
    let folder = setup.spool.outside().to_owned();
    let (socket, link) = (folder.join("sock"), folder.join("link"));
    std::os::unix::fs::symlink(&socket, &link).unwrap();
    let config = format!(
        "listen_unix: {socket}\nservices: {{web: {{socket: {socket}}}, mail: {{socket: {link}}}}}\n",
        socket = socket.display(),
        link = link.display(),
    );
    let daemon = setup.config(config).start();
    for service in ["web", "mail"] {
        let path = format!("/http/{service}/0/pollers/health");
        daemon.get(&path).says(403, NO_CHECK);
    }
}

#[test]
fn hacheck_probe_and_groups_of_the_configuration_may_ask_it() {
    let listen = free_port();
    let service = Upstream::answering("ok");
    let port = service.port();
    let mut daemon = Daemon::with_config(&format!(
        "groups:\n  a: {{checks: ['tcp://127.0.0.1:{port}'], listen: '127.0.0.1:{listen}'}}\n  b: {{checks: ['http://127.0.0.1:{listen}/']}}\n"
    ));
    assert_eq!(daemon.get("/group/b/0/").status, 200);
    let own = daemon.address.port().to_string();
    let spool = daemon.spool.root().to_string_lossy().into_owned();
    let words = [
        "probe",
        "--spool-root",
        &spool,
        "http",
        "web",
        &own,
        "/healthz",
    ];
    let asked = run("hacheck", &words);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    daemon.is_sound();
}
