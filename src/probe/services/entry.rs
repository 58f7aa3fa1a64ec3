//! One entry of `services` as it is written. What it does not say is left to less exact ones.

use std::path::PathBuf;
use std::time::Duration;

use super::script::script;
use super::{OrOff, ScriptStep, ServiceLogin, ServiceTls};
use crate::net::LoginTo;
use crate::probe::HttpRule;
use crate::settings::{Kind, Reader, list, quoted, read_part, seconds, settings, show_part};

/// The longest deadline of a probe, in seconds: a day. Whoever writes more has mistaken the unit.
pub(crate) const LONGEST: f64 = 86_400.0;

/// The room for a path in `sockaddr_un` of unix(7), with its final zero.
const SOCKET_MAX: usize = 108;

settings! {
    /// What a service has of its own.
    pub struct Service {
        /// The deadline of its probes, in place of `healthcheck_timeout`.
        timeout: Option<Duration> = None, seconds(0.001, LONGEST).or_unset();
        /// A unix socket that its probes connect to when it is checked on this host.
        socket: Option<PathBuf> = None, socket().or_unset();
        /// What the answers of its HTTP upstream must be like, and how it is asked.
        http: Option<HttpRule> = None, http().or_unset();
        /// Whom its probes log in as; `off` for nobody.
        login: Option<OrOff<ServiceLogin>> = None, login().or_unset();
        /// Where they may log in, in place of the global `login_to`.
        login_to: Option<Vec<LoginTo>> = None, logins().or_unset();
        /// That they speak TLS, and how; `off` for never.
        tls: Option<OrOff<ServiceTls>> = None, tls().or_unset();
        /// What its `script` checks send and expect.
        script: Option<Vec<ScriptStep>> = None, script().or_unset();
        /// The header of the PROXY protocol that connections begin with: `v1` or `v2`.
        proxy_protocol: Option<ProxyProtocol> = None, proxy_protocol().or_unset();
    }
}

/// A version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// A line of text with both addresses.
    V1,
    /// Bytes that say that it is the sender's own connection (`LOCAL`).
    V2,
}

impl Service {
    /// Reads an entry, or notes faults.
    pub fn read(reader: &Reader<'_>) -> Option<Self> {
        let (service, _) = read_part(&Self::table(), reader)?;
        Some(service)
    }

    /// The entry as YAML.
    pub fn show(&self) -> String {
        show_part(&Self::table(), self)
    }
}

fn http() -> Kind<HttpRule> {
    Kind::new("rule", HttpRule::read, HttpRule::show)
}

fn login() -> Kind<OrOff<ServiceLogin>> {
    or_off("map, or `off`", ServiceLogin::read, ServiceLogin::show)
}

fn tls() -> Kind<OrOff<ServiceTls>> {
    or_off("map, or `off`", ServiceTls::read, ServiceTls::show)
}

fn or_off<T: 'static>(
    words: &'static str,
    read: fn(&Reader<'_>) -> Option<T>,
    show: fn(&T) -> String,
) -> Kind<OrOff<T>> {
    // `off` keeps a part of a wider entry from this one.
    let read = move |reader: &Reader<'_>| match says_off(reader) {
        true => Some(OrOff::Off),
        false => read(reader).map(OrOff::On),
    };

    let show = move |part: &OrOff<T>| match part {
        OrOff::Off => "off".to_owned(),
        OrOff::On(part) => show(part),
    };
    Kind::new(words, read, show)
}

fn says_off(reader: &Reader<'_>) -> bool {
    // `off` is also how YAML 1.1 writes false.
    matches!(reader.word().as_deref(), Some("off" | "no" | "false"))
}

fn proxy_protocol() -> Kind<ProxyProtocol> {
    let show = |version: &ProxyProtocol| match version {
        ProxyProtocol::V1 => "v1".to_owned(),
        ProxyProtocol::V2 => "v2".to_owned(),
    };
    Kind::new("`v1` or `v2`", read_proxy_protocol, show)
}

fn read_proxy_protocol(reader: &Reader<'_>) -> Option<ProxyProtocol> {
    reader.parsed(
        "is no version of the PROXY protocol",
        "write v1 or v2",
        |text| match text.trim() {
            "v1" => Some(ProxyProtocol::V1),
            "v2" => Some(ProxyProtocol::V2),
            _ => None,
        },
    )
}

pub(in crate::probe) fn logins() -> Kind<Vec<LoginTo>> {
    let show = |places: &Vec<LoginTo>| list(places);
    Kind::new("list of places", |reader| reader.each(read_login), show)
}

fn read_login(reader: &Reader<'_>) -> Option<LoginTo> {
    let remedy = "write local, local:3307, 10.0.0.0/8, 10.0.0.0/8:6379 or \"[fd00::/8]:6379\"";
    reader.parsed("is no place to log in to", remedy, LoginTo::parse)
}

/// A unix socket of a service.
pub(in crate::probe) fn socket() -> Kind<PathBuf> {
    Kind::new("path", read_socket, |path| quoted(&path.to_string_lossy()))
}

fn read_socket(reader: &Reader<'_>) -> Option<PathBuf> {
    let path = reader.path("/run/web.sock")?;
    // Absolute, as the daemon's folder is nobody's to know.
    let fits = path.is_absolute() && path.as_os_str().len() < SOCKET_MAX;
    if !fits {
        reader.fault(
            "is not an absolute path of less than 108 bytes",
            "write one such as /run/web.sock",
        );
    }

    fits.then_some(path)
}
