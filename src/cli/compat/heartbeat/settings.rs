//! What heartbeat's file says, as a group to watch.
//!
//! Rule: everything that is wrong with a file is told at once, each with its line.

use std::path::PathBuf;
use std::time::Duration;

use hyper::http::uri::PathAndQuery;

use super::ini::{Ini, IniFault, IniValue, short};
use crate::group::{Group, GroupCheck};
use crate::names::nearest::nearest;
use crate::net::Host;
use crate::os::process::Argv;

/// The sections that are no checks.
const OTHER_SECTIONS: [&str; 3] = ["general", "promotions", "demotions"];

/// The options of a check.
const CHECK_OPTIONS: [&str; 6] = ["type", "hostname", "port", "path", "timeout", "action"];

/// The protocols of checks.
const CHECK_TYPES: [&str; 3] = ["http", "https", "tcp"];

/// The options of `[general]`.
const GENERAL_OPTIONS: [&str; 12] = [
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
];

/// How long a check may take unless told otherwise, in seconds.
const TIMEOUT: u32 = 5;

/// The longest timeout of a check, in seconds.
const TIMEOUT_MAX: u32 = 3600;

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
    /// What is odd.
    pub(super) warnings: Vec<IniFault>,
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
    reader.checks(&mut settings.watch);
    reader.warn_of_unknown();
    if reader.faults.is_empty() {
        settings.warnings = reader.warnings;
        return Ok(settings);
    }
    // A value of [DEFAULT] that is wrong is found once in each section that uses it.
    reader.faults.sort_by_key(|fault| fault.line);
    reader.faults.dedup();
    Err(reader.faults)
}

struct SettingsReader<'a> {
    ini: &'a Ini,
    faults: Vec<IniFault>,
    warnings: Vec<IniFault>,
}

/// An action that checks name, and the line of the first one that does.
struct NamedAction {
    name: String,
    line: usize,
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

    fn checks(&mut self, watch: &mut Group) {
        let mut actions = Vec::new();
        for (section, line) in self.ini.sections() {
            if !OTHER_SECTIONS.contains(&section) {
                watch.checks.extend(self.check(section, line));
                self.name_action(section, line, &mut actions);
            }
        }
        if watch.checks.is_empty() && self.faults.is_empty() {
            let example = "add a section such as [web] with type, hostname and port";
            self.fault(1, format!("there is no check; {example}"));
        }
        watch.on_up = self.commands("promotions", &actions);
        watch.on_down = self.commands("demotions", &actions);
    }

    /// What the actions do in one of the two sections. Two names may stand for one command, which
    /// is run once.
    fn commands(&mut self, section: &str, actions: &[NamedAction]) -> Vec<Argv> {
        let mut commands = Vec::new();
        for action in actions {
            if let Some(command) = self.command(section, action)
                && !commands.contains(&command)
            {
                commands.push(command);
            }
        }
        commands
    }

    /// Adds the action that a check names to those that other checks name.
    fn name_action(&mut self, section: &str, line: usize, actions: &mut Vec<NamedAction>) {
        let Some(value) = self.get(section, "action") else {
            return self.fault(
                line,
                format!("[{section}] has no action; name one of [promotions] and [demotions]"),
            );
        };
        let name = value.text.to_lowercase();
        if !actions.iter().any(|known| known.name == name) {
            let line = value.line;
            actions.push(NamedAction { name, line });
        }
    }

    fn command(&mut self, section: &str, action: &NamedAction) -> Option<Argv> {
        let name = action.name.as_str();
        if !self.ini.own_names(section).contains(&name) {
            let what =
                format!("action '{name}' is not in [{section}]; add it there, or correct the name");
            self.fault(action.line, what);
            return None;
        }
        let value = self.get(section, name)?;
        match Argv::split(&value.text) {
            Ok(command) => Some(command),
            Err(what) => {
                let text = &value.text;
                let what = format!("[{section}] {name}: '{text}' {what}; write a command");
                self.fault(value.line, what);
                None
            }
        }
    }

    fn check(&mut self, section: &str, line: usize) -> Option<GroupCheck> {
        let protocol = self.parsed(section, "type", "write http, https or tcp", check_type);
        let host = self.parsed(section, "hostname", "write a host name or an address", host);
        let port = self.parsed(section, "port", "write a number from 1 to 65535", port);
        let limit = self.timeout(section);
        let path = self.parsed(section, "path", "write one such as /health", path);
        self.require(section, line, &["type", "hostname", "port"]);
        let (protocol, host, port) = (protocol?, host?, port?);
        let path = path.unwrap_or("/".to_owned());
        // A path means nothing to a TCP check.
        let (path, shown) = match protocol {
            "tcp" => ("/".to_owned(), String::new()),
            _ => (path.clone(), path),
        };
        Some(GroupCheck {
            text: format!("{section} {protocol}://{host}:{port}{shown}"),
            protocol,
            host,
            port,
            path,
            limit: Some(limit),
        })
    }

    fn timeout(&mut self, section: &str) -> Duration {
        let remedy = "write a number of seconds from 1 to 3600";
        let seconds = self.parsed(section, "timeout", remedy, timeout);
        Duration::from_secs(seconds.unwrap_or(TIMEOUT).into())
    }

    fn require(&mut self, section: &str, line: usize, names: &[&str]) {
        for name in names {
            if matches!(self.ini.get(section, name), Ok(None)) {
                let what = format!("[{section}] has no {name}; add it here or to [DEFAULT]");
                self.fault(line, what);
            }
        }
    }

    /// Names that do nothing are slips of the finger; those that are near to none may be there for
    /// `%(name)s`.
    fn warn_of_unknown(&mut self) {
        for (section, _) in self.ini.sections() {
            let known: &[&str] = match section {
                "general" => &GENERAL_OPTIONS,
                "promotions" | "demotions" => continue,
                _ => &CHECK_OPTIONS,
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
            let line = match self.ini.get(section, name) {
                Ok(Some(value)) => value.line,
                _ => 1,
            };
            let text = format!("[{section}] {name} does nothing; did you mean {near}?");
            self.warnings.push(IniFault { line, text });
        }
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

fn check_type(text: &str) -> Option<&'static str> {
    let mut types = CHECK_TYPES.into_iter();
    types.find(|name| name.eq_ignore_ascii_case(text))
}

fn host(text: &str) -> Option<Host> {
    let host = Host::parse(text).ok()?;
    Some(host.or_local())
}

fn port(text: &str) -> Option<u16> {
    let port = text.parse().ok()?;
    (port > 0).then_some(port)
}

fn timeout(text: &str) -> Option<u32> {
    whole(text).filter(|seconds| *seconds <= TIMEOUT_MAX)
}

fn path(text: &str) -> Option<String> {
    let path = if text.starts_with('/') {
        text.to_owned()
    } else {
        format!("/{text}")
    };
    path.parse::<PathAndQuery>().is_ok().then_some(path)
}
