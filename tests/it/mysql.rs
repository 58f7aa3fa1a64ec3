//! `mysql` against real MariaDB servers and against peers that misbehave.

use std::net::TcpStream;

use hacheck::net::Host;
use hacheck::probe::TlsUse;

use crate::mariadb::{MariaDb, primary};
use crate::support::probing::{Prober, secret};

const OK: &str = "MySQL connect response: MySQLResponse(OK)<>";

fn user(name: &str) -> Prober {
    login(name, "s3cret", TlsUse::Auto)
}

fn login(name: &str, password: &str, tls: TlsUse) -> Prober {
    Prober::new(|c| {
        c.mysql_username = Some(name.into());
        c.mysql_password = secret(password);
        c.mysql_tls = tls;
    })
}

#[test]
fn every_kind_of_password_logs_in_with_and_without_tls() {
    for name in ["checker", "modern"] {
        for tls in [TlsUse::Off, TlsUse::Auto, TlsUse::Required] {
            let probed = login(name, "s3cret", tls).probe("mysql", primary().port, "");
            assert_eq!(
                (probed.status, probed.body.as_str()),
                (200, OK),
                "{name}, TLS {tls:?}"
            );
        }
    }
}

#[test]
fn an_account_that_requires_tls_logs_in_without_configuration() {
    // An account that no other test uses, so that its refusals can be counted.
    let prober = user("counted");
    prober.probe("mysql", primary().port, "").is(200, OK);
    let refusals = || primary().log().matches("denied for user 'counted'").count();
    let before = refusals();
    assert_ne!(before, 0, "{}", primary().log());
    // What the first login taught spares the next ones the refusal.
    prober.probe("mysql", primary().port, "").is(200, OK);
    assert_eq!(refusals(), before);
    login("counted", "s3cret", TlsUse::Off)
        .probe("mysql", primary().port, "")
        .is(500, "MySQL sez MySQLResponse(ERR)<Acc");
}

#[test]
fn a_certificate_is_verified_when_asked_to() {
    let tls = |verify: bool, roots: Option<std::path::PathBuf>| {
        Prober::new(|c| {
            (c.mysql_username, c.mysql_password) = (Some("guarded".into()), secret("s3cret"));
            (c.mysql_tls, c.tls_verify, c.tls_ca_file) = (TlsUse::Required, verify, roots);
        })
    };
    let port = primary().port;
    let own = primary().certificate();
    tls(true, Some(own.clone()))
        .probe("mysql", port, "")
        .is(200, OK);
    tls(true, Some(own))
        .probe_host("mysql", Host::Name("localhost".into()), port, "")
        .is(200, OK);
    let other = crate::support::TempDir::new();
    let (stranger, _) = crate::support::server::certificate(other.path());
    tls(true, Some(stranger))
        .probe("mysql", port, "")
        .is(503, "TLS handshake failed: invalid peer certificate");
}

#[test]
fn a_refused_login_is_500_with_the_servers_text() {
    for name in ["checker", "modern", "guarded", "nobody"] {
        let probed = login(name, "wrong", TlsUse::Auto).probe("mysql", primary().port, "");
        probed.is(
            500,
            &format!("MySQL sez MySQLResponse(ERR)<Access denied for user '{name}'@'127.0.0.1'"),
        );
    }
}

#[test]
fn too_many_connections_is_500_with_the_servers_text() {
    let server = MariaDb::start(&["--max-connections=10"]);
    let held: Vec<_> = (0..16)
        .map(|_| TcpStream::connect(("127.0.0.1", server.port)).unwrap())
        .collect();
    server.wait_for("all connections taken", || server.sql_fails("SELECT 1"));
    user("checker")
        .probe("mysql", server.port, "")
        .is(500, "MySQL sez MySQLResponse(ERR)<Too many connections>");
    drop(held);
}

#[test]
fn a_primary_says_so() {
    let port = primary().port;
    user("checker")
        .probe("mysql", port, "role=primary")
        .is(200, &format!("{OK}; primary"));
    user("monitor")
        .probe("mysql", port, "role=replica")
        .is(503, "primary, not a replica after");
    user("monitor")
        .probe("mysql", port, "max_lag=30")
        .is(503, "primary, not a replica after");
    user("monitor")
        .probe("mysql", port, "galera=synced")
        .is(503, "wsrep_local_state");
}

#[test]
fn a_missing_permission_is_named() {
    let probed = user("checker").probe("mysql", primary().port, "role=replica");
    probed.is(
        503,
        "SHOW ALL SLAVES STATUS: error 1227: Access denied; you need",
    );
}

#[test]
fn a_replica_is_followed_through_its_states() {
    let replica = MariaDb::start(&["--server-id=2", "--read-only", "--slave-net-timeout=5"]);
    let (port, prober) = (replica.port, user("monitor"));
    replica.sql(&format!(
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER='monitor', MASTER_PASSWORD='s3cret',
         MASTER_USE_GTID=slave_pos; START SLAVE;",
        primary().port
    ));
    replica.wait_for("accounts arrive and the replica runs", || {
        prober.probe("mysql", port, "max_lag=30").status == 200
    });
    prober
        .probe("mysql", port, "role=replica")
        .is(200, &format!("{OK}; replica"));
    prober
        .probe("mysql", port, "role=replica&max_lag=30")
        .is(200, &format!("{OK}; replica, lag "));
    prober
        .probe("mysql", port, "role=primary")
        .is(503, "read_only is 1: not a primary");

    replica.sql("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=3600; START SLAVE;");
    primary().sql("CREATE DATABASE IF NOT EXISTS late");
    replica.wait_for("it lags", || {
        prober
            .probe("mysql", port, "max_lag=1")
            .body
            .contains(" s is over 1 s")
    });

    replica.sql("STOP SLAVE SQL_THREAD");
    prober
        .probe("mysql", port, "max_lag=3600")
        .is(503, "replica, SQL thread running: No");
    prober
        .probe("mysql", port, "role=replica")
        .is(200, &format!("{OK}; replica"));
}

#[test]
fn a_galera_node_is_followed_through_its_states() {
    let provider = "/usr/lib/galera/libgalera_smm.so";
    crate::support::server::require(provider, "galera-4");
    let gossip = crate::support::server::free_port();
    let node = MariaDb::start(&[
        "--wsrep-on=ON",
        &format!("--wsrep-provider={provider}"),
        "--wsrep-new-cluster",
        "--wsrep-cluster-address=gcomm://",
        "--wsrep-node-address=127.0.0.1",
        &format!("--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{gossip}"),
        "--binlog-format=ROW",
        "--innodb-autoinc-lock-mode=2",
    ]);
    node.sql("CREATE USER checker@'%' IDENTIFIED BY 's3cret'");
    let (port, prober) = (node.port, user("checker"));
    prober
        .probe("mysql", port, "galera=synced")
        .is(200, &format!("{OK}; wsrep_local_state 4 (Synced)"));
    node.sql("SET GLOBAL wsrep_desync=ON");
    prober
        .probe("mysql", port, "galera=synced")
        .is(503, "wsrep_local_state 2 (Donor/Desynced), want 4 (Synced)");
    prober
        .probe("mysql", port, "galera=synced,donor&role=primary")
        .is(200, "; primary; wsrep_local_state 2");
    node.sql("SET GLOBAL wsrep_desync=OFF");
    node.wait_for("it is synced again", || {
        prober.probe("mysql", port, "galera=synced").status == 200
    });
    node.sql("SET GLOBAL read_only=ON");
    prober
        .probe("mysql", port, "galera=synced")
        .is(200, "wsrep_local_state 4 (Synced)");
    prober
        .probe("mysql", port, "galera=synced&role=primary")
        .is(503, "read_only is 1: not a primary");
    node.sql("SET GLOBAL read_only=OFF");
    // It logs clients in, and refuses every query of theirs.
    node.sql("SET GLOBAL wsrep_reject_queries=ALL");
    for query in ["galera=synced", "galera=synced,donor&role=primary"] {
        prober
            .probe("mysql", port, query)
            .is(503, "wsrep_reject_queries is ALL, want NONE");
    }
    node.sql("SET GLOBAL wsrep_reject_queries=NONE");
    prober
        .probe("mysql", port, "galera=synced")
        .is(200, "wsrep_local_state 4 (Synced)");
    // It looks for a cluster that is not there.
    node.sql("SET GLOBAL wsrep_cluster_address='gcomm://127.0.0.1:1'");
    prober
        .probe("mysql", port, "galera=synced")
        .is(503, "wsrep_cluster_status is ");
}

#[test]
fn without_credentials_nobody_is_asked() {
    let no = Prober::new(|c| c.mysql_username = Some("checker".into()));
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let probed = no.probe("mysql", listener.local_addr().unwrap().port(), "");
    assert_eq!(
        (probed.status, probed.body.as_str()),
        (500, "No MySQL username/password in config file")
    );
    assert!(listener.accept().is_err(), "a connection was made");
}

#[test]
fn options_that_cannot_be_are_400() {
    user("checker").probe("mysql", 1, "rolle=primary").is(
        400,
        "mysql: unknown option 'rolle'; there are role, max_lag",
    );
}

#[test]
fn a_closed_port_is_refused() {
    let port = crate::support::server::free_port();
    user("checker")
        .probe("mysql", port, "")
        .is(503, ": connection refused after");
    user("checker")
        .probe_host("mysql", Host::Name("localhost".into()), port, "")
        .is(503, ": connection refused after");
}
