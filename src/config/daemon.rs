//! The settings that only the daemon itself uses: who may connect, who may change the spool from afar, where it listens.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::http::tls::TlsFiles;
use crate::net::{Network, is_name_byte};
use crate::os::file_limit::FileLimit;
use crate::settings::{
    Kind, Reader, bytes, count, flag, list, mode, networks, path, paths, ports, seconds, settings,
};

settings! {
    /// What only the daemon itself uses.
    pub struct DaemonSettings {
        /// Who may connect at all. Others are dropped before a byte is read, and counted. `private` is loopback, RFC
        /// 1918, 100.64.0.0/10 and fc00::/7; `any` is everything.
        allow_from: Vec<Network> = Network::any(), networks();
        /// Where load balancers poll from. Polls from elsewhere are answered too, but `hadown --wait`, `haroll` and the
        /// last-server guard do not count them, and they get no place that is kept for established pollers.
        pollers_from: Vec<Network> = Network::any(), networks();
        /// Whose connections may begin with a header of the PROXY protocol, version 1 or 2, so that the address in it is the
        /// poller's; `allow_from` is asked of both. Without one, or with one that tells no address, their own counts. Not
        /// for agent ports.
        proxy_protocol_from: Vec<Network> = Vec::new(), networks();
        /// Whether `POST /spool/…` may take services down and up.
        allow_remote_spool_changes: bool = false, flag();
        /// Where `POST /spool/…` may come from, when `allow_remote_spool_changes` is set.
        remote_spool_from: Vec<Network> = Network::any(), networks();
        /// Files with a bearer token each; with any, `POST /spool/…` must carry one of them (`Authorization: Bearer
        /// …`). Several make rotation possible. A token has 16 characters or more (`openssl rand -hex 32`). SIGHUP
        /// reads them again.
        remote_spool_tokens: Vec<PathBuf> = Vec::new(), paths("/etc/hacheck/spool.token");
        /// Clients whose certificates stand in for a token at `POST /spool/…`: their subject alternative names, DNS names
        /// or URIs such as `spiffe://example.com/deploy`, exactly. With any, the request must carry such a certificate or
        /// a token. Needs `tls_client_ca_file`.
        remote_spool_certs: Vec<String> = Vec::new(), certificate_names();
        /// Who may see the page of this host, `/ui`, and its data, `/overview` and `/downtimes`; `[]` switches them off.
        /// They hold who polls this host, what is down, and who took it down.
        page_from: Vec<Network> = Network::private(), networks();
        /// Names by which a browser may ask for that page, besides addresses, `localhost`, and this host's short and
        /// full name; `.example.com` means all names below it. So nobody can lead a browser here by a name of their
        /// own.
        page_hosts: Vec<String> = Vec::new(), host_names();
        /// Services whose state `/metrics` tells one by one (`hacheck_service_state`): those that are polled steadily from
        /// `pollers_from`, the ones that were polled most first. Each has seven series; 0 leaves them out.
        metrics_services: usize = 100, count("services", 0, 10_000);
        /// Most of a form that `POST /spool/…` takes; of a longer one the answer is 413.
        max_request_body: usize = 2 << 20, bytes(1 << 10, 1 << 30);
        /// Ports on which HTTP is answered within TLS, besides those in clear text.
        listen_tls: Vec<u16> = Vec::new(), ports(), restart;
        /// The certificate for these ports in PEM form, with those between it and its authority. SIGHUP reads it again;
        /// open connections keep the one that they began with.
        tls_cert_file: Option<PathBuf> = None, path("path of a file", "/etc/hacheck/cert.pem").or_unset();
        /// Its private key, in PEM form, without a passphrase.
        tls_key_file: Option<PathBuf> = None, path("path of a file", "/etc/hacheck/key.pem").or_unset();
        /// The authorities of clients' certificates, in PEM form. With it, a client is asked for its certificate; without
        /// one it may check as before.
        tls_client_ca_file: Option<PathBuf> = None, path("path of a file", "/etc/hacheck/clients.pem").or_unset();
        /// A unix socket to listen on too, for callers on this host; they count as 127.0.0.1. A socket that a dead
        /// daemon left behind is replaced.
        listen_unix: Option<PathBuf> = None, path("path of a socket", "/run/hacheck/hacheck.sock").or_unset(), restart;
        /// Who may connect to that socket: the file's permissions.
        listen_unix_mode: u32 = 0o660, mode(), restart;
        /// Ports on which HAProxy's `agent-check` is answered; `--agent-port` wins.
        agent_ports: Vec<u16> = Vec::new(), ports(), restart;
        /// Whether agents are also told weights: `up 100%`, and `up 0%` after `hadown --drain`. hacheck then owns the
        /// weight: what an admin sets with `set weight` is undone at the next answer.
        agent_weights: bool = false, flag();
        /// Whether answers of a downtime carry `x-envoy-immediate-health-check-fail`, by which Envoy leaves the host out of its
        /// panic calculation, so that panic mode sends it no traffic either. Envoy acts on the first 503 in any case,
        /// unless its health check has `retriable_statuses`.
        envoy_immediate_fail: bool = true, flag();
        /// How long running requests may take to end after SIGTERM.
        shutdown_timeout: Duration = Duration::from_secs(1), seconds(0.0, 3600.0), restart;
        /// The file of the fleet, such as `/etc/hacheck/fleet.yml`: orders for all hosts, kept in etcd. Unset: no fleet.
        fleet_file: Option<PathBuf> = None, path("path of a file", "/etc/hacheck/fleet.yml").or_unset(), restart;
        /// The soft limit of open files; `max` is the hard limit, unset leaves what was inherited.
        rlimit_nofile: Option<FileLimit> = None, file_limit().or_unset(), restart;
    }
}

impl DaemonSettings {
    /// The files that listeners with TLS need, where they are named.
    #[must_use]
    pub(crate) fn tls_files(&self) -> Option<TlsFiles<'_>> {
        Some(TlsFiles {
            certificate: self.tls_cert_file.as_deref()?,
            key: self.tls_key_file.as_deref()?,
            client_authorities: self.tls_client_ca_file.as_deref(),
        })
    }
}

impl DaemonSettings {
    /// Whether load balancers poll from an address.
    pub(crate) fn is_poller(&self, address: IpAddr) -> bool {
        Network::any_contains(&self.pollers_from, address)
    }
}

/// Host names, and suffixes of such, which begin with a dot.
fn host_names() -> Kind<Vec<String>> {
    let read = |reader: &Reader<'_>| reader.each(read_host_name);
    let show = |names: &Vec<String>| list(names);
    Kind::new("list of host names", read, show)
}

fn read_host_name(reader: &Reader<'_>) -> Option<String> {
    let remedy = "write one such as web01.example.com, or .example.com";
    reader.parsed("is not a host name", remedy, host_name)
}

fn host_name(text: &str) -> Option<String> {
    // Browsers send names in lower case, whatever was typed.
    let name = text.trim().to_ascii_lowercase();
    // A dot in front means all names below, and is no part of a name.
    let bare = name.strip_prefix('.').unwrap_or(&name);
    let fits = !bare.is_empty() && bare.bytes().all(is_name_byte);
    fits.then_some(name)
}

/// Names as they stand in certificates.
fn certificate_names() -> Kind<Vec<String>> {
    let read = |reader: &Reader<'_>| reader.each(read_certificate_name);
    let show = |names: &Vec<String>| list(names);
    Kind::new("list of names in certificates", read, show)
}

fn read_certificate_name(reader: &Reader<'_>) -> Option<String> {
    let remedy = "write one such as deploy.example.com or spiffe://example.com/deploy";
    reader.parsed("is not a name in a certificate", remedy, certificate_name)
}

fn certificate_name(text: &str) -> Option<String> {
    // Names are compared as they are: a `*` would not be a pattern.
    let fits = |c: char| c.is_ascii_graphic() && c != '*';
    let is_name = !text.is_empty() && text.chars().all(fits);
    is_name.then(|| text.to_owned())
}

fn file_limit() -> Kind<FileLimit> {
    let show = |limit: &FileLimit| match limit {
        FileLimit::Max => "max".into(),
        FileLimit::Number(n) => n.to_string(),
    };
    Kind::new("number or `max`", read_file_limit, show).unit("files")
}

/// `max` or a number of files. Below 64 the daemon could not serve at all; the kernel ends at 2^31.
fn read_file_limit(reader: &Reader<'_>) -> Option<FileLimit> {
    const MOST: u64 = 1 << 31;
    if reader.word().as_deref() == Some("max") {
        return Some(FileLimit::Max);
    }

    let files = reader.whole_or(64, MOST, " or 'max'")?;
    Some(FileLimit::Number(files))
}
