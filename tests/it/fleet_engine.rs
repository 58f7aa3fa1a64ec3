//! The engine's client against three real members of etcd.

use std::time::Duration;

use hacheck::fleet::engine::{
    Access, Committed, Engine, EngineError, EngineSession, KeyRange, Pair, Transaction,
};
use hacheck::fleet::settings::{self, FleetSettings};

use crate::support::authority::{Authority, Signed};
use crate::support::etcd::{Etcd, MEMBERS, Manner};
use crate::support::{PATIENCE, TempDir, block_on};

/// Everything that the tests write.
fn everything() -> KeyRange {
    KeyRange::under("/t/")
}

/// Runs a test that talks to the engine.
fn run<T>(test: impl Future<Output = T>) -> T {
    block_on(async {
        let limited = tokio::time::timeout(2 * PATIENCE, test).await;
        limited.expect("the engine answered in time")
    })
}

fn engine(etcd: &Etcd) -> Engine {
    Engine::new(Access::of_daemon(&etcd.settings("timeout: 3")).unwrap())
}

/// A connection to one member.
async fn session(etcd: &Etcd, member: usize) -> EngineSession {
    session_with(etcd, member, 3).await
}

/// The same, with so many seconds for each answer.
async fn session_with(etcd: &Etcd, member: usize, seconds: u32) -> EngineSession {
    let one = etcd.endpoint(member);
    let text = format!("fleet: test\nendpoints: ['{one}']\ntimeout: {seconds}");
    let (settings, _) = settings::parse(text.as_bytes(), "fleet.yml").unwrap();
    let mut engine = Engine::new(Access::of_daemon(&settings).unwrap());
    engine.connect().await.unwrap()
}

#[track_caller]
fn done(committed: Committed) -> i64 {
    match committed {
        Committed::Done(revision) => revision,
        other => panic!("expected to be done: {other:?}"),
    }
}

fn values(pairs: &[Pair]) -> Vec<(&str, &str)> {
    let pairs = pairs
        .iter()
        .map(|pair| (text(&pair.key), text(&pair.value)));
    pairs.collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_write_is_applied_only_when_nothing_was_written_since_it_was_read() {
    let etcd = Etcd::start();
    run(async {
        let mut engine = engine(&etcd);
        let first = Transaction::new()
            .absent("/t/a")
            .put("/t/a", "1")
            .put("/t/b", "2");
        let revision = done(engine.commit(&first).await.unwrap());
        let again = engine.commit(&first).await.unwrap();
        assert!(matches!(again, Committed::Conflict), "{again:?}");
        let found = engine.read(&[everything()]).await.unwrap();
        assert_eq!(values(&found.pairs), [("/t/a", "1"), ("/t/b", "2")]);
        assert_eq!(
            (found.revision, found.pairs[0].mod_revision),
            (revision, revision)
        );
        let next = Transaction::new()
            .unchanged("/t/a", revision)
            .delete(everything());
        done(engine.commit(&next).await.unwrap());
        let found = engine.read(&[everything()]).await.unwrap();
        assert!(found.pairs.is_empty() && found.cluster != 0);
    });
}

#[test]
fn only_what_changed_is_read_where_the_revision_is_known() {
    let etcd = Etcd::start();
    run(async {
        let session = session(&etcd, 0).await;
        let put = |key| Transaction::new().absent(key).put(key, "x");
        let first = done(session.commit(&put("/t/a")).await.unwrap());
        done(session.commit(&put("/t/b")).await.unwrap());
        let found = session.read(&everything(), first + 1).await.unwrap();
        assert_eq!(values(&found.pairs), [("/t/b", "x")]);
    });
}

#[test]
fn a_member_that_is_killed_or_frozen_is_passed_over() {
    let mut etcd = Etcd::start();
    let (leader, follower) = etcd.leader_and_follower();
    for fault in ["frozen", "killed"] {
        match fault {
            "frozen" => etcd.freeze(follower),
            _ => {
                etcd.thaw(follower);
                etcd.kill(leader);
            }
        }
        // Whichever member is drawn first.
        for _ in 0..MEMBERS {
            run(async {
                let mut engine = engine(&etcd);
                let found = engine.read(&[everything()]).await;
                assert!(found.is_ok(), "{fault}: {found:?}");
            });
        }
    }
}

#[test]
fn where_no_member_can_be_reached_each_is_named_with_its_cause() {
    let mut etcd = Etcd::start();
    (0..MEMBERS).for_each(|member| etcd.kill(member));
    let failed = run(async { engine(&etcd).read(&[everything()]).await.unwrap_err() });
    let text = failed.to_string();
    for endpoint in etcd.endpoints() {
        assert!(
            text.contains(&format!("{endpoint}: connection refused")),
            "{text}"
        );
    }
    assert!(text.contains("see endpoints in fleet.yml"), "{text}");
}

#[test]
fn changes_come_as_they_are_made_from_the_revision_that_is_asked_for() {
    let etcd = Etcd::start();
    run(async {
        let session = session(&etcd, 1).await;
        let put = |value: &str| Transaction::new().put("/t/a", value);
        let from = done(session.commit(&put("1")).await.unwrap());
        done(session.commit(&put("2")).await.unwrap());
        let mut watch = session.watch(&everything(), from + 1).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let changes = watch.next().await.unwrap();
            let puts = values(&changes.puts);
            seen.extend(puts.iter().map(|(_, value)| (*value).to_owned()));
            if seen.len() == 1 {
                // A large value comes in many frames.
                done(session.commit(&put(&"x".repeat(300_000))).await.unwrap());
                done(
                    session
                        .commit(&Transaction::new().delete(everything()))
                        .await
                        .unwrap(),
                );
            }
            seen.extend(changes.deletes.iter().map(|_| "deleted".to_owned()));
        }
        assert_eq!(
            (seen[0].as_str(), seen[1].len(), seen[2].as_str()),
            ("2", 300_000, "deleted")
        );
    });
}

#[test]
fn a_watch_ends_when_its_member_loses_the_majority() {
    let etcd = Etcd::start();
    run(async {
        let session = session(&etcd, 0).await;
        let mut watch = session.watch(&everything(), 0).await.unwrap();
        etcd.freeze(1);
        etcd.freeze(2);
        let ended = watch_end(&mut watch).await;
        assert!(ended.to_string().contains("no leader"), "{ended}");
    });
}

async fn watch_end(watch: &mut hacheck::fleet::engine::KeyWatch) -> EngineError {
    loop {
        if let Err(e) = watch.next().await {
            return e;
        }
    }
}

#[test]
fn a_connection_to_a_member_that_freezes_ends() {
    let etcd = Etcd::start();
    run(async {
        let session = session(&etcd, 0).await;
        let mut watch = session.watch(&everything(), 0).await.unwrap();
        etcd.freeze(0);
        let ended = watch_end(&mut watch).await;
        assert!(matches!(ended, EngineError::Lost { .. }), "{ended}");
    });
}

#[test]
fn a_watch_from_a_revision_that_is_compacted_says_so() {
    let etcd = Etcd::start();
    for value in ["1", "2", "3"] {
        etcd.put(0, "/t/a", value);
    }
    etcd.compact(0);
    run(async {
        let session = session(&etcd, 0).await;
        let mut watch = session.watch(&everything(), 1).await.unwrap();
        let ended = watch_end(&mut watch).await;
        assert!(matches!(ended, EngineError::Compacted), "{ended}");
    });
}

#[test]
fn what_a_lease_holds_goes_with_it() {
    let etcd = Etcd::start();
    run(async {
        let session = session(&etcd, 0).await;
        let lease = session.grant(Duration::from_secs(60)).await.unwrap();
        let put = Transaction::new()
            .absent("/t/a")
            .put_leased("/t/a", "x", lease);
        done(session.commit(&put).await.unwrap());
        assert!(session.keep_alive(lease).await.unwrap());
        session.revoke(lease).await.unwrap();
        assert!(!session.keep_alive(lease).await.unwrap());
        let found = session.read(&everything(), 0).await.unwrap();
        assert!(found.pairs.is_empty(), "{found:?}");
    });
}

/// The revision of the key's last change.
async fn revision_of(engine: &mut Engine, key: &str) -> i64 {
    let found = engine.read(&[KeyRange::one(key)]).await.unwrap();
    found.pairs.first().map_or(0, |pair| pair.mod_revision)
}

/// Alice's first write hangs in a frozen member, her second try is applied by another one, she lifts it again, and then the
/// member thaws. How the first write ended, and what stands in the register.
async fn late_write(etcd: &Etcd, write: fn(i64, &str) -> Transaction) -> (Committed, String) {
    let (leader, follower) = etcd.leader_and_follower();
    let mut others = engine(etcd);
    let revision = revision_of(&mut others, "/t/a").await;
    let hanging = session_with(etcd, follower, 600).await;
    // The member has to know us before it hangs.
    hanging.read(&everything(), 0).await.unwrap();
    etcd.freeze(follower);
    let first = write(revision, "down by alice");
    let first = tokio::spawn(async move { hanging.commit(&first).await.unwrap() });
    for value in ["down by alice, again", "up by alice"] {
        let revision = revision_of(&mut others, "/t/a").await;
        done(others.commit(&write(revision, value)).await.unwrap());
    }
    etcd.thaw(follower);
    let first = first.await.unwrap();
    etcd.wait_until_member_answers(leader);
    (first, etcd.value(leader, "/t/a").unwrap())
}

#[test]
fn a_write_that_hung_in_a_frozen_member_never_wins_late() {
    let etcd = Etcd::start();
    let (first, value) = run(late_write(&etcd, |revision, value| {
        Transaction::new()
            .unchanged("/t/a", revision)
            .put("/t/a", value)
    }));
    assert!(!matches!(first, Committed::Done(_)), "{first:?}");
    assert_eq!(value, "up by alice");
}

#[test]
fn without_a_comparison_it_would_win_late() {
    let etcd = Etcd::start();
    // On a busy machine the connection may be given up before the member thaws.
    for _ in 0..5 {
        let write = |_, value: &str| Transaction::new().put("/t/a", value);
        let (first, value) = run(late_write(&etcd, write));
        if matches!(first, Committed::Done(_)) {
            assert_eq!(value, "down by alice");
            return;
        }
    }
    panic!("the write that hung was never applied");
}

/// Users of the engine: `web01` may read, `ops` may write too. Both have the password `s3cret`.
fn add_users(etcd: &Etcd) {
    etcd.add_user("web01", "READ", "/t/");
    etcd.add_user("ops", "READWRITE", "/t/");
    etcd.enable_users();
}

async fn write_and_read(settings: &FleetSettings) -> Result<Committed, EngineError> {
    let mut engine = Engine::new(Access::of_daemon(settings)?);
    engine.read(&[everything()]).await?;
    let put = Transaction::new().absent("/t/a").put("/t/a", "x");
    engine.commit(&put).await
}

#[test]
fn users_log_in_by_their_password_and_may_do_what_their_roles_grant() {
    let etcd = Etcd::start();
    add_users(&etcd);
    let folder = TempDir::new();
    let password = |text: &str| {
        let file = folder.file("password");
        std::fs::write(&file, text).unwrap();
        file
    };
    let settings = |user: &str, text: &str| {
        let file = password(text);
        etcd.settings(&format!(
            "username: {user}\npassword_file: {}",
            file.display()
        ))
    };
    run(async {
        done(write_and_read(&settings("ops", "s3cret\n")).await.unwrap());
        let denied = write_and_read(&settings("web01", "s3cret"))
            .await
            .unwrap_err();
        assert!(denied.is_certain(), "{denied}");
        let text = denied.to_string();
        assert!(text.contains("permission denied; grant the role"), "{text}");
        let wrong = write_and_read(&settings("ops", "wrong"))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            wrong.contains("invalid user ID or password; see certificates"),
            "{wrong}"
        );
        assert!(!wrong.contains("wrong\""), "{wrong}");
        let nobody = write_and_read(&etcd.settings(""))
            .await
            .unwrap_err()
            .to_string();
        assert!(nobody.contains("user name is empty"), "{nobody}");
    });
}

fn certificate_lines(authority: &Authority, signed: &Signed) -> String {
    format!(
        "ca_file: {}\ncert_file: {}\nkey_file: {}",
        authority.cert().display(),
        signed.cert.display(),
        signed.key.display()
    )
}

#[test]
fn the_name_in_a_certificate_is_the_user() {
    let authority = Authority::new();
    let etcd = Etcd::start_as(&Manner {
        authority: Some(&authority),
        options: &[],
    });
    add_users(&etcd);
    run(async {
        for (user, may_write) in [("ops", true), ("web01", false)] {
            let signed = authority.sign_host(user);
            let settings = etcd.settings(&certificate_lines(&authority, &signed));
            let written = write_and_read(&settings).await;
            assert_eq!(written.is_ok(), may_write, "{user}: {written:?}");
        }
    });
}

#[test]
fn a_member_whose_certificate_is_of_another_authority_is_not_spoken_to() {
    let (authority, other) = (Authority::new(), Authority::new());
    let etcd = Etcd::start_as(&Manner {
        authority: Some(&authority),
        options: &[],
    });
    let signed = authority.sign_host("ops");
    run(async {
        let lines = certificate_lines(&other, &signed);
        let failed = write_and_read(&etcd.settings(&lines))
            .await
            .unwrap_err()
            .to_string();
        assert!(failed.contains("TLS handshake failed"), "{failed}");
        let missing = lines.replace("key_file: ", "key_file: /nowhere");
        let failed = write_and_read(&etcd.settings(&missing))
            .await
            .unwrap_err()
            .to_string();
        assert!(failed.contains("cannot use /nowhere"), "{failed}");
    });
}
