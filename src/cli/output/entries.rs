//! The lines of `hastatus` and `hashowdowned`. Rule: one entry is one line, whatever its reason
//! holds.

use serde::Serialize;

use crate::cli::failure::{Failure, usage};
use crate::cli::output::table::{table, width};
use crate::cli::output::times;
use crate::names::text::one_line;
use crate::spool::{Downtime, Key, Mark};

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// `DOWN\t<expiration or inf>\tservice[:host:port]\treason`, as Yelp hacheck prints it.
    Tsv,
    /// `DOWN\tservice\treason`, as Uber hacheck prints it.
    Uber,
    /// An array of objects.
    Json,
    /// Columns for people.
    Table,
}

impl OutputFormat {
    /// Parses the value of `-o`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "tsv" => Ok(Self::Tsv),
            "uber" => Ok(Self::Uber),
            "json" => Ok(Self::Json),
            "table" => Ok(Self::Table),
            _ => Err(usage!(
                "-o: {text:?} is not a format; give tsv, uber, json or table"
            )),
        }
    }
}

/// The state of one spool entry.
pub(crate) struct EntryState<'a> {
    pub(crate) key: &'a Key,
    /// The host to show.
    pub(crate) host: Option<&'a str>,
    /// Its port stands in one word with the service, where that was asked for: so it shows in an UP line too, in which
    /// Yelp hacheck leaves out what options say.
    pub(crate) names_port: bool,
    /// `None` is up.
    pub(crate) downtime: Option<Downtime>,
    /// Whose file it is, where there is one.
    pub(crate) owner: Option<String>,
}

/// The entries as text.
pub(crate) fn text(entries: &[EntryState], format: OutputFormat) -> String {
    match format {
        OutputFormat::Tsv => entries.iter().map(tsv).collect(),
        OutputFormat::Uber => entries.iter().map(uber).collect(),
        OutputFormat::Json => json(entries),
        OutputFormat::Table => for_people(entries),
    }
}

fn tsv(entry: &EntryState) -> String {
    let service = entry.key.service_name();
    let Some(downtime) = &entry.downtime else {
        return match entry.names_port {
            true => format!("UP\t{}\n", entry.key),
            false => format!("UP\t{service}\n"),
        };
    };

    let expiration = exact_end(downtime.expiration);
    let instance = instance(entry);
    let reason = downtime.one_line();
    // Contract: scripts cut these lines at their tabs.
    format!("DOWN\t{expiration}\t{service}{instance}\t{reason}\n")
}

/// When a downtime ends, for programs.
pub(crate) fn exact_end(until: Option<f64>) -> String {
    match until {
        Some(end) => format!("{end:.6}"),
        None => "inf".to_owned(),
    }
}

fn instance(entry: &EntryState) -> String {
    match entry.key.port() {
        Some(port) => format!(":{}:{port}", entry.host.unwrap_or_default()),
        None => String::new(),
    }
}

fn uber(entry: &EntryState) -> String {
    match &entry.downtime {
        None => format!("UP\t{}\n", entry.key),
        Some(downtime) => format!("DOWN\t{}\t{}\n", entry.key, downtime.one_line()),
    }
}

const HEADS: [&str; 7] = [
    "STATE", "SERVICE", "SINCE", "UNTIL", "BY", "TOLD AS", "REASON",
];

fn for_people(entries: &[EntryState]) -> String {
    let rows: Vec<_> = entries.iter().map(cells).collect();
    table(HEADS, &rows, width())
}

fn cells(entry: &EntryState) -> [String; 7] {
    let service = entry.key.to_string();
    let Some(downtime) = &entry.downtime else {
        let mut up = <[String; 7]>::default();
        up[0].push_str("UP");
        up[1] = service;
        return up;
    };

    let by = downtime.by().or(entry.owner.as_deref()).unwrap_or_default();
    let by = match downtime.origin() {
        Some(origin) => format!("{by} ({origin})"),
        None => by.to_owned(),
    };

    [
        "DOWN".to_owned(),
        service,
        moment(downtime.creation, "?"),
        moment(downtime.expiration, "lifted"),
        one_line(&by),
        downtime.mark().map_or("503", Mark::as_str).to_owned(),
        downtime.one_line(),
    ]
}

/// A time, or a word where there is none.
pub(crate) fn moment(unix: Option<f64>, unknown: &str) -> String {
    match unix {
        Some(unix) => times::brief(unix),
        None => unknown.to_owned(),
    }
}

#[derive(Default, Serialize)]
struct EntryJson<'a> {
    service: &'a str,
    host: Option<&'a str>,
    port: Option<u16>,
    state: &'static str,
    reason: Option<&'a str>,
    creation: Option<f64>,
    expiration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    /// Whose file it is: who wrote it, where nothing else says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
}

fn json(entries: &[EntryState]) -> String {
    let mut objects = Vec::new();
    for entry in entries {
        // Texts and numbers always fit into JSON.
        objects.push(serde_json::to_string(&object(entry)).unwrap_or_default());
    }

    array_of_lines(&objects)
}

/// A JSON array of objects that are texts already, one on a line.
pub(crate) fn array_of_lines(objects: &[String]) -> String {
    format!("[{}]\n", objects.join(",\n "))
}

fn object<'a>(entry: &'a EntryState) -> EntryJson<'a> {
    let up = EntryJson {
        service: entry.key.service_name().as_str(),
        host: entry.host,
        port: entry.key.port(),
        state: "up",
        ..EntryJson::default()
    };

    let Some(downtime) = &entry.downtime else {
        return up;
    };

    // As it is, line breaks and all: JSON escapes them.
    let reason = Some(downtime.reason.as_str());
    EntryJson {
        state: "down",
        reason: reason.filter(|reason| !reason.is_empty()),
        creation: downtime.creation,
        expiration: downtime.expiration,
        by: downtime.by(),
        origin: downtime.origin(),
        owner: entry.owner.as_deref(),
        mark: downtime.mark().map(Mark::as_str),
        ..up
    }
}
