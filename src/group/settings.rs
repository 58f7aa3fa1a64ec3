//! What describes a group: its checks, what must pass, when it is checked unasked, and what is done then.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::GroupCheck;
use crate::os::process::Argv;
use crate::settings::quoted;

/// Groups by name.
pub type Groups = BTreeMap<String, Group>;

/// A named set of checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its checks, one at least.
    pub checks: Vec<GroupCheck>,
    /// How many of them must pass.
    pub require: Require,
    /// The deadline of each check, in place of the usual one.
    pub timeout: Option<Duration>,
    /// An address where any URL asks for this group.
    pub listen: Option<SocketAddr>,
    /// How often it is checked unasked.
    pub every: Option<Duration>,
    /// Results in a row until it is up.
    pub rise: u32,
    /// Results in a row until it is down.
    pub fall: u32,
    /// What is run when it gets up, one after the other.
    pub on_up: Vec<Argv>,
    /// What is run when it gets down, one after the other.
    pub on_down: Vec<Argv>,
    /// How long each of them may take.
    pub action_timeout: Duration,
    /// Whether they are run after every check, not only after a change.
    pub repeat: bool,
    /// The spool entry that is down while the group is.
    pub down_spool: Option<String>,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            checks: Vec::new(),
            require: Require::All,
            timeout: None,
            listen: None,
            every: None,
            rise: 1,
            fall: 1,
            on_up: Vec::new(),
            on_down: Vec::new(),
            action_timeout: Duration::from_secs(60),
            repeat: false,
            down_spool: None,
        }
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
}

impl Group {
    /// The group as YAML.
    pub fn show(&self) -> String {
        let default = Self::default();
        let texts = |items: Vec<String>| {
            format!(
                "[{}]",
                items
                    .iter()
                    .map(|t| quoted(t))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        };
        let command = |argv: &Argv| texts(argv.words().to_vec());
        let seconds = |d: Duration| d.as_secs_f64().to_string();
        let mut parts = vec![format!(
            "checks: {}",
            texts(self.checks.iter().map(|c| c.text.clone()).collect())
        )];
        match self.require {
            Require::All => {}
            Require::Any => parts.push("require: any".into()),
            Require::Number(n) => parts.push(format!("require: {n}")),
        }
        parts.extend(self.timeout.map(|t| format!("timeout: {}", seconds(t))));
        parts.extend(
            self.listen
                .map(|a| format!("listen: {}", quoted(&a.to_string()))),
        );
        parts.extend(self.every.map(|t| format!("every: {}", seconds(t))));
        parts.extend((self.rise != 1).then(|| format!("rise: {}", self.rise)));
        parts.extend((self.fall != 1).then(|| format!("fall: {}", self.fall)));
        parts.extend(self.on_up.first().map(|a| format!("on_up: {}", command(a))));
        parts.extend(
            self.on_down
                .first()
                .map(|a| format!("on_down: {}", command(a))),
        );
        if self.action_timeout != default.action_timeout {
            parts.push(format!("action_timeout: {}", seconds(self.action_timeout)));
        }
        parts.extend(
            self.down_spool
                .as_ref()
                .map(|name| format!("down_spool: {}", quoted(name))),
        );
        format!("{{{}}}", parts.join(", "))
    }
}
