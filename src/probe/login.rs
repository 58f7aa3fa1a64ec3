//! Which checks log in, and where they may: at the places in `login_to`. A credential in the headers of an HTTP rule is a
//! login too.
//!
//! Rule: the address that is admitted here is the one that is then connected to, and before it is admitted nothing is
//! sent. A group's checks name their hosts in the configuration, and so may a unix socket: those are the operator's own
//! words.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::allowed::forbidden;
use super::effective::ServiceSettings;
use super::{Context, Outcome, ProbeSettings, Protocol, Target, TlsUse};
use crate::net::{Host, LoginTo};

/// How a service's checks log in by a protocol.
#[derive(Debug)]
pub(crate) struct Login {
    /// The setting of the password; none where a user has no password.
    pub password: Option<&'static str>,
    /// The port that `local` stands for; any where servers of the protocol have none of their own.
    pub port: Option<u16>,
    /// How the password travels.
    pub travel: Travel,
}

/// How a password travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Travel {
    /// Over TLS to a server that has proved its name.
    Verified,
    /// Over TLS to whoever answers.
    Unverified,
    /// Without TLS, or with it where the server, or whoever stands in between, chooses so; what to do.
    AsServerChooses(&'static str),
    /// For all to read; what to do.
    InClear(&'static str),
}

impl Travel {
    /// Over TLS that is demanded.
    pub(super) fn over_tls(service: ServiceSettings<'_>) -> Self {
        if service.verifies() {
            Self::Verified
        } else {
            Self::Unverified
        }
    }

    /// As a setting says; `remedy` is what to do where it does not demand TLS.
    pub(super) fn by(tls: TlsUse, remedy: &'static str, service: ServiceSettings<'_>) -> Self {
        match tls {
            TlsUse::Required => Self::over_tls(service),
            TlsUse::Off | TlsUse::Auto => Self::AsServerChooses(remedy),
        }
    }
}

/// For protocols without a login.
pub(super) fn none(_: &ProbeSettings, _: &str) -> Option<Login> {
    None
}

/// Those of a target's addresses where a check may log in, if it does; refuses the target when none is left.
pub(super) fn addresses(
    context: &Context,
    protocol: &Protocol,
    target: &Target,
    found: Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, Outcome> {
    if target.trusted {
        return Ok(found);
    }

    let Some(login) = (protocol.login)(&context.settings, &target.service) else {
        return Ok(found);
    };

    let first = found.first().copied();
    let mut allowed = found;
    let places = context.settings.service(&target.service).login_to();
    allowed.retain(|address| may_log_in(context, places, &login, *address));
    match first {
        // The first is named, as one is enough to see what to add.
        Some(first) if allowed.is_empty() => Err(refusal(context, &target.host, first)),
        _ => Ok(allowed),
    }
}

fn may_log_in(context: &Context, places: &[LoginTo], login: &Login, address: SocketAddr) -> bool {
    let is_own = is_own(context, address.ip());
    let mut places = places.iter();
    places.any(|place| place.admits(address, is_own, login.port))
}

/// The narrowest entry that would let a check log in, for whoever copies it.
fn narrowest_entry(context: &Context, address: SocketAddr) -> String {
    match is_own(context, address.ip()) {
        true => format!("{}:{}", LoginTo::LOCAL, address.port()),
        false => address.to_string(),
    }
}

/// Whether an address is this host's. Of 127.0.0.0/8 those are not that nobody gave to an interface: a server that
/// listens on 127.0.0.1 leaves its port on all others to any local user.
fn is_own(context: &Context, ip: IpAddr) -> bool {
    const LOCALHOST: [IpAddr; 2] = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ];
    LOCALHOST.contains(&ip.to_canonical()) || context.is_own(ip)
}

fn refusal(context: &Context, host: &Host, address: SocketAddr) -> Outcome {
    let resolved = match host {
        Host::Name(_) => format!(" ({})", address.ip()),
        _ => String::new(),
    };

    let port = address.port();
    let entry = narrowest_entry(context, address);
    forbidden(format!(
        "host {host}{resolved} may not be logged in to at port {port} from here: it is outside login_to; add {entry} to it"
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::net::LocalAddresses;
    use crate::probe::{Capacity, Header, HttpRule, Service};
    use crate::settings::Secret;

    const OWN: &str = "10.0.0.7";

    fn context(login_to: &[&str]) -> Context {
        let entry = |text: &&str| LoginTo::parse(text).unwrap();
        let settings = ProbeSettings {
            redis_password: Some(Secret::new("hunter2".into())),
            postgres_username: Some("checker".into()),
            login_to: login_to.iter().map(entry).collect(),
            ..ProbeSettings::default()
        };
        let room = Capacity {
            probes: 1,
            waiting: 1,
            memory: crate::http::memory::MemoryBudget::new(64 << 20),
        };
        let own = LocalAddresses::known(&[OWN.parse().unwrap()], None);
        Context::new(settings, room, Arc::new(own)).unwrap()
    }

    /// What is left of addresses, or the refusal.
    fn ask(context: &Context, protocol: &str, found: &[&str]) -> Result<Vec<SocketAddr>, String> {
        let protocol = Protocol::find(protocol).unwrap();
        let found = found.iter().map(|text| text.parse().unwrap()).collect();
        let target = Target::local(1, "/");
        let left = addresses(context, protocol, &target, found);
        left.map_err(|refused| {
            assert_eq!(refused.status, hyper::StatusCode::FORBIDDEN);
            String::from_utf8_lossy(&refused.body).into_owned()
        })
    }

    #[test]
    fn by_default_checks_log_in_at_this_host_and_their_own_port() {
        let context = context(&["local"]);
        for (protocol, place) in [
            ("redis", "127.0.0.1:6379"),
            ("redis-info", "[::1]:6379"),
            ("sentinel", "10.0.0.7:26379"),
            ("sentinel-info", "[::ffff:10.0.0.7]:26379"),
            ("postgres", "127.0.0.1:5432"),
        ] {
            assert!(ask(&context, protocol, &[place]).is_ok(), "{protocol}");
        }
        for (protocol, place) in [
            ("redis", "127.0.0.1:26379"),
            ("redis", "127.0.0.2:6379"),
            ("redis-info", "10.0.0.8:6379"),
            ("sentinel", "127.0.0.1:6379"),
            ("postgres", "10.0.0.7:5433"),
        ] {
            assert!(ask(&context, protocol, &[place]).is_err(), "{protocol}");
        }
    }

    #[test]
    fn checks_that_do_not_log_in_go_anywhere() {
        let context = context(&[]);
        for protocol in ["http", "tcp", "memcached", "mysql", "exec"] {
            let left = ask(&context, protocol, &["10.0.0.8:1"]);
            assert!(left.is_ok(), "{protocol}");
        }
    }

    #[test]
    fn a_rule_that_sends_a_credential_is_a_login_at_any_port_of_this_host() {
        let mut context = context(&["local"]);
        for (service, header) in [
            ("open", "Accept"),
            ("web", "Authorization"),
            ("shop", "Cookie"),
        ] {
            let value = Secret::new("hunter2".into());
            let rule = HttpRule {
                request_headers: Some(vec![(Header::parse(header).unwrap(), value)]),
                ..HttpRule::default()
            };
            let own = Service {
                http: Some(rule),
                ..Service::default()
            };
            context.settings.services.insert(service.into(), own);
        }
        let there = |service: &str, protocol: &str, place: &str| {
            let target = Target {
                service: service.into(),
                ..Target::local(1, "/")
            };
            let found = vec![place.parse().unwrap()];
            let protocol = Protocol::find(protocol).unwrap();
            addresses(&context, protocol, &target, found).is_ok()
        };
        for protocol in ["http", "https"] {
            for service in ["web", "shop"] {
                assert!(there(service, protocol, "127.0.0.1:8080"));
                assert!(!there(service, protocol, "10.0.0.8:8080"), "{service}");
            }
            assert!(there("open", protocol, "10.0.0.8:8080"));
        }
        assert!(there("web", "tcp", "10.0.0.8:8080"));
    }

    #[test]
    fn of_several_addresses_those_are_left_that_may_be_logged_in_to() {
        let context = context(&["10.1.0.0/16"]);
        let found = ["10.0.0.8:6379", "10.1.0.8:6379"];
        let left = ask(&context, "redis", &found).unwrap();
        assert_eq!(left, ["10.1.0.8:6379".parse().unwrap()]);
        assert_eq!(ask(&context, "redis", &[]), Ok(vec![]));
    }

    #[test]
    fn a_refusal_names_the_entry_to_add_and_that_entry_suffices() {
        for (place, entry) in [
            ("127.0.0.1:7000", "local:7000"),
            ("10.0.0.7:7000", "local:7000"),
            ("10.0.0.8:6379", "10.0.0.8:6379"),
            ("[fd00::8]:6379", "[fd00::8]:6379"),
        ] {
            let said = ask(&context(&["local"]), "redis", &[place]).unwrap_err();
            let end = format!("it is outside login_to; add {entry} to it");
            assert!(said.ends_with(&end), "{said}");
            assert!(ask(&context(&[entry]), "redis", &[place]).is_ok());
        }
    }

    #[test]
    fn the_configurations_own_targets_are_never_refused() {
        let context = context(&[]);
        let target = Target {
            trusted: true,
            ..Target::local(1, "/")
        };
        let redis = Protocol::find("redis").unwrap();
        let found = vec!["10.0.0.8:1".parse().unwrap()];
        assert!(addresses(&context, redis, &target, found).is_ok());
    }
}
