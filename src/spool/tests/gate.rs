//! The gate: what it says while the spool changes, breaks, vanishes and comes back.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::{Duration, Instant};

use super::*;

fn ask(gate: &Gate, service: &str, entries: &[&str], weights: bool) -> Option<Closed> {
    let entries = || entries.iter().map(ToString::to_string).collect();
    let asker = GateAsker {
        weights,
        agent: false,
    };
    gate.closed(service, &entries, asker, Instant::now())
}

/// What the gate says of the service `web`: the reason, and whether it is held.
fn web(gate: &Gate) -> Option<(String, bool)> {
    let closed = ask(gate, "web", &["web"], false)?;
    Some((closed.downtime.reason.clone(), closed.held))
}

fn down(reason: &str) -> Option<(String, bool)> {
    Some((reason.into(), false))
}

fn held(reason: &str) -> Option<(String, bool)> {
    Some((reason.into(), true))
}

#[test]
fn the_gate_asks_all_then_the_names_in_order() {
    let f = Fixture::new();
    let gate = f.gate();
    let first = || {
        let closed = ask(&gate, "web", &["web", "web:80"], false)?;
        Some((closed.subject().to_owned(), closed.entry.to_string()))
    };
    assert_eq!(first(), None);
    for (file, name) in [("web:80", "web"), ("web", "web"), ("all", "all")] {
        f.put(file, file);
        assert_eq!(first(), Some((name.into(), file.into())));
    }
}

#[test]
fn a_soft_downtime_or_a_drain_never_hides_a_stronger_one() {
    let f = Fixture::new();
    let gate = f.gate();
    let soft = r#"{"reason": "r", "soft": true}"#;
    let drain = r#"{"reason": "r", "drain": true}"#;
    let usual = r#"{"reason": "r"}"#;
    for (all, web, web_80, weights, counts) in [
        (soft, drain, usual, true, "web:80"),
        (soft, drain, usual, false, "web"),
        (drain, soft, soft, true, "web"),
        (drain, soft, soft, false, "all"),
        (drain, drain, drain, true, "all"),
    ] {
        for (name, content) in [("all", all), ("web", web), ("web:80", web_80)] {
            f.put(name, content);
        }
        let closed = ask(&gate, "web", &["web", "web:80"], weights).unwrap();
        assert_eq!(&*closed.entry, counts, "{all} {web} {web_80} {weights}");
    }
}

#[test]
fn a_downtime_for_agents_hides_none_from_checks_and_is_a_usual_one_for_agents() {
    let f = Fixture::new();
    let gate = f.gate();
    let soft = r#"{"reason": "r", "soft": true}"#;
    f.put("all", r#"{"reason": "r", "agent_only": true}"#);
    f.put("web", soft);
    for (agent, counts) in [(false, "web"), (true, "all")] {
        let asker = GateAsker {
            weights: false,
            agent,
        };
        let entries = || vec!["web".to_owned()];
        let closed = gate.closed("web", &entries, asker, Instant::now()).unwrap();
        assert_eq!((&*closed.entry, closed.lets_pass(asker)), (counts, false));
    }
    f.spool.up(&key("web")).unwrap();
    let asker = GateAsker {
        weights: false,
        agent: false,
    };
    assert!(ask(&gate, "web", &[], false).unwrap().lets_pass(asker));
}

#[test]
fn the_gate_follows_every_change() {
    let f = Fixture::new();
    let gate = f.gate();
    assert_eq!(web(&gate), None);
    f.spool.down(&key("web"), because("r")).unwrap();
    assert_eq!(web(&gate), down("r"));
    f.spool.down(&key("web"), because("s")).unwrap();
    assert_eq!(web(&gate), down("s"));
    f.spool.up(&key("web")).unwrap();
    assert_eq!(web(&gate), None);
    f.put("web", r#"{"expiration": 1000}"#);
    assert_eq!((web(&gate), f.files()), (None, vec![]));
    assert_eq!(gate.errors(), 0);
}

#[test]
fn a_change_counts_at_once_also_when_the_listing_was_trusted() {
    let f = Fixture::new();
    let gate = f.gate();
    for round in 0..5 {
        until_trusted(&f);
        assert_eq!(web(&gate), None, "round {round}");
        fs::write(f.path("web"), "r").unwrap();
        assert_eq!(
            web(&gate),
            down("r"),
            "round {round}: the new downtime was not seen"
        );
        until_trusted(&f);
        assert_eq!(web(&gate), down("r"), "round {round}");
        fs::write(f.path("web"), "s").unwrap();
        assert_eq!(
            web(&gate),
            down("s"),
            "round {round}: the new content was not seen"
        );
        fs::remove_file(f.path("web")).unwrap();
        assert_eq!(web(&gate), None, "round {round}: the end was not seen");
    }
}

#[test]
fn a_trusted_listing_does_not_outlive_the_root() {
    let f = Fixture::new();
    let gate = f.gate();
    f.put("all", "r");
    until_trusted(&f);
    assert_eq!(web(&gate), down("r"));
    let away = f.folder.path().join("away");
    fs::rename(f.spool.root(), &away).unwrap();
    assert_eq!(web(&gate), held("r"));
    fs::create_dir(f.spool.root()).unwrap();
    assert_eq!(web(&gate), None, "the new folder is the truth");
}

/// Waits until a listing of the spool is trusted.
fn until_trusted(f: &Fixture) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while crate::spool::listing::Names::default()
        .certain(f.spool.root(), std::time::Instant::now())
        .is_none()
    {
        assert!(Instant::now() < deadline, "the listing is never trusted");
        thread::yield_now();
    }
}

#[test]
fn an_entry_that_cannot_be_read_keeps_its_last_state() {
    type Break = fn(&Fixture);
    let breaks: [(&str, Break); 5] = [
        ("a folder", |f| fs::create_dir(f.path("web")).unwrap()),
        ("a FIFO", |f| f.fifo("web")),
        ("a dangling link", |f| {
            symlink("nowhere", f.path("web")).unwrap();
        }),
        ("a link out of the root", |f| {
            symlink("/etc/hostname", f.path("web")).unwrap();
        }),
        ("a link to itself", |f| {
            symlink("web", f.path("web")).unwrap();
        }),
    ];
    for (what, damage) in breaks {
        let f = Fixture::new();
        let (knows, fresh) = (f.gate(), f.gate());
        f.put("web", "r");
        assert_eq!(web(&knows), down("r"), "{what}");
        fs::remove_file(f.path("web")).unwrap();
        damage(&f);
        assert_eq!(web(&knows), held("r"), "{what}: down was not held");
        let unread = match what {
            "a folder" | "a dangling link" => None,
            _ => held("the spool entry web cannot be read"),
        };
        assert_eq!(web(&fresh), unread, "{what}: a key that was never read");
        assert_eq!((knows.errors(), fresh.errors()), (1, 1), "{what}");
        assert!(
            knows
                .trouble_within(Duration::from_secs(60))
                .is_some_and(|t| t.contains("web")),
            "{what}"
        );
        let broken = f.path("web");
        if broken.is_dir() {
            fs::remove_dir(broken)
        } else {
            fs::remove_file(broken)
        }
        .unwrap();
        assert_eq!(web(&knows), None, "{what}: removed is up");
    }
}

#[test]
fn a_root_that_is_gone_or_no_folder_keeps_every_state() {
    type Break = fn(&Fixture);
    let breaks: [(&str, Break); 3] = [
        ("renamed away", |_| ()),
        ("a file", |f| fs::write(f.spool.root(), "").unwrap()),
        ("a dangling link", |f| {
            symlink("nowhere", f.spool.root()).unwrap();
        }),
    ];
    for (what, damage) in breaks {
        let f = Fixture::new();
        let gate = f.gate();
        f.put("web", "r");
        assert_eq!(
            (web(&gate), ask(&gate, "mail", &["mail"], false).is_some()),
            (down("r"), false),
            "{what}"
        );
        let aside = f.folder.path().join("aside");
        fs::rename(f.spool.root(), &aside).unwrap();
        damage(&f);
        assert_eq!(web(&gate), held("r"), "{what}");
        assert!(
            ask(&gate, "mail", &["mail"], false).is_none(),
            "{what}: what was up went down"
        );
        assert!(gate.errors() > 0, "{what}");
        let _ = fs::remove_file(f.spool.root());
        fs::rename(&aside, f.spool.root()).unwrap();
        assert_eq!(web(&gate), down("r"), "{what}: back again");
        f.spool.up(&key("web")).unwrap();
        assert_eq!(web(&gate), None, "{what}: lifted after it was back");
    }
}

#[test]
fn all_is_held_too_when_the_root_is_gone() {
    let f = Fixture::new();
    let gate = f.gate();
    f.put("all", "reboot");
    assert_eq!(web(&gate), down("reboot"));
    fs::rename(f.spool.root(), f.folder.path().join("aside")).unwrap();
    let closed = ask(&gate, "mail", &["mail"], false).expect("the host went back into traffic");
    assert_eq!((closed.subject(), closed.held), ("all", true));
}

#[test]
fn a_held_downtime_still_ends_when_it_expires() {
    let f = Fixture::new();
    let gate = f.gate();
    let soon = unix_now() + 0.3;
    f.spool
        .down(
            &key("web"),
            Downtime {
                expiration: Some(soon),
                ..because("r")
            },
        )
        .unwrap();
    assert_eq!(web(&gate), down("r"));
    fs::rename(f.spool.root(), f.folder.path().join("aside")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while web(&gate).is_some() {
        assert!(Instant::now() < deadline, "held beyond its end");
        thread::yield_now();
    }
    assert!(unix_now() >= soon, "let go before its end");
}

#[test]
fn a_root_replaced_by_another_folder_counts_at_once() {
    let f = Fixture::new();
    let gate = f.gate();
    f.put("web", "r");
    assert_eq!(web(&gate), down("r"));
    fs::rename(f.spool.root(), f.folder.path().join("aside")).unwrap();
    fs::create_dir(f.spool.root()).unwrap();
    assert_eq!(web(&gate), None);
    f.put("web", "new");
    assert_eq!(web(&gate), down("new"));
}

#[test]
fn a_gate_does_not_open_on_a_root_that_cannot_be_listed() {
    let folder = TempDir::new();
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(Gate::open(Spool::at(folder.path().join("file"))).is_err());
    assert!(Gate::open(Spool::at(folder.path().join("no/such"))).is_err());
}

#[test]
fn a_huge_reason_is_answered_whole_but_remembered_in_part() {
    let f = Fixture::new();
    let gate = f.gate();
    let reason = "x".repeat(1 << 18);
    f.spool.down(&key("web"), because(&reason)).unwrap();
    assert_eq!(web(&gate), down(&reason));
    fs::rename(f.spool.root(), f.folder.path().join("aside")).unwrap();
    let (kept, is_held) = web(&gate).unwrap();
    assert!(is_held && kept.len() < 1 << 17, "{} bytes kept", kept.len());
}
