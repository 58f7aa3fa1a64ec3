//! What a host holds, order by order, fault by fault.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::*;
use crate::fleet::{OrderState, Selector};
use crate::spool::{GateAsker, Spool, unix_now};

/// A host with a fleet spool of its own.
struct Host {
    folder: PathBuf,
    tags: BTreeMap<String, String>,
}

impl Host {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hacheck-held-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self {
            folder,
            tags: [("zone".to_owned(), "a".to_owned())].into(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn load(&self) -> Held {
        let gate = Gate::open(Spool::at(&self.folder)).unwrap();
        Held::load("web01", &self.tags, Arc::new(gate))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('~')).collect();
        names.sort();
        names
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn paths() -> Paths {
    Paths::new("/hacheck/v1", "test")
}

fn order(at: u64, state: OrderState, key: &str, selector: &str) -> Order {
    let key = Key::parse(key).unwrap();
    let mut order = Order::new(at, state, key, Selector::parse(selector).unwrap());
    order.reason = format!("r{at}");
    order
}

fn down(at: u64, key: &str, selector: &str) -> Order {
    order(at, OrderState::Down, key, selector)
}

fn up(at: u64, key: &str, selector: &str) -> Order {
    order(at, OrderState::Up, key, selector)
}

/// What the engine has of an order.
fn pair(order: &Order) -> Pair {
    Pair {
        key: paths().order(&order.key, &order.selector).into(),
        value: order.to_value().into(),
        ..Pair::default()
    }
}

/// What happens when an order comes.
fn give(held: &mut Held, order: &Order) {
    if let Some(key) = held.learn(&paths(), &pair(order)) {
        held.apply(&key);
    }
    held.save();
}

/// Why a service is down, as the gate has it.
fn reason(held: &Held, service: &str) -> Option<String> {
    let asker = GateAsker {
        weights: false,
        agent: false,
    };
    let entries = || vec![service.to_owned()];
    let closed = held.gate.closed(service, &entries, asker, Instant::now())?;
    Some(closed.downtime.reason.clone())
}

#[test]
fn the_newest_order_of_a_register_counts_in_whatever_order_they_come() {
    let orders = [
        down(1, "web", "*"),
        up(2, "web", "*"),
        down(3, "web", "*"),
        up(4, "web", "*"),
    ];
    for newest in 0..orders.len() {
        for rotation in 0..=newest {
            let host = Host::new();
            let mut held = host.load();
            let mut some = orders[..=newest].to_vec();
            some.rotate_left(rotation);
            some.iter().for_each(|order| give(&mut held, order));
            let is_down = orders[newest].state == OrderState::Down;
            assert_eq!(!host.names().is_empty(), is_down, "{newest} {rotation}");
            assert_eq!(reason(&held, "web").is_some(), is_down);
            assert_eq!(held.held().len(), usize::from(is_down));
        }
    }
}

#[test]
fn a_key_stays_down_until_every_register_that_holds_it_is_lifted() {
    let host = Host::new();
    let mut held = host.load();
    give(&mut held, &down(1, "web", "*"));
    give(&mut held, &down(2, "web", "zone=a"));
    give(&mut held, &down(3, "web", "zone=b"));
    assert_eq!(
        held.held().into_keys().collect::<Vec<_>>(),
        ["web/*", "web/zone=a"]
    );
    give(&mut held, &up(4, "web", "zone=a"));
    assert_eq!(reason(&held, "web").as_deref(), Some("r1"));
    give(&mut held, &up(5, "web", "*"));
    assert_eq!(reason(&held, "web"), None);
    assert!(host.names().is_empty());
}

#[test]
fn what_was_held_is_held_after_a_restart_and_a_lift_is_not_forgotten() {
    let host = Host::new();
    let mut held = host.load();
    give(&mut held, &down(1, "web", "*"));
    give(&mut held, &down(2, "api", "*"));
    give(&mut held, &up(3, "api", "*"));
    let mut held = host.load();
    assert_eq!(reason(&held, "web").as_deref(), Some("r1"));
    // As an engine has it that was restored from a backup.
    give(&mut held, &down(2, "api", "*"));
    assert_eq!(reason(&held, "api"), None);
}

#[test]
fn without_the_file_of_known_orders_the_entries_tell_what_is_held() {
    let host = Host::new();
    let mut held = host.load();
    for order in [down(1, "web", "*"), down(2, "web", "zone=a")] {
        give(&mut held, &order);
    }
    for content in [None, Some("garbage")] {
        match content {
            None => fs::remove_file(host.path("~orders")).unwrap(),
            Some(text) => fs::write(host.path("~orders"), text).unwrap(),
        }
        let held = host.load();
        assert_eq!(held.held().len(), 2, "{content:?}");
        assert!(reason(&held, "web").is_some());
    }
}

#[test]
fn absence_lifts_nothing_and_is_told() {
    let host = Host::new();
    let mut held = host.load();
    let order = down(1, "web", "*");
    give(&mut held, &order);
    assert!(held.missing().is_empty());
    held.lost(&paths(), &pair(&order).key);
    held.look();
    assert_eq!(held.missing(), ["web/*"]);
    held.begin_whole();
    held.apply_all();
    assert_eq!(held.missing(), ["web/*"]);
    assert!(reason(&held, "web").is_some());
    give(&mut held, &up(2, "web", "*"));
    assert!(held.missing().is_empty() && reason(&held, "web").is_none());
}

#[test]
fn a_value_that_cannot_be_read_holds_what_is_held_and_is_counted() {
    let host = Host::new();
    let mut held = host.load();
    give(&mut held, &down(1, "web", "*"));
    let mut bad = pair(&down(2, "web", "*"));
    for value in ["", "{", r#"{"v":2,"state":"up"}"#, r#"{"v":1}"#] {
        bad.value = value.into();
        held.begin_whole();
        assert_eq!(held.learn(&paths(), &bad), None, "{value}");
        assert_eq!(
            (held.unknown(), reason(&held, "web").as_deref()),
            (1, Some("r1"))
        );
        // The engine has it, whatever it is.
        assert!(held.missing().is_empty());
    }
    bad.key = b"/hacheck/v1/test/orders/odd".to_vec();
    assert_eq!(held.learn(&paths(), &bad), None);
    assert_eq!((held.unknown(), held.problems().len()), (2, 2));
    give(&mut held, &up(3, "web", "*"));
    assert_eq!((held.unknown(), reason(&held, "web")), (1, None));
}

#[test]
fn an_order_for_other_hosts_is_nothing_even_when_it_cannot_be_read() {
    let host = Host::new();
    let mut held = host.load();
    let mut other = pair(&down(1, "web", "zone=b"));
    assert_eq!(held.learn(&paths(), &other), None);
    other.value = b"{".to_vec();
    assert_eq!((held.learn(&paths(), &other), held.unknown()), (None, 0));
}

#[test]
fn a_host_whose_tags_no_longer_fit_comes_up_at_its_start() {
    let mut host = Host::new();
    let mut held = host.load();
    give(&mut held, &down(1, "web", "zone=a"));
    give(&mut held, &down(2, "api", "*"));
    host.tags.insert("zone".to_owned(), "b".to_owned());
    let held = host.load();
    assert_eq!(
        (reason(&held, "web"), host.names()),
        (None, vec!["api".to_owned()])
    );
}

#[test]
fn an_order_ends_by_itself_and_what_it_hid_counts_again() {
    let host = Host::new();
    let mut held = host.load();
    let soft = Order {
        soft: true,
        ..down(1, "web", "*")
    };
    let mut timed = down(2, "web", "zone=a");
    timed.expiration = Some(unix_now() + 0.2);
    give(&mut held, &soft);
    give(&mut held, &timed);
    let mark = |host: &Host| {
        let content = fs::read(host.path("web")).unwrap();
        Downtime::parse(&content).mark()
    };
    assert_eq!(mark(&host), None);
    while held.held().len() > 1 {
        std::thread::yield_now();
    }
    held.look();
    assert_eq!(mark(&host), Some(crate::spool::Mark::Soft));
}

#[test]
fn a_waived_order_holds_nothing_until_it_is_replaced() {
    let host = Host::new();
    let mut held = host.load();
    give(&mut held, &down(1, "web", "*"));
    let key = Key::parse("web").unwrap();
    let spool = Spool::at(&host.folder);
    let waived = waive(&spool, &key, "bob", "last one standing").unwrap();
    assert_eq!(waived.len(), 1);
    // At once, without the daemon.
    assert_eq!(reason(&held, "web"), None);
    held.look();
    let told = held.waived();
    assert_eq!((told["web/*"].by.as_str(), held.held().len()), ("bob", 0));
    let mut held = host.load();
    assert_eq!((reason(&held, "web"), held.waived().len()), (None, 1));
    give(&mut held, &down(2, "web", "*"));
    assert_eq!(
        (reason(&held, "web").as_deref(), held.waived().len()),
        (Some("r2"), 0)
    );
    // There is nothing to waive where no order holds anything.
    let nothing = waive(&spool, &Key::parse("api").unwrap(), "bob", "x").unwrap();
    assert!(nothing.is_empty());
}

/// Takes the folder's place while nothing can be written to it.
fn hide(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}

#[test]
fn what_cannot_be_written_is_held_in_memory_and_what_cannot_be_removed_stays_down() {
    let host = Host::new();
    let mut held = host.load();
    give(&mut held, &down(1, "web", "*"));
    assert!(reason(&held, "web").is_some());
    let away = host.folder.with_extension("away");
    hide(&host.folder, &away);
    give(&mut held, &down(2, "api", "*"));
    assert_eq!(reason(&held, "api").as_deref(), Some("r2"));
    give(&mut held, &up(3, "web", "*"));
    assert!(reason(&held, "web").is_some());
    assert!(held.problems().len() >= 2, "{:?}", held.problems());
    hide(&away, &host.folder);
    held.look();
    assert_eq!(held.problems(), Vec::<String>::new());
    assert_eq!(host.names(), ["api"]);
    assert_eq!(reason(&held, "web"), None);
}

#[test]
fn a_host_that_waits_for_the_fleet_says_so_until_it_knows_the_orders() {
    let host = Host::new();
    let mut held = host.load();
    assert!(held.is_new_boot("boot 1"));
    held.wait_until(unix_now() + 60.0);
    assert_eq!(
        reason(&held, "web").as_deref(),
        Some("waiting for the fleet")
    );
    held.synced(7, 12, "boot 1");
    held.save();
    assert_eq!(reason(&held, "web"), None);
    let held = host.load();
    assert!(!held.is_new_boot("boot 1") && held.is_new_boot("boot 2"));
    assert_eq!(held.place(), (7, 12));
    held.wait_until(unix_now() - 1.0);
    assert_eq!(reason(&held, "web"), None);
}

#[test]
fn an_entry_that_somebody_put_there_by_hand_is_not_removed() {
    let host = Host::new();
    fs::write(host.path("web"), "by hand").unwrap();
    let mut held = host.load();
    held.look();
    give(&mut held, &up(1, "web", "*"));
    assert_eq!(reason(&held, "web").as_deref(), Some("by hand"));
}
