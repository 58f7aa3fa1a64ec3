//! Names in the spool: which service or instance a downtime is for, and the file that holds it.
//!
//! Rule: a [`ServiceName`] or [`Key`] that exists is a plain file name directly inside the spool root. There is no
//! other way to name a spool file, so nothing outside the root can be reached.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The service name that stands for every service on the host.
pub const ALL: &str = "all";

/// Longest file name that Linux file systems take, in bytes.
const NAME_MAX: usize = 255;

/// Marks the temporary files of writers; no service name holds it.
pub(crate) const TEMP_MARK: char = '~';

/// Why a text is not a service, instance or host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameError {
    /// The name is empty.
    Empty,
    /// The name is `.` or `..`.
    Dots,
    /// The name, or the file name made of it, is over 255 bytes.
    TooLong(usize),
    /// The name holds a character that a spool file cannot have.
    Character(char),
    /// The part behind the last colon is not a port.
    Port(String),
    /// The part between service and port is not a host.
    Host(String),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a service name cannot be empty"),
            Self::Dots => write!(f, "'.' and '..' are not service names"),
            Self::TooLong(n) => write!(
                f,
                "the name has {n} bytes; at most {NAME_MAX} fit into a spool file name"
            ),
            // Escaped by `{:?}`, since it may be a control character.
            Self::Character(c) => write!(
                f,
                "a service name cannot hold {c:?}; use letters, digits, '.', '_' and '-'"
            ),
            Self::Port(p) => write!(
                f,
                "'{}' is not a port; give a number from 0 to 65535",
                p.escape_debug()
            ),
            Self::Host(h) => write!(
                f,
                "'{}' is not a host; give an address or a host name",
                h.escape_debug()
            ),
        }
    }
}

impl std::error::Error for NameError {}

/// A service name: 1 to 255 bytes, without `/`, `:`, `~` or control characters, and neither `.` nor `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`NameError`] when the text is not a plain file name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match text {
            "" => return Err(NameError::Empty),
            // These are folders, not names of files in the spool.
            "." | ".." => return Err(NameError::Dots),
            _ => {}
        }

        // More than URLs can name: whatever file the replaced tools wrote must still be found and lifted.
        if let Some(c) = text.chars().find(|c| cannot_be_in_name(*c)) {
            return Err(NameError::Character(c));
        }

        if text.len() > NAME_MAX {
            return Err(NameError::TooLong(text.len()));
        }

        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same, to be kept without a copy.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// Whether a check URL can name this service: letters, digits, `.`, `_` and `-` only, as in the originals' routes.
    #[must_use]
    pub fn fits_url(&self) -> bool {
        fits_url(&self.0)
    }
}

/// Slashes part folders, colons part service, host and port; control characters would spoil every list.
fn cannot_be_in_name(c: char) -> bool {
    matches!(c, '/' | ':' | TEMP_MARK) || c.is_control()
}

/// Whether a text has only the characters that [`ServiceName::fits_url`] speaks of.
#[must_use]
pub fn fits_url(text: &str) -> bool {
    text.bytes().all(is_name_byte)
}

/// The alphabet of names that need no quotes anywhere: letters, digits, `.`, `_` and `-`.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a downtime is for: a service, or one instance of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    service: ServiceName,
    instance: Option<Instance>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Instance {
    host: Option<Box<str>>,
    port: u16,
}

impl Key {
    /// The key of a whole service; its file is named like the service.
    #[must_use]
    pub fn service(service: ServiceName) -> Self {
        Self {
            service,
            instance: None,
        }
    }

    /// The key of one instance: file `service:port`, or `service:host:port`. The host 127.0.0.1 is this host, so it
    /// does not stand in the name, as in the originals.
    ///
    /// # Errors
    /// [`NameError`] when the host is not an address or a host name, or the file name gets too long.
    pub fn instance(
        service: ServiceName,
        host: Option<&str>,
        port: u16,
    ) -> Result<Self, NameError> {
        let instance = Instance {
            host: instance_host(host)?,
            port,
        };

        let key = Self {
            service,
            instance: Some(instance),
        };

        // Each part fits, but the whole name may not.
        match key.file_name().len() {
            n if n > NAME_MAX => Err(NameError::TooLong(n)),
            _ => Ok(key),
        }
    }

    /// Parses `web`, `web:8080`, `web:10.0.0.7:8080` or `web:::1:80`: the first colon ends the service name, the last
    /// one begins the port. Also the inverse of [`Key::file_name`].
    ///
    /// # Errors
    /// [`NameError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let Some((service, rest)) = text.split_once(':') else {
            return Ok(Self::service(ServiceName::parse(text)?));
        };

        let service = ServiceName::parse(service)?;
        // The last colon: those of an IPv6 address stand before it, without brackets.
        let (host, port) = match rest.rsplit_once(':') {
            Some(("", port)) => (None, port),
            Some((host, port)) => (Some(host), port),
            None => (None, rest),
        };
        Self::instance(service, host, parse_port(port)?)
    }

    /// The same key with its host as the daemon looks for it: addresses in their usual form, names in lower case.
    #[must_use]
    pub(crate) fn canonical(mut self) -> Self {
        if let Some(instance) = &mut self.instance
            && let Some(host) = &instance.host
        {
            instance.host = Some(canonical_host(host).into());
        }

        self
    }

    /// The name of the file in the spool root.
    #[must_use]
    pub fn file_name(&self) -> String {
        match &self.instance {
            None => self.service.0.to_string(),
            Some(Instance { host: None, port }) => format!("{}:{port}", self.service),
            Some(Instance {
                host: Some(host),
                port,
            }) => format!("{}:{host}:{port}", self.service),
        }
    }

    /// The service, without host and port.
    #[must_use]
    pub(crate) fn service_name(&self) -> &ServiceName {
        &self.service
    }

    /// The host of an instance key, unless it is this host.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.instance.as_ref()?.host.as_deref()
    }

    /// The port of an instance key.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.instance.as_ref().map(|i| i.port)
    }
}

/// The host as it stands in a file name; `None` for this host.
fn instance_host(host: Option<&str>) -> Result<Option<Box<str>>, NameError> {
    match host {
        None | Some("127.0.0.1") => Ok(None),
        Some(host) if is_host(host) => Ok(Some(host.into())),
        Some(other) => Err(NameError::Host(other.to_owned())),
    }
}

/// Names and addresses, IPv6 ones with a zone too (`fe80::1%eth0`).
fn is_host(text: &str) -> bool {
    // Not checked any further, so that every file of the replaced tools keeps its name.
    let fits = |b: u8| is_name_byte(b) || matches!(b, b':' | b'%');
    !text.is_empty() && text.bytes().all(fits)
}

fn canonical_host(host: &str) -> String {
    // `::0:1` and `::1` are one host, and so are `DB` and `db`.
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => host.to_ascii_lowercase(),
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file_name())
    }
}

/// Parses a port in decimal digits only: no sign, no spaces, no other base.
///
/// # Errors
/// [`NameError::Port`] for anything but 0 to 65535.
pub fn parse_port(text: &str) -> Result<u16, NameError> {
    // `parse` alone takes a plus sign too.
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if is_digits => Ok(port),
        _ => Err(NameError::Port(text.to_owned())),
    }
}

#[cfg(test)]
mod tests;
