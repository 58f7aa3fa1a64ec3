//! What of this process' environment a program gets.
//!
//! Rule: a variable that nobody listed stays here, as any of them may hold a secret: `LoadCredential=`, `.env` files and
//! container orchestrators put them there.

use std::ffi::{OsStr, OsString};

/// What programs can hardly do without, and nobody puts a secret in.
const USUAL: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// Variables whose names begin so are meant for hacheck's own programs.
const OWN_PREFIX: &str = "HACHECK_";

/// Variables that are between this process and its service manager.
const PRIVATE: [&str; 7] = [
    "CREDENTIALS_DIRECTORY",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Which variables of this process a program inherits.
#[derive(Debug)]
pub struct Environment<'a> {
    /// The names of those that it gets besides the usual ones.
    pub listed: &'a [String],
    /// What no variable may hold, unless it is listed itself.
    pub secrets: Vec<&'a str>,
}

impl Environment<'_> {
    /// The variables that are inherited.
    pub(super) fn inherited(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let all = std::env::vars_os();
        all.filter(|(name, value)| self.passes(name, value))
    }

    fn passes(&self, name: &OsStr, value: &OsStr) -> bool {
        // Lists hold text, so a name that is not UTF-8 is in none.
        let Some(name) = name.to_str() else {
            return false;
        };

        let is_listed = self.listed.iter().any(|listed| listed == name);
        if is_listed || USUAL.contains(&name) {
            return true;
        }

        name.starts_with(OWN_PREFIX) && !self.holds_secret(value)
    }

    /// A password may have come from such a variable: `mysql_password: ${HACHECK_MYSQL}`.
    fn holds_secret(&self, value: &OsStr) -> bool {
        let value = value.to_string_lossy();
        // An empty password would be found in every value.
        let mut secrets = self.secrets.iter().filter(|secret| !secret.is_empty());
        secrets.any(|secret| value.contains(secret))
    }
}

/// The names of all variables of this process but those that are private to it, for programs that get them all.
#[must_use]
pub(crate) fn all_names() -> Vec<String> {
    let mut names = Vec::new();
    for (name, _) in std::env::vars_os() {
        // One that is not text could not be listed in a file either.
        if let Ok(name) = name.into_string()
            && !PRIVATE.contains(&name.as_str())
        {
            names.push(name);
        }
    }

    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(listed: &[&str], name: &str, value: &str) -> bool {
        let listed: Vec<String> = listed.iter().map(|name| (*name).to_owned()).collect();
        let environment = Environment {
            listed: &listed,
            secrets: vec!["", "hunter2"],
        };
        environment.passes(name.as_ref(), value.as_ref())
    }

    #[test]
    fn only_usual_own_and_listed_variables_pass() {
        for name in ["PATH", "HOME", "LANG", "TZ", "HACHECK_X", "NAGIOS_HOME"] {
            assert!(passes(&["NAGIOS_HOME"], name, "x"), "{name}");
        }
        for name in [
            "MYSQL_PWD",
            "PGPASSWORD",
            "AWS_SECRET_ACCESS_KEY",
            "CREDENTIALS_DIRECTORY",
            "NOTIFY_SOCKET",
            "LD_PRELOAD",
            "PATHS",
            "path",
            "",
        ] {
            assert!(!passes(&["NAGIOS_HOME"], name, "x"), "{name}");
        }
    }

    #[test]
    fn a_configured_secret_passes_only_in_a_variable_that_is_listed() {
        let dsn = "mysql://u:hunter2@db";
        assert!(!passes(&[], "HACHECK_DSN", dsn));
        assert!(passes(&["HACHECK_DSN"], "HACHECK_DSN", dsn));
        // Where a password happens to be a part of a path, commands are found all the same.
        assert!(passes(&[], "PATH", "/opt/hunter2/bin"));
    }
}
