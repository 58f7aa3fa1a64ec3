//! The services and instances that a command line names.

use super::Task;
use super::options::SwitchArgs;
use crate::cli::args::values::{self, not_a_service};
use crate::cli::failure::{Failure, usage};
use crate::spool::{Key, ServiceName};

/// A service or instance to act on.
#[derive(Debug, PartialEq)]
pub(super) struct Subject {
    /// Its entry in the spool.
    pub(super) key: Key,
    /// The host as it was given with `-H`, which the key leaves out when it is 127.0.0.1.
    pub(super) host: Option<String>,
    /// The port was given in one word with the service, as in `web:80`.
    pub(super) names_port: bool,
}

impl SwitchArgs {
    pub(super) fn subjects(&self, task: Task) -> Result<Vec<Subject>, Failure> {
        let port = self.service_port()?;
        let host = self.service_host();
        if !self.names_services(task)? {
            return Ok(Vec::new());
        }

        // 0 is no port to Yelp's hacheck either.
        if host.is_some() && matches!(port, None | Some(0)) {
            return Err(usage!("-H needs the service's port too: give it with -P"));
        }

        let mut subjects = Vec::new();
        for word in &self.services {
            subjects.push(Subject::new(word, host, port)?);
        }

        Ok(subjects)
    }

    /// The host of `-H`; an empty one is that of an unset variable in a script.
    fn service_host(&self) -> Option<&str> {
        let host = self.service_host.as_deref();
        host.filter(|host| !host.is_empty())
    }

    fn service_port(&self) -> Result<Option<u16>, Failure> {
        values::given("-P", self.service_port.as_deref(), values::port)
    }

    /// Whether services are named, as they have to be for some tasks, and cannot be for others.
    fn names_services(&self, task: Task) -> Result<bool, Failure> {
        match self.services.first() {
            Some(stray) if !task.takes_services() && !self.pollers => Err(usage!(
                "this lists all services, so {stray:?} has no place here; leave it out"
            )),
            Some(_) => Ok(true),
            None if task.takes_services() => Err(self.no_service()),
            None => Ok(false),
        }
    }

    fn no_service(&self) -> Failure {
        let taken = match &self.reason {
            // `hadown -r web`: what was meant for the service.
            Some(reason) => format!("; {reason:?} was taken as the reason, which follows -r"),
            None => String::new(),
        };
        usage!("name at least one service, or 'all'{taken}")
    }
}

impl Subject {
    /// A service, with the port and the host that stand in options of their own.
    fn new(word: &str, host: Option<&str>, port: Option<u16>) -> Result<Self, Failure> {
        let key = match port {
            Some(port) => instance(word, host, port)?,
            None => values::service(word)?,
        };

        // As it was given: the key has no 127.0.0.1, which lines of output show.
        let host = host.or(key.host()).map(str::to_owned);
        Ok(Self {
            names_port: port.is_none() && key.port().is_some(),
            key,
            host,
        })
    }
}

fn instance(word: &str, host: Option<&str>, port: u16) -> Result<Key, Failure> {
    if word.contains(':') {
        return Err(usage!(
            "service {word:?} names its port already: leave out -P and -H"
        ));
    }

    let service = ServiceName::parse(word).map_err(|e| not_a_service(word, &e))?;
    Key::instance(service, host, port).map_err(|e| not_a_service(word, &e))
}
