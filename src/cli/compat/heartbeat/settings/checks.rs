//! The checks of heartbeat's file, and what is done when their state changes.

use std::time::Duration;

use hyper::http::uri::PathAndQuery;

use super::{SettingsReader, whole};
use crate::group::{Group, GroupCheck};
use crate::net::Host;
use crate::os::process::Argv;

/// The sections that are no checks.
const OTHER_SECTIONS: [&str; 3] = ["general", "promotions", "demotions"];

/// The protocols of checks.
const CHECK_TYPES: [&str; 3] = ["http", "https", "tcp"];

/// How long a check may take unless told otherwise, in seconds.
const TIMEOUT: u32 = 5;

/// The longest timeout of a check, in seconds.
const TIMEOUT_MAX: u32 = 3600;

/// An action that checks name, and the line of the first one that does.
struct NamedAction {
    name: String,
    line: usize,
}

impl SettingsReader<'_> {
    pub(super) fn checks(&mut self, watch: &mut Group) {
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
