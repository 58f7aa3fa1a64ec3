//! What heartbeat's file says, as a group to watch.
//!
//! Rule: everything that is wrong with a file is told at once, each with its line.

use std::path::PathBuf;
use std::time::Duration;

use super::ini::{Fault, Found, Ini};
use crate::group::{Group, GroupCheck};
use crate::names::nearest::nearest;
use crate::net::Host;
use crate::os::process::Argv;

/// The sections that are no checks.
const OTHER_SECTIONS: [&str; 3] = ["general", "promotions", "demotions"];

/// The options of a check.
const CHECK_OPTIONS: [&str; 6] = ["type", "hostname", "port", "path", "timeout", "action"];

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

/// The file's content.
#[derive(Debug)]
pub(super) struct Settings {
    /// The user to become.
    pub user: Option<String>,
    /// The group to become.
    pub group: Option<String>,
    /// The log.
    pub log_file: PathBuf,
    /// What is logged, in words.
    pub log_level: String,
    /// The lock.
    pub pid_file: PathBuf,
    /// Whether to go on in the background.
    pub daemonize: bool,
    /// Its checks and actions; `every` is the interval.
    pub watch: Group,
    /// What is odd.
    pub warnings: Vec<Fault>,
}

/// Reads a file's text.
pub(super) fn read(text: &str) -> Result<Settings, Vec<Fault>> {
    let (ini, faults) = Ini::parse(text);
    let mut reader = Reader {
        ini: &ini,
        faults,
        warnings: Vec::new(),
    };
    let mut settings = reader.general();
    reader.checks(&mut settings.watch);
    reader.unknown();
    let Reader {
        mut faults,
        warnings,
        ..
    } = reader;
    if faults.is_empty() {
        return Ok(Settings {
            warnings,
            ..settings
        });
    }
    faults.sort_by_key(|f| f.line);
    faults.dedup();
    Err(faults)
}

struct Reader<'a> {
    ini: &'a Ini,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl Reader<'_> {
    fn fault(&mut self, line: usize, text: String) {
        self.faults.push(Fault { line, text });
    }

    fn get(&mut self, section: &str, name: &str) -> Option<Found> {
        self.ini.get(section, name).unwrap_or_else(|fault| {
            self.faults.push(fault);
            None
        })
    }

    /// A value that `parse` takes, or the default.
    fn parsed<T>(
        &mut self,
        section: &str,
        name: &str,
        default: T,
        remedy: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        let Some(found) = self.get(section, name) else {
            return default;
        };
        parse(found.text.trim()).unwrap_or_else(|| {
            let shown: String = found
                .text
                .chars()
                .take(60)
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            self.fault(
                found.line,
                format!("[{section}] {name}: '{shown}' cannot be; {remedy}"),
            );
            default
        })
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.get("general", name)
            .map(|f| f.text)
            .filter(|t| !t.is_empty())
    }

    fn yes(&mut self, name: &str) -> bool {
        self.parsed("general", name, false, "write yes or no", |t| {
            match t.to_ascii_lowercase().as_str() {
                "1" | "yes" | "true" | "on" => Some(true),
                "0" | "no" | "false" | "off" => Some(false),
                _ => None,
            }
        })
    }

    fn number(&mut self, name: &str, default: u32) -> u32 {
        self.parsed(
            "general",
            name,
            default,
            "write a whole number from 1 to 1000000",
            whole,
        )
    }

    fn general(&mut self) -> Settings {
        if !self.ini.sections().any(|(name, _)| name == "general") {
            self.fault(1, "there is no section [general]; add it".into());
        }
        // All checks run at the same time; the number must make sense all the same.
        self.number("threads", 1);
        let seconds = |n: u32| Duration::from_secs(n.into());
        let none = |t: &String| t != "None";
        Settings {
            user: self.text("user").filter(none),
            group: self.text("group").filter(none),
            log_file: self
                .text("logfile")
                .unwrap_or_else(|| "heartbeat.log".into())
                .into(),
            log_level: self.text("loglevel").unwrap_or_else(|| "info".into()),
            pid_file: self
                .text("pidfile")
                .unwrap_or_else(|| "heartbeat.pid".into())
                .into(),
            daemonize: self.yes("daemonize"),
            watch: Group {
                every: Some(seconds(self.number("interval", 60))),
                rise: self.number("rise", 1),
                fall: self.number("fall", 1),
                action_timeout: seconds(self.number("action_timeout", 60)),
                repeat: self.yes("repeat"),
                ..Group::default()
            },
            warnings: Vec::new(),
        }
    }

    fn checks(&mut self, watch: &mut Group) {
        let ini = self.ini;
        let mut actions = Vec::new();
        for (section, line) in ini
            .sections()
            .filter(|(name, _)| !OTHER_SECTIONS.contains(name))
        {
            watch.checks.extend(self.check(section, line));
            match self.get(section, "action") {
                None => {
                    self.fault(
                        line,
                        format!(
                            "[{section}] has no action; name one of [promotions] and [demotions]"
                        ),
                    );
                }
                Some(found) => {
                    let name = found.text.to_lowercase();
                    if !actions.iter().any(|(known, _)| *known == name) {
                        actions.push((name, found.line));
                    }
                }
            }
        }
        if watch.checks.is_empty() && self.faults.is_empty() {
            self.fault(
                1,
                "there is no check; add a section such as [web] with type, hostname and port"
                    .into(),
            );
        }
        for (name, line) in actions {
            watch.on_up.extend(self.action("promotions", &name, line));
            watch.on_down.extend(self.action("demotions", &name, line));
        }
        // Two names may stand for one command, which is run once.
        for commands in [&mut watch.on_up, &mut watch.on_down] {
            let mut seen: Vec<Argv> = Vec::new();
            commands.retain(|argv| {
                !seen.contains(argv) && {
                    seen.push(argv.clone());
                    true
                }
            });
        }
    }

    fn action(&mut self, section: &str, name: &str, used: usize) -> Option<Argv> {
        if !self.ini.own_names(section).contains(&name) {
            self.fault(
                used,
                format!("action '{name}' is not in [{section}]; add it there, or mend the name"),
            );
            return None;
        }
        let found = self.get(section, name)?;
        let argv = Argv::split(&found.text);
        argv.map_err(|what| {
            self.fault(
                found.line,
                format!(
                    "[{section}] {name}: '{}' {what}; write a command",
                    found.text
                ),
            );
        })
        .ok()
    }

    fn check(&mut self, section: &str, line: usize) -> Option<GroupCheck> {
        let kind = self.parsed(section, "type", None, "write http, https or tcp", |t| {
            ["http", "https", "tcp"]
                .into_iter()
                .find(|k| k.eq_ignore_ascii_case(t))
                .map(Some)
        });
        let host = self.parsed(
            section,
            "hostname",
            None,
            "write a host name or an address",
            |t| Host::parse(t).ok().map(Host::or_local).map(Some),
        );
        let port = self.parsed(
            section,
            "port",
            None,
            "write a number from 1 to 65535",
            |t| t.parse::<u16>().ok().filter(|p| *p > 0).map(Some),
        );
        let timeout = self.parsed(
            section,
            "timeout",
            5,
            "write a number of seconds from 1 to 3600",
            |t| whole(t).filter(|n| *n <= 3600),
        );
        let path = self.parsed(
            section,
            "path",
            "/".to_owned(),
            "write one such as /health",
            |t| {
                let path = if t.starts_with('/') {
                    t.to_owned()
                } else {
                    format!("/{t}")
                };
                path.parse::<hyper::http::uri::PathAndQuery>()
                    .is_ok()
                    .then_some(path)
            },
        );
        for (name, missing) in [
            ("type", kind.is_none()),
            ("hostname", host.is_none()),
            ("port", port.is_none()),
        ] {
            if missing && matches!(self.ini.get(section, name), Ok(None)) {
                self.fault(
                    line,
                    format!("[{section}] has no {name}; add it here or to [DEFAULT]"),
                );
            }
        }
        let (protocol, host, port) = (kind?, host?, port?);
        let path = if protocol == "tcp" {
            "/".to_owned()
        } else {
            path
        };
        let shown = if protocol == "tcp" { "" } else { path.as_str() };
        let text = format!("{section} {protocol}://{host}:{port}{shown}");
        Some(GroupCheck {
            text,
            protocol,
            host,
            port,
            path,
            limit: Some(Duration::from_secs(timeout.into())),
        })
    }

    /// Names that do nothing are slips of the finger.
    fn unknown(&mut self) {
        let ini = self.ini;
        for (section, _) in ini.sections() {
            let known: &[&str] = match section {
                "general" => &GENERAL_OPTIONS,
                "promotions" | "demotions" => continue,
                _ => &CHECK_OPTIONS,
            };
            for name in ini.own_names(section) {
                // Others may be there for %(name)s.
                if let Some(near) =
                    nearest(name, known.iter().copied()).filter(|_| !known.contains(&name))
                {
                    let line = ini.get(section, name).ok().flatten().map_or(1, |f| f.line);
                    let text = format!("[{section}] {name} does nothing; did you mean {near}?");
                    self.warnings.push(Fault { line, text });
                }
            }
        }
    }
}

fn whole(text: &str) -> Option<u32> {
    text.parse().ok().filter(|n| (1..=1_000_000).contains(n))
}
