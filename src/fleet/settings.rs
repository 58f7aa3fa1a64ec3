//! `fleet.yml`: which fleet this host belongs to, where its engine is, and by which certificates it is spoken to. The
//! daemon and the commands read the same file.
//!
//! Rule: no secret stands in it. Each setting is declared once; all faults are found at once.

mod endpoint;
mod relations;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::endpoint::Endpoint;
use super::{HOST_TAG, Paths, is_host_name, is_tag};
use crate::names::{ServiceName, fits_url};
use crate::os::host_names::HostNames;
use crate::os::process::Argv;
use crate::settings::{
    self, ExaminedFile, Fault, FaultSink, Faults, Fields, Kind, Node, Reader, Setting, WarnOfMore,
    YamlValue, collect, command, content, list, map, map_of_settings, path, quoted, read_table,
    read_text, seconds, settings,
};

/// The file unless told otherwise.
pub const DEFAULT_FILE: &str = "/etc/hacheck/fleet.yml";

/// What names the file.
const OPTION: &str = "--fleet-file";

/// What stands for the host in `via`.
pub const HOST_IN_VIA: &str = "{host}";

/// Most characters of a name, and of a tag's value.
const NAME_MAX: usize = 64;

settings! {
    /// What `fleet.yml` says.
    pub struct FleetSettings {
        /// The name of the fleet, which all of its hosts share; part of every key in the engine. Required.
        fleet: String = String::new(), fleet_name();
        /// The members of the etcd cluster, each as `https://host:2379`. Required. They are tried in random order.
        endpoints: Vec<Endpoint> = Vec::new(), endpoints();
        /// The beginning of every key in the engine.
        prefix: String = "/hacheck/v1".to_owned(), prefix();
        /// The authorities of the members' certificates, in PEM form; the system's when unset.
        ca_file: Option<PathBuf> = None, pem("/etc/hacheck/etcd-ca.pem").or_unset();
        /// The daemon's certificate, in PEM form; its CN is the user of etcd.
        cert_file: Option<PathBuf> = None, pem("/etc/hacheck/etcd-host.pem").or_unset();
        /// Its private key, in PEM form, without a passphrase.
        key_file: Option<PathBuf> = None, pem("/etc/hacheck/etcd-host.key").or_unset();
        /// The commands' certificate, in PEM form, readable by the group `hacheck-ops`; `HACHECK_FLEET_CERT` wins.
        ops_cert_file: Option<PathBuf> = None, pem("/etc/hacheck/etcd-ops.pem").or_unset();
        /// Its private key; `HACHECK_FLEET_KEY` wins.
        ops_key_file: Option<PathBuf> = None, pem("/etc/hacheck/etcd-ops.key").or_unset();
        /// The user of etcd, where certificates have no CN.
        username: Option<String> = None, settings::text().or_unset();
        /// A file that holds that user's password and nothing else.
        password_file: Option<PathBuf> = None, path("path of a file", "/etc/hacheck/etcd.password").or_unset();
        /// The name of this host in the fleet; the host's own name, without its domain, when unset.
        host: Option<String> = None, host_name().or_unset();
        /// What is told of this host for `--where`, such as `{zone: a, cluster: blue}`.
        tags: BTreeMap<String, String> = BTreeMap::new(), tags();
        /// The services that this host serves; those that were polled lately when unset.
        services: Option<Vec<String>> = None, services().or_unset();
        /// The folder of what the fleet has ordered of this host, and of waivers.
        state_dir: PathBuf = PathBuf::from("/var/lib/hacheck/fleet"), path("path of a folder", "/var/lib/hacheck/fleet");
        /// After how long a silent host counts as lost. It is kept alive every third of this.
        lease: Duration = Duration::from_secs(60), seconds(2.0, 3600.0);
        /// How long the engine may take for an answer, and how long a command waits for the hosts unless it says so.
        timeout: Duration = Duration::from_secs(5), seconds(0.1, 3600.0);
        /// How often the orders are read again, though nothing has changed.
        reconcile: Duration = Duration::from_secs(300), seconds(1.0, 86_400.0);
        /// After a boot of the host: how long it answers 503 at most until it has read the orders. 0 serves at once by
        /// what the disk says.
        boot_wait: Duration = Duration::ZERO, seconds(0.0, 3600.0);
        /// How `haroll --fleet` runs a command on another host; `{host}` stands for its name.
        via: Argv = ssh(), via();
    }
}

impl FleetSettings {
    /// The name of this host in the fleet.
    #[must_use]
    pub fn host_name(&self) -> String {
        match &self.host {
            Some(name) => name.clone(),
            None => HostNames::read().short,
        }
    }

    /// The keys of this fleet in the engine.
    #[must_use]
    pub fn paths(&self) -> Paths {
        Paths::new(&self.prefix, &self.fleet)
    }

    /// The settings as YAML that can be used as the file.
    #[must_use]
    pub fn effective(&self) -> String {
        settings::effective(&Self::table(), self)
    }

    /// The reference of all settings as a table in Markdown.
    #[must_use]
    pub fn reference_markdown() -> String {
        settings::reference_markdown(&Self::table())
    }
}

/// Reads the file, and looks for the files that it names.
#[must_use]
pub fn examine(path: &Path) -> ExaminedFile<FleetSettings> {
    let name = path.to_string_lossy();
    match content(&name, File::open(path), OPTION) {
        // Only here: the daemon may be able to read what whoever asks cannot.
        Ok(bytes) => read_all(&bytes, &name, relations::warn_of_named_files),
        Err(faults) => ExaminedFile {
            value: FleetSettings::default(),
            warnings: Vec::new(),
            faults: Some(faults),
        },
    }
}

/// Reads the file; gives what is odd about it, too.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path) -> Result<(FleetSettings, Vec<Fault>), Faults> {
    let name = path.to_string_lossy();
    let bytes = content(&name, File::open(path), OPTION)?;
    parse(&bytes, &name)
}

/// Reads the text of the file; `name` is the file's name in messages.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &[u8], name: &str) -> Result<(FleetSettings, Vec<Fault>), Faults> {
    let file = read_all(text, name, |_, _| {});
    match file.faults {
        Some(faults) => Err(faults),
        None => Ok((file.value, file.warnings)),
    }
}

fn read_all(
    text: &[u8],
    name: &str,
    look: WarnOfMore<FleetSettings>,
) -> ExaminedFile<FleetSettings> {
    read_text(text, name, &|_| false, |root, sink| read(root, sink, look))
}

fn read(root: &Node, sink: &FaultSink, look: WarnOfMore<FleetSettings>) -> FleetSettings {
    let table = FleetSettings::table();
    let Some(fields) = fields(root, sink, &table) else {
        // What is no map at all was told already; an empty file lacks what any other would.
        if matches!(root.value, YamlValue::Null) {
            expect(root, sink, |_| false);
        }
        return FleetSettings::default();
    };

    let settings = read_table(&table, &fields);
    expect(root, sink, |key| fields.get(key).is_some());
    relations::check(&settings, &fields);
    look(&settings, &fields);
    settings
}

fn expect(root: &Node, sink: &FaultSink, is_there: impl Fn(&str) -> bool) {
    for key in REQUIRED {
        if !is_there(key) {
            missing(root, sink, key);
        }
    }
}

/// What has no default.
const REQUIRED: &[&str] = &["fleet", "endpoints"];

/// Notes that a key is not in the file.
fn missing(root: &Node, sink: &FaultSink, key: &str) {
    let example = match key {
        "fleet" => "fleet: shop",
        _ => "endpoints: [https://etcd1:2379]",
    };
    sink.fault(root.mark, key, format!("is missing; write '{example}'"));
}

/// What people look for in the file, and is elsewhere.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "password",
        "put it alone into a file, and name that with password_file",
    ),
    ("fleet_file", "set it in hacheck.yml, which names this file"),
];

fn fields<'a>(
    root: &'a Node,
    sink: &'a FaultSink,
    table: &[Setting<FleetSettings>],
) -> Option<Fields<'a>> {
    let known: Vec<&str> = table.iter().map(|setting| setting.name).collect();
    map_of_settings(root, sink, "fleet: shop")?.fields_or(&known, ELSEWHERE)
}

fn ssh() -> Argv {
    const SSH: &str = "ssh -o BatchMode=yes -o ServerAliveInterval=15 -- {host}";
    // A text with plain words in it is a command.
    Argv::split(SSH).unwrap_or_else(|_| unreachable!("{SSH} is a command"))
}

fn pem(example: &'static str) -> Kind<PathBuf> {
    path("path of a PEM file", example)
}

fn fleet_name() -> Kind<String> {
    let read = |reader: &Reader<'_>| {
        let remedy = "use up to 64 letters, digits, '.', '_' and '-', a letter or digit first";
        reader.parsed("is not a name for a fleet", remedy, name)
    };
    Kind::new("name", read, |name| quoted(name))
}

fn name(text: &str) -> Option<String> {
    is_name(text).then(|| text.to_owned())
}

/// Whether a text can name a fleet.
fn is_name(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    begins && text.len() <= NAME_MAX && fits_url(text)
}

fn tag_value(text: &str) -> Option<String> {
    // In characters: what people write here may be in any script.
    let length = text.chars().count();
    let fits = (1..=NAME_MAX).contains(&length) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn endpoints() -> Kind<Vec<Endpoint>> {
    let show = |endpoints: &Vec<Endpoint>| list(endpoints);
    Kind::new("list of URLs", read_endpoints, show)
}

fn read_endpoints(reader: &Reader<'_>) -> Option<Vec<Endpoint>> {
    let found = reader.each(read_endpoint)?;
    if found.is_empty() {
        reader.fault_of_key("has no endpoint", "write one such as https://etcd1:2379");
        return None;
    }

    Some(found)
}

fn read_endpoint(reader: &Reader<'_>) -> Option<Endpoint> {
    let remedy = "write one such as https://etcd1:2379";
    reader.parsed("is not an endpoint of etcd", remedy, Endpoint::parse)
}

fn prefix() -> Kind<String> {
    let read = |reader: &Reader<'_>| {
        let remedy = "write one such as /hacheck/v1, without a slash at the end";
        reader.parsed("is not a prefix of keys", remedy, prefix_of)
    };
    Kind::new("prefix", read, |prefix| quoted(prefix))
}

fn prefix_of(text: &str) -> Option<String> {
    let parts = text.strip_prefix('/')?;
    parts.split('/').all(is_name).then(|| text.to_owned())
}

fn host_name() -> Kind<String> {
    let read = |reader: &Reader<'_>| {
        let remedy = "use letters, digits, '.' and '-', a letter or digit first";
        reader.parsed("is not the name of a host", remedy, host)
    };
    Kind::new("name", read, |name| quoted(name))
}

fn host(text: &str) -> Option<String> {
    is_host_name(text).then(|| text.to_owned())
}

fn tags() -> Kind<BTreeMap<String, String>> {
    let read = |reader: &Reader<'_>| collect(reader, read_tag);
    let show = |tags: &BTreeMap<String, String>| map(tags, |value| quoted(value));
    Kind::new("map of tags", read, show)
}

fn read_tag(tag: &str, reader: &Reader<'_>) -> Option<String> {
    if tag == HOST_TAG {
        reader.fault_of_key("is a tag that every host has", "set host: instead");
        return None;
    }

    if !is_tag(tag) {
        let remedy = "use letters, digits, '.', '_' and '-'";
        reader.fault_of_key("is not a name for a tag", remedy);
        return None;
    }

    let remedy = "write one text of up to 64 characters";
    reader.parsed("is not a value of a tag", remedy, tag_value)
}

fn services() -> Kind<Vec<String>> {
    let read = |reader: &Reader<'_>| reader.each(read_service);
    Kind::new("list of services", read, |names: &Vec<String>| list(names))
}

fn read_service(reader: &Reader<'_>) -> Option<String> {
    let remedy = "use letters, digits, '.', '_' and '-'";
    reader.parsed("is not the name of a service", remedy, service)
}

fn service(text: &str) -> Option<String> {
    let name = ServiceName::parse(text).ok()?;
    Some(name.as_str().to_owned())
}

fn via() -> Kind<Argv> {
    Kind::new("command", read_via, |argv: &Argv| list(argv.words()))
}

fn read_via(reader: &Reader<'_>) -> Option<Argv> {
    let argv = command(reader)?;
    // Else what is meant for each host would run at one and the same place.
    let names_host = argv.words().iter().any(|word| word.contains(HOST_IN_VIA));
    if !names_host {
        reader.fault_of_key("names no host", "write {host} where its name belongs");
        return None;
    }

    Some(argv)
}

#[cfg(test)]
mod tests;
