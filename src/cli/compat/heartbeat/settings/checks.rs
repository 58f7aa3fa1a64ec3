//! The checks of heartbeat's file, and what is done when their state changes.

use std::time::Duration;

use super::place::{HostName, path};
use super::{CheckKind, CheckManner, HeartbeatSettings, SettingsReader, Trust, boolean};
use crate::group::GroupCheck;
use crate::os::process::Argv;

/// The sections that are no checks.
const OTHER_SECTIONS: [&str; 3] = ["general", "promotions", "demotions"];

/// How long a check may take unless told otherwise, in seconds.
const TIMEOUT: u32 = 5;

/// An action that checks name, and the line of the first one that does.
struct NamedAction {
    name: String,
    line: usize,
}

impl SettingsReader<'_> {
    pub(super) fn checks(&mut self, settings: &mut HeartbeatSettings) {
        let mut actions = Vec::new();
        for (section, line) in self.ini.sections() {
            if OTHER_SECTIONS.contains(&section) {
                continue;
            }
            if let Some((check, manner)) = self.check(section, line) {
                settings.watch.checks.push(check);
                settings.manners.push(manner);
            }
            self.name_action(section, line, &mut actions);
        }

        let watch = &mut settings.watch;
        // Where others are told, a check that is missing may be one of them.
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

        // As the names of options are kept.
        let name = value.text.to_lowercase();
        let is_known = actions.iter().any(|known| known.name == name);
        if !is_known {
            let line = value.line;
            actions.push(NamedAction { name, line });
        }
    }

    fn command(&mut self, section: &str, action: &NamedAction) -> Option<Argv> {
        let name = action.name.as_str();
        // One of `[DEFAULT]` does not count, as it would be found in both sections.
        if !self.ini.own_names(section).contains(&name) {
            let remedy = "add it there, or correct the name";
            self.fault(
                action.line,
                format!("action '{name}' is not in [{section}]; {remedy}"),
            );
            return None;
        }

        let value = self.get(section, name)?;
        match Argv::split_at_whitespace(&value.text) {
            Ok(command) => Some(command),
            Err(what) => {
                let text = &value.text;
                let what = format!("[{section}] {name}: '{text}' {what}; write a command");
                self.fault(value.line, what);
                None
            }
        }
    }

    fn check(&mut self, section: &str, line: usize) -> Option<(GroupCheck, CheckManner)> {
        // All are read before any is given up for, so that every fault of the section is told.
        let kind = self.parsed(section, "type", "write http, https or tcp", kind);
        let remedy = "write a host name or an address";
        let host = self.parsed(section, "hostname", remedy, HostName::parse);
        let port = self.parsed(section, "port", "write a number from 1 to 65535", port);
        let seconds = self.timeout(section);
        let path = self.parsed(section, "path", "write one such as /health", path);
        let trust = self.trust(section);
        self.require(section, line, &["type", "hostname", "port"]);
        let written = WrittenCheck {
            section,
            kind: kind?,
            host: host?,
            port: port?,
            seconds,
            path,
        };

        if written.kind == CheckKind::Tcp && written.host.has_user() {
            let what = "is a TCP check, and its hostname has a user; take it out";
            self.fault(line, format!("[{section}] {what}"));
            return None;
        }

        Some((written.check(), written.manner(trust)))
    }

    fn timeout(&mut self, section: &str) -> u32 {
        let remedy = "write a whole number of seconds, 1 at least";
        let seconds = self.parsed(section, "timeout", remedy, timeout);
        seconds.unwrap_or(TIMEOUT)
    }

    /// What the section says, else `[general]`.
    fn trust(&mut self, section: &str) -> Trust {
        let own_verify = self.verify(section);
        let own_file = self.get(section, "ca_file");
        let verify = own_verify.or_else(|| self.verify("general"));
        let file = own_file.or_else(|| self.get("general", "ca_file"));
        Trust {
            // As `requests` does.
            verify: verify.unwrap_or(true),
            ca_file: file.map(|value| value.text.into()),
        }
    }

    fn verify(&mut self, section: &str) -> Option<bool> {
        self.parsed(section, "verify", "write yes or no", boolean)
    }

    fn require(&mut self, section: &str, line: usize, names: &[&str]) {
        for name in names {
            if matches!(self.ini.get(section, name), Ok(None)) {
                let what = format!("[{section}] has no {name}; add it here or to [DEFAULT]");
                self.fault(line, what);
            }
        }
    }
}

/// What a section says of its check.
struct WrittenCheck<'a> {
    section: &'a str,
    kind: CheckKind,
    host: HostName,
    port: u16,
    /// How long it may take.
    seconds: u32,
    path: Option<String>,
}

impl WrittenCheck<'_> {
    fn check(&self) -> GroupCheck {
        let (section, port) = (self.section, self.port);
        let (protocol, place) = (protocol(self.kind), &self.host.written);
        let shown = self.path().unwrap_or_default();
        GroupCheck {
            text: format!("{section} {protocol}://{place}:{port}{shown}"),
            protocol,
            host: self.host.host.clone(),
            port,
            path: self.path().unwrap_or("/").to_owned(),
            limit: Some(Duration::from_secs(self.seconds.into())),
            service: Some(section.into()),
        }
    }

    fn manner(&self, trust: Trust) -> CheckManner {
        CheckManner {
            name: self.section.to_owned(),
            kind: self.kind,
            headers: self.host.headers(self.kind, self.port),
            told: self.told(),
            trust,
        }
    }

    /// In the words of byrondover's heartbeat: people search logs for them.
    fn told(&self) -> String {
        let (section, port, seconds) = (self.section, self.port, self.seconds);
        let (protocol, place) = (protocol(self.kind), &self.host.written);
        format!(
            "[Service Check] Name: {section}, Endpoint: {place}:{port}, Type: {protocol}, Timeout: {seconds}, Status:"
        )
    }

    fn path(&self) -> Option<&str> {
        match self.kind {
            // A path means nothing to a TCP check.
            CheckKind::Tcp => None,
            CheckKind::Http | CheckKind::Https => self.path.as_deref(),
        }
    }
}

fn kind(text: &str) -> Option<CheckKind> {
    let kinds = [CheckKind::Http, CheckKind::Https, CheckKind::Tcp];
    let mut kinds = kinds.into_iter();
    kinds.find(|kind| protocol(*kind).eq_ignore_ascii_case(text))
}

fn protocol(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::Http => "http",
        CheckKind::Https => "https",
        CheckKind::Tcp => "tcp",
    }
}

fn port(text: &str) -> Option<u16> {
    let port = text.parse().ok()?;
    (port > 0).then_some(port)
}

fn timeout(text: &str) -> Option<u32> {
    let seconds = text.parse().ok()?;
    (seconds > 0).then_some(seconds)
}
