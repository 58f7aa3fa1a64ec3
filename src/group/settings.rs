//! What describes a group: its checks, what must pass, when it is checked unasked, and what is done then.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::GroupCheck;
use crate::names::Key;
use crate::os::process::Argv;
use crate::probe::LONGEST;
use crate::settings::{
    Fields, Kind, Reader, command, list, quoted, read_part, seconds, settings, show_part, times,
};

/// Groups by name.
pub type Groups = BTreeMap<String, Group>;

/// Most checks of a group.
const CHECKS_MAX: usize = 256;

/// The longest time between two checks of a group, in seconds: 30 days.
const LONGEST_WAIT: f64 = 2_592_000.0;

settings! {
    /// A named set of checks.
    pub struct Group {
        /// Its checks, one at least.
        checks: Vec<GroupCheck> = Vec::new(), checks();
        /// How many of them must pass.
        require: Require = Require::All, require(), read_by(read_require);
        /// The deadline of each check, in place of the usual one.
        timeout: Option<Duration> = None, seconds(0.001, LONGEST).or_unset();
        /// An address where any URL asks for this group.
        listen: Option<SocketAddr> = None, listen().or_unset();
        /// How often it is checked unasked.
        every: Option<Duration> = None, seconds(0.05, LONGEST_WAIT).or_unset();
        /// Results in a row until it is up.
        rise: u32 = 1, times(1000);
        /// Results in a row until it is down.
        fall: u32 = 1, times(1000);
        /// What is run when it gets up, one after the other.
        on_up: Vec<Argv> = Vec::new(), action();
        /// What is run when it gets down, one after the other.
        on_down: Vec<Argv> = Vec::new(), action();
        /// How long each of them may take.
        action_timeout: Duration = Duration::from_secs(60), seconds(0.05, 86_400.0);
        /// The spool entry that is down while the group is.
        down_spool: Option<String> = None, spool_entry().or_unset();
        /// Whether the actions are run after every check, not only after a change.
        repeat: bool = false;
    }
}

/// How many checks of a group must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// Every one.
    All,
    /// One at least.
    Any,
    /// So many.
    Number(usize),
}

impl Require {
    /// The number, for a group of so many checks.
    #[must_use]
    pub fn of(self, checks: usize) -> usize {
        match self {
            Self::All => checks,
            Self::Any => 1,
            Self::Number(n) => n,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::All => "all".into(),
            Self::Any => "any".into(),
            Self::Number(n) => n.to_string(),
        }
    }
}

impl Group {
    /// Reads a group, or notes faults.
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        let (group, fields) = read_part(&Self::table(), reader)?;
        // Counted in the file: checks that are at fault are missing from the group.
        check_count(&fields, reader);
        if fields.get("every").is_none() {
            warn_of_idle_settings(&fields);
        }

        Some(group)
    }

    /// The group as YAML.
    #[must_use]
    pub fn show(&self) -> String {
        show_part(&Self::table(), self)
    }
}

/// Notes a fault where there are no checks, or too many to be run at once.
fn check_count(fields: &Fields<'_>, reader: &Reader<'_>) {
    match fields.get("checks").map(Reader::item_count) {
        None => {
            reader.fault_of_key("has no checks", "write checks: [tcp://localhost:5432]");
        }
        Some(1..=CHECKS_MAX) => {}
        Some(count) => {
            let what = format_args!("has {count} checks");
            reader.fault_of_key(what, format_args!("write 1 to {CHECKS_MAX}"));
        }
    }
}

/// What does nothing without `every`.
fn warn_of_idle_settings(fields: &Fields<'_>) {
    for reader in IDLE.into_iter().filter_map(|key| fields.get(key)) {
        reader.warn("this does nothing without 'every', since the group is checked only when it is asked for");
    }
}

/// The settings of a watch.
const IDLE: [&str; 6] = [
    "rise",
    "fall",
    "on_up",
    "on_down",
    "action_timeout",
    "down_spool",
];

fn checks() -> Kind<Vec<GroupCheck>> {
    let read = |reader: &Reader<'_>| reader.each(read_check);
    Kind::new("list of checks", read, |checks| show_checks(checks))
}

fn show_checks(checks: &[GroupCheck]) -> String {
    let texts: Vec<_> = checks.iter().map(|check| &check.text).collect();
    list(&texts)
}

fn read_check(reader: &Reader<'_>) -> Option<GroupCheck> {
    let text = reader.text()?;
    match GroupCheck::parse(&text) {
        Ok(check) => Some(check),
        // Reported by the reader, which removes a password from what it quotes.
        Err(e) => {
            reader.fault(e.what, e.remedy);
            None
        }
    }
}

fn require() -> Kind<Require> {
    Kind::shown("number, `all` or `any`", |require: &Require| require.show())
}

fn read_require(group: &mut Group, reader: &Reader<'_>) {
    if let Some(require) = required(group.checks.len(), reader) {
        group.require = require;
    }
}

fn required(checks: usize, reader: &Reader<'_>) -> Option<Require> {
    let require = match reader.word().as_deref() {
        Some("all") => Require::All,
        Some("any") => Require::Any,
        _ => Require::Number(required_number(checks, reader)?),
    };
    Some(require)
}

fn required_number(checks: usize, reader: &Reader<'_>) -> Option<usize> {
    // Where the checks are at fault, their number is not known.
    let most = if checks == 0 { CHECKS_MAX } else { checks };
    let or = ", the number of checks, or 'all' or 'any'";
    let number = reader.whole_or(1, most as u64, or)?;
    usize::try_from(number).ok()
}

fn listen() -> Kind<SocketAddr> {
    let show = |address: &SocketAddr| quoted(&address.to_string());
    Kind::new("address and port", read_listen, show)
}

fn read_listen(reader: &Reader<'_>) -> Option<SocketAddr> {
    let remedy = "write address and port, such as 0.0.0.0:5500 or [::]:5500";
    reader.parsed("is no address to listen on", remedy, |text| {
        let address: SocketAddr = text.trim().parse().ok()?;
        // Of port 0 the kernel would choose one that nobody knows.
        (address.port() != 0).then_some(address)
    })
}

/// A command to run; heartbeat's file may have several.
fn action() -> Kind<Vec<Argv>> {
    let read = |reader: &Reader<'_>| Some(vec![command(reader)?]);
    Kind::new("command", read, |commands| show_action(commands))
}

fn show_action(commands: &[Argv]) -> String {
    // The YAML of a group allows one command; several come from heartbeat's own file.
    match commands.first() {
        Some(command) => list(command.words()),
        None => "null".into(),
    }
}

fn spool_entry() -> Kind<String> {
    let show = |name: &String| quoted(name);
    Kind::new("service, or service:port", read_spool_entry, show)
}

fn read_spool_entry(reader: &Reader<'_>) -> Option<String> {
    let remedy = "write the name of a service, or service:port";
    reader.parsed("cannot be a downtime", remedy, |text| {
        let key = Key::parse(text).ok()?;
        // In the spool's own form, which leaves 127.0.0.1 out.
        Some(key.file_name())
    })
}
