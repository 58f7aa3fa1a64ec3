//! The keys of a fleet in the engine: `P/orders/web/*`, `P/hosts/web01`, and their like, where P is prefix and fleet.
//!
//! Rule: a host's name stands in front of a key, so that one prefix for each host can be granted.

use super::order::{random_word, register};
use super::records::is_host_name;
use super::rolls::{ID_BEGIN, RollId};
use super::selector::Selector;
use crate::names::Key;

/// The keys of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    root: String,
}

impl Paths {
    /// The keys of a fleet under a prefix such as `/hacheck/v1`.
    #[must_use]
    pub fn new(prefix: &str, fleet: &str) -> Self {
        let prefix = prefix.trim_end_matches('/');
        Self {
            root: format!("{prefix}/{fleet}"),
        }
    }

    /// The root, without a slash behind it.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    fn folder(&self, name: &str) -> String {
        format!("{}/{name}/", self.root)
    }

    /// In which of the fleet's folders a key is: `hosts`; empty when it is in none.
    pub(super) fn folder_of<'p>(&self, path: &'p [u8]) -> &'p str {
        let text = str::from_utf8(path).unwrap_or_default();
        let rest = text.strip_prefix(&self.root).unwrap_or_default();
        // With the slash, as the name of another fleet may begin with this one's.
        let rest = rest.strip_prefix('/').unwrap_or_default();
        rest.split('/').next().unwrap_or_default()
    }

    /// The prefix of all orders.
    #[must_use]
    pub fn orders(&self) -> String {
        self.folder("orders")
    }

    /// The register of a key and a selector.
    #[must_use]
    pub fn order(&self, key: &Key, selector: &Selector) -> String {
        self.orders() + &register(key, selector)
    }

    /// Key and selector of a register; `None` when it is of something else, or not in its canonical form.
    #[must_use]
    pub fn read_order(&self, path: &[u8]) -> Option<(Key, Selector)> {
        let path = str::from_utf8(path).ok()?;
        let rest = path.strip_prefix(&self.orders())?;
        let (key, selector) = rest.split_once('/')?;
        let key = Key::parse(key).ok()?;
        let selector = Selector::parse(selector).ok()?;
        // In another form it would be a second register of the same, which no lift would find.
        let is_canonical = register(&key, &selector) == rest;
        is_canonical.then_some((key, selector))
    }

    /// The prefix of what hosts say of themselves.
    #[must_use]
    pub fn hosts(&self) -> String {
        self.folder("hosts")
    }

    /// What a host says of itself.
    #[must_use]
    pub fn host(&self, host: &str) -> String {
        self.hosts() + host
    }

    /// The prefix of the hosts that are alive.
    #[must_use]
    pub fn all_alive(&self) -> String {
        self.folder("alive")
    }

    /// Whether a host is alive.
    #[must_use]
    pub fn alive(&self, host: &str) -> String {
        self.all_alive() + host
    }

    /// The prefix of all reports of downtimes.
    #[must_use]
    pub fn all_down(&self) -> String {
        self.folder("down")
    }

    /// The prefix of a host's reports of downtimes.
    #[must_use]
    pub fn down_of(&self, host: &str) -> String {
        format!("{}{host}/", self.all_down())
    }

    /// The report of a host's downtime.
    #[must_use]
    pub fn down(&self, host: &str, key: &Key) -> String {
        format!("{}{key}", self.down_of(host))
    }

    /// The prefix of all slots.
    #[must_use]
    pub fn slots(&self) -> String {
        self.folder("slots")
    }

    /// The prefix of a host's slots.
    #[must_use]
    pub fn slots_of(&self, host: &str) -> String {
        format!("{}{host}/", self.slots())
    }

    /// A host's slot.
    #[must_use]
    pub fn slot(&self, host: &str, key: &Key) -> String {
        format!("{}{key}", self.slots_of(host))
    }

    /// What every grant of a slot writes.
    #[must_use]
    pub fn gate(&self) -> String {
        format!("{}/gate", self.root)
    }

    fn rolls(&self) -> String {
        self.folder("rolls")
    }

    /// The prefix of all rolls and their results: of all below `rolls/` but the locks.
    #[must_use]
    pub fn rolls_by_id(&self) -> String {
        self.rolls() + ID_BEGIN
    }

    /// A roll.
    #[must_use]
    pub fn roll(&self, id: &RollId) -> String {
        format!("{}{id}", self.rolls())
    }

    /// The prefix of a roll's results.
    #[must_use]
    pub fn roll_results(&self, id: &RollId) -> String {
        format!("{}/", self.roll(id))
    }

    /// How a roll ended on a host.
    #[must_use]
    pub fn roll_result(&self, id: &RollId, host: &str) -> String {
        self.roll_results(id) + host
    }

    /// The prefix of who rolls over the fleet now.
    #[must_use]
    pub fn roll_locks(&self) -> String {
        self.folder("rolls/lock")
    }

    /// Who rolls a key over the fleet now. No id of a roll is `lock`.
    #[must_use]
    pub fn roll_lock(&self, key: &Key) -> String {
        format!("{}{key}", self.roll_locks())
    }

    /// The prefix of the log.
    #[must_use]
    pub fn log(&self) -> String {
        self.folder("log")
    }

    /// A new line of the log, at a time in microseconds of unix time.
    #[must_use]
    pub fn log_line(&self, at: u64) -> String {
        format!("{}{at}-{:04x}", self.log(), random_word())
    }

    /// The host's name in a key under a prefix such as [`Paths::hosts`].
    #[must_use]
    pub fn read_host<'p>(&self, prefix: &str, path: &'p [u8]) -> Option<&'p str> {
        let path = str::from_utf8(path).ok()?;
        let host = path.strip_prefix(prefix)?;
        // It becomes a word of a command line: `-oProxyCommand=x` is no host.
        is_host_name(host).then_some(host)
    }

    /// The host's name and the key of the spool in a key under [`Paths::all_down`] or [`Paths::slots`].
    #[must_use]
    pub fn read_host_and_key<'p>(&self, prefix: &str, path: &'p [u8]) -> Option<(&'p str, Key)> {
        let path = str::from_utf8(path).ok()?;
        let rest = path.strip_prefix(prefix)?;
        let (host, key) = rest.split_once('/')?;
        let key = Key::parse(key).ok()?;
        is_host_name(host).then_some((host, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> Paths {
        Paths::new("/hacheck/v1/", "prod")
    }

    #[test]
    fn keys_are_as_specified() {
        let paths = paths();
        let web = Key::parse("web:80").unwrap();
        let zone = Selector::parse("zone=b,a;cluster!=blue").unwrap();
        let order = paths.order(&web, &zone);
        assert_eq!(
            order,
            "/hacheck/v1/prod/orders/web:80/cluster!=blue;zone=a,b"
        );
        assert_eq!(paths.host("web01"), "/hacheck/v1/prod/hosts/web01");
        assert_eq!(paths.alive("web01"), "/hacheck/v1/prod/alive/web01");
        assert_eq!(
            paths.down("web01", &web),
            "/hacheck/v1/prod/down/web01/web:80"
        );
        assert_eq!(
            paths.slot("web01", &web),
            "/hacheck/v1/prod/slots/web01/web:80"
        );
        assert_eq!(paths.gate(), "/hacheck/v1/prod/gate");
        let roll = RollId::parse("r-5k2").unwrap();
        assert_eq!(
            paths.roll_result(&roll, "web01"),
            "/hacheck/v1/prod/rolls/r-5k2/web01"
        );
        assert!(paths.log_line(5).starts_with("/hacheck/v1/prod/log/5-"));
    }

    #[test]
    fn registers_are_read_back_and_others_are_none() {
        let paths = paths();
        for key in ["web", "web:80", "web:10.0.0.7:80", "a b%c", "é"] {
            for selector in ["*", "zone=a", "cluster!=blue;zone=a,b", "rack=a%2Fb"] {
                let (key, selector) =
                    (Key::parse(key).unwrap(), Selector::parse(selector).unwrap());
                let path = paths.order(&key, &selector);
                assert_eq!(
                    paths.read_order(path.as_bytes()),
                    Some((key, selector)),
                    "{path}"
                );
            }
        }
        for path in [
            "/hacheck/v1/prod/orders/web",
            "/hacheck/v1/prod/orders/web/",
            "/hacheck/v1/prod/orders//*",
            "/hacheck/v1/prod/orders/web/zone=b,a",
            "/hacheck/v1/prod/orders/web/zone=a/b",
            "/hacheck/v1/prod/orders/web/*;zone=a",
            "/hacheck/v1/prod/orders/web:080/*",
            "/hacheck/v1/other/orders/web/*",
            "/hacheck/v1/prod/hosts/web01",
            "",
        ] {
            assert_eq!(paths.read_order(path.as_bytes()), None, "{path}");
        }
        assert_eq!(paths.read_order(b"/hacheck/v1/prod/orders/\xff/*"), None);
    }

    #[test]
    fn names_of_hosts_are_taken_only_where_a_command_line_can_have_them() {
        let paths = paths();
        for (path, host) in [
            (
                "/hacheck/v1/prod/hosts/web01.example.com",
                Some("web01.example.com"),
            ),
            ("/hacheck/v1/prod/hosts/-oProxyCommand=x", None),
            ("/hacheck/v1/prod/hosts/a;b", None),
            ("/hacheck/v1/prod/hosts/a/b", None),
            ("/hacheck/v1/prod/hosts/", None),
            ("/hacheck/v1/prod/alive/web01", None),
        ] {
            assert_eq!(
                paths.read_host(&paths.hosts(), path.as_bytes()),
                host,
                "{path}"
            );
        }
        let path = b"/hacheck/v1/prod/down/web01/web:80";
        let (host, key) = paths.read_host_and_key(&paths.all_down(), path).unwrap();
        assert_eq!((host, key.file_name().as_str()), ("web01", "web:80"));
    }
}
