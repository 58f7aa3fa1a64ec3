//! What heartbeat's file says, as a group to watch.
//!
//! Rule: everything that is wrong with a file is told at once, each with its line.

mod checks;
mod place;

use std::path::PathBuf;
use std::time::Duration;

use super::ini::{Ini, IniFault, IniValue, short};
use crate::group::Group;
use crate::names::nearest::nearest;
use crate::names::sort::sort_by_key;
use crate::probe::Headers;

/// The options of a check.
const CHECK_OPTIONS: [&str; 8] = [
    "type", "hostname", "port", "path", "timeout", "action", "verify", "ca_file",
];

/// The options of `[general]`.
const GENERAL_OPTIONS: [&str; 14] = [
    "user",
    "group",
    "logfile",
    "loglevel",
    "pidfile",
    "threads",
    "daemonize",
    "interval",
    "repeat",
    "rise",
    "fall",
    "action_timeout",
    "verify",
    "ca_file",
];

/// The file's content.
#[derive(Debug)]
pub(super) struct HeartbeatSettings {
    /// The user to become.
    pub(super) user: Option<String>,
    /// The group to become.
    pub(super) group: Option<String>,
    pub(super) log_file: PathBuf,
    /// What is logged, in words.
    pub(super) log_level: String,
    /// The lock.
    pub(super) pid_file: PathBuf,
    /// Whether to go on in the background.
    pub(super) daemonize: bool,
    /// Its checks and actions; `every` is the interval.
    pub(super) watch: Group,
    /// What is to know of each check besides, in their order.
    pub(super) manners: Vec<CheckManner>,
    /// What is odd.
    pub(super) warnings: Vec<IniFault>,
}

/// How one check is asked, and what is said of it, besides what a group's check holds.
#[derive(Debug)]
pub(super) struct CheckManner {
    /// The section.
    pub(super) name: String,
    /// Whether it may come to TLS.
    pub(super) kind: CheckKind,
    /// The request headers.
    pub(super) headers: Headers,
    /// The line of the log, up to the status.
    pub(super) told: String,
    pub(super) trust: Trust,
}

/// The types of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckKind {
    Http,
    Https,
    Tcp,
}

/// Which certificates count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trust {
    pub(super) verify: bool,
    /// Those to trust; the system's where there is none.
    pub(super) ca_file: Option<PathBuf>,
}

impl Trust {
    pub(super) const NONE: Self = Self {
        verify: false,
        ca_file: None,
    };
}

/// Reads a file's text.
pub(super) fn read(text: &str) -> Result<HeartbeatSettings, Vec<IniFault>> {
    let (ini, faults) = Ini::parse(text);
    let mut reader = SettingsReader {
        ini: &ini,
        faults,
        warnings: Vec::new(),
    };

    let mut settings = reader.general();
    reader.checks(&mut settings);
    reader.warn_of_unknown();
    if reader.faults.is_empty() {
        settings.warnings = reader.warnings;
        return Ok(settings);
    }

    // A value of [DEFAULT] that is wrong is found once in each section that uses it.
    sort_by_key(&mut reader.faults, |fault| fault.line);
    reader.faults.dedup();
    Err(reader.faults)
}

struct SettingsReader<'a> {
    ini: &'a Ini,
    faults: Vec<IniFault>,
    warnings: Vec<IniFault>,
}

impl SettingsReader<'_> {
    fn fault(&mut self, line: usize, text: impl Into<String>) {
        let text = text.into();
        self.faults.push(IniFault { line, text });
    }

    fn get(&mut self, section: &str, name: &str) -> Option<IniValue> {
        match self.ini.get(section, name) {
            Ok(value) => value,
            Err(fault) => {
                self.faults.push(fault);
                None
            }
        }
    }

    /// A value that `parse` takes; one that it does not take is a fault.
    fn parsed<T>(
        &mut self,
        section: &str,
        name: &str,
        remedy: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(section, name)?;
        let parsed = parse(value.text.trim());
        if parsed.is_none() {
            let shown = short(&value.text);
            let what = format!("[{section}] {name}: '{shown}' is not valid; {remedy}");
            self.fault(value.line, what);
        }

        parsed
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let value = self.get("general", name)?;
        Some(value.text).filter(|text| !text.is_empty())
    }

    fn text_or(&mut self, name: &str, default: &str) -> String {
        let text = self.text(name);
        text.unwrap_or_else(|| default.to_owned())
    }

    /// A user's or a group's name; `None` is the word for none.
    fn owner(&mut self, name: &str) -> Option<String> {
        self.text(name).filter(|owner| owner != "None")
    }

    fn is_set(&mut self, name: &str) -> bool {
        let set = self.parsed("general", name, "write yes or no", boolean);
        set.unwrap_or(false)
    }

    fn number(&mut self, name: &str, default: u32) -> u32 {
        let remedy = "write a whole number from 1 to 1000000";
        let number = self.parsed("general", name, remedy, whole);
        number.unwrap_or(default)
    }

    fn seconds(&mut self, name: &str, default: u32) -> Duration {
        Duration::from_secs(self.number(name, default).into())
    }

    fn general(&mut self) -> HeartbeatSettings {
        if !self.ini.sections().any(|(name, _)| name == "general") {
            self.fault(1, "there is no section [general]; add it");
        }

        // All checks run at the same time; the number must make sense all the same.
        self.number("threads", 1);
        HeartbeatSettings {
            user: self.owner("user"),
            group: self.owner("group"),
            log_file: self.text_or("logfile", "heartbeat.log").into(),
            log_level: self.text_or("loglevel", "info"),
            pid_file: self.text_or("pidfile", "heartbeat.pid").into(),
            daemonize: self.is_set("daemonize"),
            watch: self.rhythm(),
            manners: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// A group without checks: how often it is asked, and when it acts.
    fn rhythm(&mut self) -> Group {
        Group {
            every: Some(self.seconds("interval", 60)),
            rise: self.number("rise", 1),
            fall: self.number("fall", 1),
            action_timeout: self.seconds("action_timeout", 60),
            repeat: self.is_set("repeat"),
            ..Group::default()
        }
    }

    /// Names that do nothing are slips of the finger; those that are near to none may be there for
    /// `%(name)s`.
    fn warn_of_unknown(&mut self) {
        for (section, _) in self.ini.sections() {
            let Some(known) = options_of(section) else {
                continue;
            };
            for name in self.ini.own_names(section) {
                if !known.contains(&name) {
                    self.warn_if_near(section, name, known);
                }
            }
        }
    }

    fn warn_if_near(&mut self, section: &str, name: &str, known: &[&str]) {
        if let Some(near) = nearest(name, known.iter().copied()) {
            let line = self.line_of(section, name);
            let text = format!("[{section}] {name} does nothing; did you mean {near}?");
            self.warnings.push(IniFault { line, text });
        }
    }

    fn line_of(&self, section: &str, name: &str) -> usize {
        match self.ini.get(section, name) {
            Ok(Some(value)) => value.line,
            _ => 1,
        }
    }
}

/// The options that a section may have; `None` where any name is one.
fn options_of(section: &str) -> Option<&'static [&'static str]> {
    match section {
        "general" => Some(&GENERAL_OPTIONS),
        // Names of actions, which the file itself makes up.
        "promotions" | "demotions" => None,
        _ => Some(&CHECK_OPTIONS),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Some(true),
        "0" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

fn whole(text: &str) -> Option<u32> {
    let number = text.parse().ok()?;
    (1..=1_000_000).contains(&number).then_some(number)
}
