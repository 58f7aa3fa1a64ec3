//! An order: what one key is to be on the hosts that a selector names. A register in the engine holds the last one, down
//! or up, for ever.
//!
//! Rule: of two orders the newer one is decided by their own stamps, never by when they were read.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::records::{Record, RecordError, VALUE_MAX, Version, WaivedOrder};
use super::selector::Selector;
use crate::names::Key;
use crate::spool::Mark;

/// The last stamp, in microseconds of unix time: what every reader of JSON can hold, in the year 2255.
pub const AT_MAX: u64 = (1 << 53) - 1;

/// What a host may claim to hold: there is room for later orders above it. With a stamp near the end of time a single
/// host could take the order from all later ones, as all would have the last stamp.
pub(crate) const AT_CREDIBLE: u64 = AT_MAX - 1_000_000_000_000;

/// Whether an order takes down, or lifts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderState {
    /// Hosts that are selected take the key down.
    Down,
    /// They lift what this register ordered before.
    Up,
}

impl OrderState {
    /// As it is shown, and as JSON has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

/// An order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The form of the record.
    pub v: Version,
    /// What tells it from every other order.
    pub id: String,
    /// When it was given, in microseconds of unix time; later than what it replaces, whatever the clocks say.
    pub at: u64,
    /// Down or up.
    pub state: OrderState,
    /// What is ordered down or up.
    #[serde(with = "key_text")]
    pub key: Key,
    /// On which hosts.
    #[serde(rename = "where", default)]
    pub selector: Selector,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Who, as the command line says.
    #[serde(default)]
    pub by: String,
    /// The host of the command line.
    #[serde(default)]
    pub from: String,
    /// When the downtime began, in seconds of unix time.
    #[serde(default)]
    pub creation: Option<f64>,
    /// When it ends, in seconds of unix time; never where there is none.
    #[serde(default)]
    pub expiration: Option<f64>,
    /// Told by 404, as `hadown --soft`.
    #[serde(default)]
    pub soft: bool,
    /// Told by weights, as `hadown --drain`.
    #[serde(default)]
    pub drain: bool,
    /// How many hosts were selected when it was given: reports are spread the wider the more they are.
    #[serde(default)]
    pub hosts: u64,
}

impl Order {
    /// A new order, given now by nobody for no reason; `at` is [`next_at`]'s.
    #[must_use]
    pub fn new(at: u64, state: OrderState, key: Key, selector: Selector) -> Self {
        Self {
            v: Version,
            id: new_id(at),
            at,
            state,
            key,
            selector,
            reason: String::new(),
            by: String::new(),
            from: String::new(),
            creation: None,
            expiration: None,
            soft: false,
            drain: false,
            hosts: 0,
        }
    }

    /// Reads the value of the register of a key and a selector.
    ///
    /// # Errors
    /// Why it is no order for this register; what is held then stays held.
    pub fn read(key: &Key, selector: &Selector, value: &[u8]) -> Result<Self, RecordError> {
        let order = Self::parse(value)?;
        // A value that was copied to another key would else be obeyed as two orders, of which a lift lifts one.
        if order.key != *key || order.selector != *selector {
            return Err(RecordError::Elsewhere(order.register()));
        }

        // Nothing could be newer than the end of time, so that nothing could lift it.
        if order.at > AT_MAX {
            return Err(RecordError::Content(
                "its time is past the year 2255".to_owned(),
            ));
        }

        Ok(order)
    }

    /// Its register among the orders of the fleet: `web/zone=a`.
    #[must_use]
    pub fn register(&self) -> String {
        register(&self.key, &self.selector)
    }

    /// Whether it is the newer one. Of two with the same stamp, their ids decide, on every host alike.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        // Whole microseconds: as floats two stamps lost a bit on their way through JSON, and compared as equal.
        (self.at, &self.id) > (other.at, &other.id)
    }

    /// Whether it holds a key down at a time of the wall clock, in seconds of unix time.
    #[must_use]
    pub fn holds(&self, now: f64) -> bool {
        let is_over = self.expiration.is_some_and(|end| end < now);
        self.state == OrderState::Down && !is_over
    }

    /// How it is told to load balancers, if not as usual.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        match (self.soft, self.drain) {
            (true, _) => Some(Mark::Soft),
            (false, true) => Some(Mark::Drain),
            (false, false) => None,
        }
    }

    /// The waiver among those of a host, by register, that is for it.
    #[must_use]
    pub fn waiver<'w>(
        &self,
        waivers: &'w BTreeMap<String, WaivedOrder>,
    ) -> Option<&'w WaivedOrder> {
        let waiver = waivers.get(&self.register())?;
        // By the id: the next order of this register is one that the host obeys again.
        (waiver.order == self.id).then_some(waiver)
    }

    /// The JSON for the engine. A reason that is too long for it is cut.
    #[must_use]
    pub fn to_value(&self) -> String {
        let mut order = self.clone();
        loop {
            let json = order.to_json();
            // Longer ones no host would read, and each would hold what it held before.
            let excess = json.len().saturating_sub(VALUE_MAX);
            if excess == 0 || order.reason.is_empty() {
                return json;
            }
            // An escaped character has six bytes at most, so this never cuts more than is needed by much.
            cut(&mut order.reason, excess.div_ceil(6));
        }
    }
}

/// Cuts so many bytes off a text at least, between characters.
fn cut(text: &mut String, bytes: usize) {
    let mut end = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }

    text.truncate(end);
}

impl Record for Order {}

/// The register of a key and a selector, among the orders of a fleet.
#[must_use]
pub fn register(key: &Key, selector: &Selector) -> String {
    format!("{key}/{selector}")
}

/// The stamp of a new order: later than now, than its register's and than what any host reports for it, so that clocks
/// that differ lose no order.
#[must_use]
pub fn next_at(now: u64, known: impl IntoIterator<Item = u64>) -> u64 {
    // What nobody could have given is no reason to lose all later orders.
    let known = known.into_iter().filter(|at| *at < AT_MAX);
    let last = known.fold(now, u64::max);
    last.saturating_add(1).min(AT_MAX)
}

/// The wall clock, in microseconds of unix time.
#[must_use]
pub fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.unwrap_or_default().as_micros();
    u64::try_from(micros).unwrap_or(AT_MAX)
}

/// Microseconds as seconds.
#[must_use]
#[allow(clippy::cast_precision_loss)] // a loss is less than a microsecond until the year 2255
pub fn in_seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// `1795632137020409-3fa9`.
fn new_id(at: u64) -> String {
    format!("{at}-{:04x}", random_word())
}

/// A number that differs from process to process and from call to call; not a secret.
#[must_use]
pub fn random_word() -> u16 {
    // Each state has keys of its own, of a seed of the kernel's.
    let word = RandomState::new().hash_one(0u8);
    u16::try_from(word & 0xffff).unwrap_or_default()
}

/// Between half of a time and all of it, so that many hosts do not come at once.
pub(super) fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.5 + random_part() / 2.0)
}

/// A number from 0 to 1 that differs as [`random_word`] does.
pub(super) fn random_part() -> f64 {
    f64::from(random_word()) / f64::from(u16::MAX)
}

/// Keys as the names of their spool files.
pub(super) mod key_text {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::names::Key;

    pub(crate) fn serialize<S: Serializer>(key: &Key, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&key.file_name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        let text = String::deserialize(deserializer)?;
        let key = Key::parse(&text).map_err(D::Error::custom)?;
        // `web:080` would be another order than `web:80`, and hold the same file.
        match key.file_name() == text {
            true => Ok(key),
            false => Err(D::Error::custom("the key is not in its usual form")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"{"v":1,"id":"1795632137020409-3fa9","at":1795632137020409,"state":"down","key":"web","where":{"zone":["a"]},
        "reason":"new disk","by":"alice","from":"ops1","creation":1795632137.0,"expiration":1795639337.0,"soft":false,"drain":false,"hosts":40}"#;

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    fn selector(text: &str) -> Selector {
        Selector::parse(text).unwrap()
    }

    fn order(at: u64, id: &str) -> Order {
        let mut order = Order::new(at, OrderState::Down, key("web"), selector("*"));
        order.id = id.to_owned();
        order
    }

    #[test]
    fn an_order_is_read_as_specified_and_written_as_it_was_read() {
        let order = Order::read(&key("web"), &selector("zone=a"), EXAMPLE.as_bytes()).unwrap();
        assert_eq!(order.id, "1795632137020409-3fa9");
        assert_eq!((order.at, order.hosts), (1_795_632_137_020_409, 40));
        assert_eq!(order.register(), "web/zone=a");
        let again = Order::read(&order.key, &order.selector, order.to_value().as_bytes());
        assert_eq!(again.unwrap(), order);
    }

    #[test]
    fn unknown_fields_are_ignored_and_missing_ones_have_a_meaning() {
        let short = r#"{"v":1,"id":"5-a","at":5,"state":"up","key":"web:80","new":[1]}"#;
        let order = Order::read(&key("web:80"), &selector("*"), short.as_bytes()).unwrap();
        assert_eq!(
            (order.state, order.expiration, order.soft),
            (OrderState::Up, None, false)
        );
    }

    #[test]
    fn what_is_no_order_is_an_error_that_says_why() {
        let long = "x".repeat(VALUE_MAX);
        for (from, to, error) in [
            (r#""v":1"#, r#""v":2"#, "version 2 is not known"),
            (r#""v":1,"#, "", "missing field `v`"),
            (r#""v":1"#, r#""v":"1""#, "expected version 1"),
            (r#""down""#, r#""drained""#, "unknown variant `drained`"),
            ("web", "../web", "a service name cannot hold '/'"),
            ("web", "web:080", "not in its usual form"),
            ("web", "api", "it is for api/zone=a"),
            (r#"["a"]"#, r#"["b"]"#, "it is for web/zone=b"),
            (r#""at":1"#, r#""at":9991"#, "past the year 2255"),
            (r#""at":1"#, r#""at":-1"#, "invalid value"),
            ("new disk", &long, "at most 65536"),
        ] {
            is_no_order(&EXAMPLE.replace(from, to), error);
        }
        is_no_order("", "EOF");
        is_no_order("[]", "invalid length");
        is_no_order("\u{0}", "expected value");
    }

    #[track_caller]
    fn is_no_order(value: &str, error: &str) {
        let read = Order::read(&key("web"), &selector("zone=a"), value.as_bytes());
        let said = read.unwrap_err().to_string();
        assert!(said.contains(error), "{said:?} for {value:.99}");
    }

    #[test]
    fn of_two_orders_exactly_one_is_newer() {
        let orders = [order(1, "b"), order(2, "a"), order(2, "b"), order(3, "")];
        for (i, one) in orders.iter().enumerate() {
            for (k, other) in orders.iter().enumerate() {
                assert_eq!(one.is_newer_than(other), i > k, "{i} {k}");
            }
        }
    }

    #[test]
    fn a_new_order_is_later_than_all_that_is_known_whatever_the_clock_says() {
        for (now, known, next) in [
            (100, &[][..], 101),
            (100, &[50, 99], 101),
            (100, &[500, 7], 501),
            (0, &[], 1),
            (100, &[AT_MAX, u64::MAX], 101),
            (100, &[AT_MAX - 1], AT_MAX),
        ] {
            assert_eq!(next_at(now, known.iter().copied()), next);
        }
    }

    #[test]
    fn an_order_holds_until_its_end_and_a_lift_holds_nothing() {
        let mut down = order(1, "a");
        assert!(down.holds(1e12));
        down.expiration = Some(100.0);
        assert!(down.holds(100.0) && !down.holds(100.1));
        down.state = OrderState::Up;
        assert!(!down.holds(1.0));
    }

    #[test]
    fn a_reason_is_cut_so_that_the_record_fits() {
        for text in ["x", "é", "\n", "\u{1}", "𝄞"] {
            let mut order = order(1, "a");
            order.reason = text.repeat(VALUE_MAX);
            let value = order.to_value();
            assert!(
                value.len() <= VALUE_MAX && value.len() > VALUE_MAX - 400,
                "{}",
                value.len()
            );
            assert!(
                Order::parse(value.as_bytes())
                    .unwrap()
                    .reason
                    .starts_with(text)
            );
        }
    }

    #[test]
    fn waits_differ_within_their_bounds() {
        const LONGEST: Duration = Duration::from_secs(30);
        let waits: Vec<Duration> = (0..100).map(|_| jittered(LONGEST)).collect();
        assert!(
            waits
                .iter()
                .all(|wait| *wait >= LONGEST / 2 && *wait <= LONGEST)
        );
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }

    #[test]
    fn ids_differ_and_begin_with_their_stamp() {
        let ids: std::collections::BTreeSet<String> = (0..50).map(|_| new_id(7)).collect();
        assert!(ids.len() > 40, "{ids:?}");
        assert!(ids.iter().all(|id| id.starts_with("7-") && id.len() == 6));
    }
}
