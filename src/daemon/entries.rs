//! The names of the spool entries that can take a check down. Pure.

use super::target::Own;
use crate::net::Host;
use crate::spool::{Key, ServiceName};

/// The names of the entries besides `all`, in the order to ask; `typed` is the host as the poller wrote it.
pub fn names(
    service: &ServiceName,
    place: Option<&(Host, u16)>,
    typed: Option<&str>,
    own: &dyn Own,
) -> Vec<String> {
    let mut names = vec![service.as_str().to_owned()];
    let Some((host, port)) = place else {
        return names;
    };
    let mut add = |host: Option<&str>| {
        let name = Key::instance(service.clone(), host, *port)
            .ok()
            .map(|key| key.file_name());
        names.extend(name.filter(|name| !names.contains(name)));
    };
    // `service:port` on this host, `service:host:port` for every host that was named.
    match host {
        Host::Local => {
            add(None);
            if let Some(address) = own.by_name() {
                add(Some(&address.to_string()));
            }
        }
        Host::Address(address) => {
            if own.is_own(*address) {
                add(None);
            }
            add(Some(&address.to_string()));
        }
        Host::Name(name) => add(Some(name)),
    }
    // Files of the originals' hadown have the host as it was typed.
    if typed.is_some() {
        add(typed);
    }
    names
}
