//! The lines of `hastatus` and `hashowdowned`. Rule: one entry is one line, whatever its reason holds.

use serde::Serialize;

use crate::cli::failure::Failure;
use crate::spool::{Downtime, Key};

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `DOWN\t<expiration or inf>\tservice[:host:port]\treason`, as in the Yelp fork.
    Tsv,
    /// `DOWN\tservice\treason`, as in the original.
    Uber,
    /// An array of objects.
    Json,
}

impl Format {
    /// Parses the value of `-o`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "tsv" => Ok(Self::Tsv),
            "uber" => Ok(Self::Uber),
            "json" => Ok(Self::Json),
            _ => Err(Failure::usage(format!(
                "-o: {text:?} is not a format; give tsv, uber or json"
            ))),
        }
    }
}

/// The state of one spool entry.
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a Key,
    /// The host to show.
    pub(crate) host: Option<&'a str>,
    /// `None` is up.
    pub(crate) downtime: Option<Downtime>,
}

/// The entries as text.
pub(crate) fn text(entries: &[Entry], format: Format) -> String {
    match format {
        Format::Tsv => entries.iter().map(tsv).collect(),
        Format::Uber => entries.iter().map(uber).collect(),
        Format::Json => json(entries),
    }
}

fn tsv(entry: &Entry) -> String {
    let service = entry.key.service_name();
    let Some(downtime) = &entry.downtime else {
        return format!("UP\t{service}\n");
    };
    let expiration = downtime
        .expiration
        .map_or("inf".to_owned(), |e| format!("{e:.6}"));
    let instance = entry
        .key
        .port()
        .map(|port| format!(":{}:{port}", entry.host.unwrap_or_default()));
    format!(
        "DOWN\t{expiration}\t{service}{}\t{}\n",
        instance.unwrap_or_default(),
        downtime.one_line()
    )
}

fn uber(entry: &Entry) -> String {
    match &entry.downtime {
        None => format!("UP\t{}\n", entry.key),
        Some(downtime) => format!("DOWN\t{}\t{}\n", entry.key, downtime.one_line()),
    }
}

#[derive(Serialize)]
struct Object<'a> {
    service: &'a str,
    host: Option<&'a str>,
    port: Option<u16>,
    state: &'static str,
    reason: Option<&'a str>,
    creation: Option<f64>,
    expiration: Option<f64>,
}

fn json(entries: &[Entry]) -> String {
    let object = |e: &Entry| {
        let downtime = e.downtime.as_ref();
        let object = Object {
            service: e.key.service_name().as_str(),
            host: e.host,
            port: e.key.port(),
            state: if downtime.is_some() { "down" } else { "up" },
            reason: downtime
                .map(|d| d.reason.as_str())
                .filter(|r| !r.is_empty()),
            creation: downtime.and_then(|d| d.creation),
            expiration: downtime.and_then(|d| d.expiration),
        };
        // Texts and numbers always fit into JSON.
        serde_json::to_string(&object).unwrap_or_default()
    };
    format!(
        "[{}]\n",
        entries.iter().map(object).collect::<Vec<_>>().join(",\n ")
    )
}
