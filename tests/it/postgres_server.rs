//! `postgres` against real PostgreSQL servers; `postgres_peers` has the peers that misbehave.

use hacheck::probe::TlsUse;

use crate::support::TempDir;
use crate::support::postgresql::{PostgreSql, primary};
use crate::support::probing::{Prober, secret};
use crate::support::server::{certificate, free_port};

const READY: &str = "PostgreSQL is accepting connections";
const OK: &str = "PostgreSQL answered SELECT 1";

fn login(name: &str, password: &str, tls: TlsUse) -> Prober {
    Prober::new(|c| {
        c.postgres_username = Some(name.into());
        c.postgres_password = secret(password);
        c.postgres_tls = tls;
    })
}

fn nobody() -> Prober {
    Prober::new(|_| {})
}

#[test]
fn every_kind_of_password_logs_in_with_and_without_tls() {
    for name in ["checker", "hashed", "plain", "trusted"] {
        for tls in [TlsUse::Off, TlsUse::Auto, TlsUse::Required] {
            let probed = login(name, "s3cret", tls).probe("postgres", primary().port, "");
            assert_eq!(
                (probed.status, probed.body.as_str()),
                (200, OK),
                "{name}, TLS {tls:?}"
            );
        }
    }
}

/// SASLprep (RFC 4013): one character becomes two, a soft hyphen goes.
#[test]
fn a_password_outside_ascii_is_prepared_as_the_server_does() {
    primary().sql("CREATE ROLE prepared LOGIN PASSWORD 'ix'");
    for password in ["\u{2168}x", "i\u{ad}x"] {
        primary().sql(&format!("ALTER ROLE prepared PASSWORD '{password}'"));
        login("prepared", password, TlsUse::Auto)
            .probe("postgres", primary().port, "dbname=postgres")
            .is(200, OK);
    }
}

#[test]
fn an_account_that_requires_tls_logs_in_without_configuration() {
    login("guarded", "s3cret", TlsUse::Auto)
        .probe("postgres", primary().port, "")
        .is(200, OK);
    let probed = login("guarded", "s3cret", TlsUse::Off).probe("postgres", primary().port, "");
    probed.is(
        500,
        "PostgreSQL says: pg_hba.conf rejects connection for host \"127.0.0.1\", user \"guarded\"",
    );
}

#[test]
fn a_certificate_is_verified_when_asked_to() {
    let other = TempDir::new();
    let (stranger, _) = certificate(other.path());
    let prober = Prober::new(|c| {
        (c.postgres_username, c.postgres_password) = (Some("checker".into()), secret("s3cret"));
        (c.tls_verify, c.tls_ca_file) = (true, Some(stranger));
    });
    prober
        .probe("postgres", primary().port, "")
        .is(503, "TLS handshake failed: invalid peer certificate");
}

#[test]
fn a_refused_login_is_500_with_the_servers_text() {
    for name in ["checker", "hashed", "plain", "nobody"] {
        let probed = login(name, "wrong", TlsUse::Auto).probe("postgres", primary().port, "");
        let text = format!("PostgreSQL says: password authentication failed for user \"{name}\"");
        assert_eq!((probed.status, probed.body), (500, text));
    }
    let probed =
        login("checker", "s3cret", TlsUse::Auto).probe("postgres", primary().port, "dbname=none");
    assert_eq!(
        (probed.status, probed.body.as_str()),
        (500, "PostgreSQL says: database \"none\" does not exist")
    );
}

#[test]
fn what_is_not_the_credentials_fault_is_503() {
    let probed = login("crowded", "s3cret", TlsUse::Auto).probe(
        "postgres",
        primary().port,
        "dbname=postgres",
    );
    probed.is(
        503,
        "too many connections for role \"crowded\" (53300) after",
    );
}

#[test]
fn readiness_needs_no_credentials() {
    nobody()
        .probe("postgres", primary().port, "")
        .is(200, READY);
    Prober::new(|c| c.postgres_tls = TlsUse::Required)
        .probe("postgres", primary().port, "")
        .is(200, READY);
    nobody()
        .probe("postgres", primary().port, "role=primary")
        .is(500, "No postgres_username in config file");
    nobody()
        .probe("postgres", primary().port, "max_lag=30")
        .is(500, "role and max_lag need a login");
    let no_password = Prober::new(|c| c.postgres_username = Some("checker".into()));
    no_password
        .probe("postgres", primary().port, "")
        .is(503, "the server wants a password; set postgres_password");
}

/// As after `pg_isready`: a server's log is its operator's, and a check a second must not fill it.
#[test]
fn readiness_leaves_no_line_in_the_servers_log() {
    let local = "local all postgres trust\n";
    let server = PostgreSql::with_hba(&format!("{local}host all all 127.0.0.1/32 trust\n"));
    let hba = server.sql("SHOW hba_file");
    for method in ["scram-sha-256", "md5", "password", "trust"] {
        let lines = format!("{local}host all all 127.0.0.1/32 {method}\n");
        std::fs::write(hba.trim(), lines).unwrap();
        server.sql("SELECT pg_reload_conf()");
        let rule = "SELECT auth_method FROM pg_hba_file_rules WHERE type = 'host'";
        assert_eq!(server.sql(rule).trim(), method);
        for tls in [TlsUse::Off, TlsUse::Required] {
            let prober = Prober::new(|c| c.postgres_tls = tls);
            // The first ones may meet a server that has not read its new rules.
            prober.probe("postgres", server.port, "").is(200, READY);
            server.wait_until_nobody_is_served();
            let before = server.log();
            for _ in 0..50 {
                prober.probe("postgres", server.port, "").is(200, READY);
            }
            server.wait_until_nobody_is_served();
            let log = server.log();
            assert_eq!(&log[before.len()..], "", "{method}, TLS {tls:?}");
        }
    }
}

/// A primary has no lag. A replica is asked for it with `role` and without.
#[test]
fn max_lag_counts_with_role_and_without() {
    let own = PostgreSql::with_hba(
        "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 trust\n",
    );
    own.sql("CREATE TABLE t (n int)");
    let prober = login("postgres", "s3cret", TlsUse::Off);
    let ask = |server: &PostgreSql, query| prober.probe("postgres", server.port, query);
    for query in ["max_lag=0", "role=primary&max_lag=0"] {
        ask(&own, query).is(200, "PostgreSQL is a primary, which has no lag");
    }
    ask(&own, "role=replica&max_lag=30").is(503, "primary, not a replica");
    let replica = PostgreSql::replica(&own, &[]);
    replica.wait_until_it_answers();
    own.sql("INSERT INTO t VALUES (1)");
    replica.wait_for("it has replayed", || {
        replica.sql("SELECT count(*) FROM t").trim() == "1"
    });
    for query in ["max_lag=0", "role=replica&max_lag=0"] {
        replica.wait_for("it has no lag", || ask(&replica, query).status == 200);
        ask(&replica, query).is(200, "PostgreSQL is a replica, lag 0 s");
    }
    ask(&replica, "role=primary&max_lag=30").is(503, "replica, not a primary");
    replica.sql("SELECT pg_wal_replay_pause()");
    own.sql("INSERT INTO t VALUES (2)");
    for query in ["max_lag=0", "role=replica&max_lag=0"] {
        replica.wait_for("it lags", || ask(&replica, query).status == 503);
        ask(&replica, query).is(503, "s is over 0 s");
    }
    ask(&replica, "max_lag=3600").is(200, "PostgreSQL is a replica, lag ");
    replica.sql("SELECT pg_wal_replay_resume()");
    replica.sql("SELECT pg_promote()");
    replica.wait_for("it is promoted", || {
        ask(&replica, "role=primary").status == 200
    });
    ask(&replica, "role=replica&max_lag=3600").is(503, "primary, not a replica");
}

#[test]
fn the_lag_of_a_replica_that_receives_nothing_is_unknown() {
    let prober = login("checker", "s3cret", TlsUse::Auto);
    let replica = PostgreSql::replica(primary(), &["-c", "primary_conninfo="]);
    replica.wait_until_it_answers();
    prober
        .probe("postgres", replica.port, "role=replica")
        .is(200, "replica");
    prober
        .probe("postgres", replica.port, "max_lag=3600")
        .is(503, "replica without a WAL receiver, so its lag is unknown");
}

#[test]
fn primary_and_replica_say_so() {
    let prober = login("checker", "s3cret", TlsUse::Auto);
    let replica = PostgreSql::replica(primary(), &[]);
    replica.wait_until_it_answers();
    let recovery = "PostgreSQL answered SELECT pg_is_in_recovery()";
    prober
        .probe("postgres", primary().port, "role=primary")
        .is(200, &format!("{recovery}; primary"));
    prober
        .probe("postgres", primary().port, "role=replica")
        .is(503, "primary, not a replica after");
    prober
        .probe("postgres", replica.port, "role=replica&dbname=postgres")
        .is(200, &format!("{recovery}; replica"));
    prober
        .probe("postgres", replica.port, "role=primary")
        .is(503, "replica, not a primary after");
    nobody().probe("postgres", replica.port, "").is(200, READY);
}

#[test]
fn a_server_that_takes_no_connections_yet_is_503() {
    let closed = PostgreSql::replica(primary(), &["-c", "hot_standby=off"]);
    let text = "the database system is not accepting connections (57P03) after";
    closed.wait_for("it refuses", || {
        nobody()
            .probe("postgres", closed.port, "")
            .body
            .contains(text)
    });
    nobody().probe("postgres", closed.port, "").is(503, text);
    login("checker", "s3cret", TlsUse::Auto)
        .probe("postgres", closed.port, "")
        .is(503, text);
}

#[test]
fn options_that_cannot_be_are_400() {
    nobody()
        .probe("postgres", 1, "role=leader")
        .is(400, "postgres: role is primary or replica, not 'leader'");
    nobody()
        .probe("postgres", 1, "deep=1")
        .is(400, "postgres: unknown option 'deep'");
}

#[test]
fn a_closed_port_is_named() {
    login("checker", "s3cret", TlsUse::Auto)
        .probe("postgres", free_port(), "")
        .is(503, "connection refused after");
}
