//! What this host is called: by whatever of these names a browser asks, it means this host.

use std::fs;

use nix::unistd::gethostname;

/// The names of this host, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNames {
    /// Without a domain.
    pub short: String,
    /// With each of its domains, and as the kernel has it.
    full: Vec<String>,
}

impl HostNames {
    /// Reads them, from this host alone: no name server is asked.
    #[must_use]
    pub fn read() -> Self {
        // A file that cannot be read adds no names.
        let name = gethostname().unwrap_or_default();
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self::of(
            &name.to_string_lossy(),
            &read("/etc/hosts"),
            &read("/etc/resolv.conf"),
        )
    }

    pub(crate) fn of(name: &str, hosts: &str, resolver: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let short = name.split('.').next().unwrap_or_default().to_owned();
        let mut full = vec![name];
        // /etc/hosts holds the names of other hosts too.
        full.extend(names_of_hosts(hosts).filter(|known| is_below(known, &short)));
        full.extend(domains(resolver).map(|domain| format!("{short}.{domain}")));
        Self { short, full }
    }

    /// Whether a name, in whatever case, is one of this host.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let is = |known: &String| known.eq_ignore_ascii_case(name);
        // An empty name must not match a host that has none.
        !name.is_empty() && (is(&self.short) || self.full.iter().any(is))
    }
}

/// Whether a name is a short one with a domain behind it.
fn is_below(name: &str, short: &str) -> bool {
    match name.strip_prefix(short) {
        Some(domain) => domain.starts_with('.'),
        None => false,
    }
}

/// The names that /etc/hosts gives to any address.
fn names_of_hosts(hosts: &str) -> impl Iterator<Item = String> {
    let names = hosts.lines().flat_map(names_of_line);
    names.map(str::to_ascii_lowercase)
}

/// The words of a line of hosts(5) that follow its address.
fn names_of_line(line: &str) -> impl Iterator<Item = &str> {
    let entry = line.split('#').next().unwrap_or_default();
    entry.split_whitespace().skip(1)
}

/// The domains that /etc/resolv.conf has names looked up in.
fn domains(resolver: &str) -> impl Iterator<Item = String> {
    let domains = resolver.lines().flat_map(domains_of_line);
    domains.map(|domain| domain.trim_matches('.').to_ascii_lowercase())
}

/// The words of a line of resolv.conf(5) that lists domains.
fn domains_of_line(line: &str) -> impl Iterator<Item = &str> {
    let mut words = line.split_whitespace();
    let lists_domains = matches!(words.next(), Some("search" | "domain"));
    words.filter(move |_| lists_domains)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_its_short_name_and_that_with_its_domains() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1 Web01.shop.example web01 # web01.old.example\n10.0.0.9 web011.example";
        let names = HostNames::of(
            "web01",
            hosts,
            "nameserver 10.0.0.1\nsearch corp.example. b.example\n",
        );
        for name in [
            "web01",
            "WEB01",
            "web01.shop.example",
            "web01.corp.example",
            "web01.b.example",
        ] {
            assert!(names.has(name), "{name}");
        }
        for name in [
            "",
            "localhost",
            "web01.",
            "web01.old.example",
            "web011.example",
            "web01.evil.example",
            "10.0.0.1",
        ] {
            assert!(!names.has(name), "{name}");
        }
        let kernel = HostNames::of("web01.kernel.example", "", "");
        assert_eq!(kernel.short, "web01");
        assert!(kernel.has("web01.kernel.example"));
    }
}
