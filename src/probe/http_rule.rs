//! What an HTTP upstream's answer must be like, where a status alone does not say enough.

use regex::bytes::{Regex, RegexBuilder};

use super::Header;
use crate::settings::{Reader, Secret, quoted};

/// Most bytes of memory for a compiled expression.
const REGEX_MAX: usize = 1 << 20;

/// The methods that a check may use.
const METHODS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "POST"];

/// The rule of one service. What is not set is not asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpRule {
    /// The statuses that pass, as ranges with both ends; 200 to 399 when unset.
    pub status: Vec<(u16, u16)>,
    /// A text that must be in the body.
    pub body_contains: Option<String>,
    /// An expression that must match in the body.
    pub body_regex: Option<Pattern>,
    /// Request headers to send besides, or in place of, the usual ones. A value may be a credential.
    pub headers: Vec<(Header, Secret)>,
    /// The method to ask by.
    pub method: &'static str,
}

/// A regular expression; two are the same when their texts are.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Pattern {
    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it matches somewhere, in time linear in the length of the text.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }
}

impl Default for HttpRule {
    fn default() -> Self {
        Self {
            status: vec![(200, 399)],
            body_contains: None,
            body_regex: None,
            headers: Vec::new(),
            method: "GET",
        }
    }
}

impl HttpRule {
    /// Reads a rule.
    pub fn read(reader: &Reader<'_>) -> Option<Self> {
        let fields =
            reader.fields(&["status", "body_contains", "body_regex", "headers", "method"])?;
        let mut rule = Self::default();
        let mut good = true;
        let mut faulty = |read: bool| good &= read;
        if let Some(value) = fields.get("status") {
            let ranges = value.each(statuses);
            faulty(ranges.as_ref().is_some_and(|r| !r.is_empty()));
            rule.status = ranges.unwrap_or_default();
        }
        if let Some(value) = fields.get("body_contains") {
            rule.body_contains = value.text();
            faulty(rule.body_contains.is_some());
        }
        if let Some(value) = fields.get("body_regex") {
            rule.body_regex = pattern(value);
            faulty(rule.body_regex.is_some());
        }
        if let Some(value) = fields.get("headers") {
            let headers = headers(value);
            faulty(headers.is_some());
            rule.headers = headers.unwrap_or_default();
        }
        if let Some(value) = fields.get("method") {
            let method = method(value);
            faulty(method.is_some());
            rule.method = method.unwrap_or("GET");
        }
        if rule.method == "HEAD"
            && let Some(value) = fields
                .get("body_contains")
                .or_else(|| fields.get("body_regex"))
        {
            value.fault(
                "can never be found in an answer to HEAD, which has no body",
                "use method: GET",
            );
            good = false;
        }
        good.then_some(rule)
    }

    /// The rule as YAML.
    pub fn show(&self) -> String {
        let default = Self::default();
        let mut parts = Vec::new();
        if self.status != default.status {
            let range = |(from, to): &(u16, u16)| {
                if from == to {
                    from.to_string()
                } else {
                    format!("{from}-{to}")
                }
            };
            parts.push(format!(
                "status: [{}]",
                self.status.iter().map(range).collect::<Vec<_>>().join(", ")
            ));
        }
        parts.extend(
            self.body_contains
                .as_ref()
                .map(|t| format!("body_contains: {}", quoted(t))),
        );
        parts.extend(
            self.body_regex
                .as_ref()
                .map(|p| format!("body_regex: {}", quoted(p.text()))),
        );
        if !self.headers.is_empty() {
            let header =
                |(header, _): &(Header, Secret)| format!("{}: \"***\"", quoted(header.written()));
            parts.push(format!(
                "headers: {{{}}}",
                self.headers
                    .iter()
                    .map(header)
                    .collect::<Vec<_>>()
                    .join(", ")
            ));
        }
        if self.method != default.method {
            parts.push(format!("method: {}", self.method));
        }
        format!("{{{}}}", parts.join(", "))
    }
}

fn statuses(reader: &Reader<'_>) -> Option<(u16, u16)> {
    let code = |t: &str| {
        t.trim()
            .parse::<u16>()
            .ok()
            .filter(|n| (100..=599).contains(n))
    };
    reader.parsed(
        "is no status",
        "write 100 to 599, or a range such as 200-299",
        |text| {
            let (from, to) = text.split_once('-').map_or((text, text), |range| range);
            let range = (code(from)?, code(to)?);
            (range.0 <= range.1).then_some(range)
        },
    )
}

fn pattern(reader: &Reader<'_>) -> Option<Pattern> {
    let text = reader.text()?;
    match RegexBuilder::new(&text).size_limit(REGEX_MAX).build() {
        Ok(regex) => Some(Pattern(regex)),
        Err(e) => {
            let said = e.to_string();
            let cause = said
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            reader.fault(
                format_args!("is no regular expression ({cause})"),
                "mend it, or use body_contains",
            );
            None
        }
    }
}

fn headers(reader: &Reader<'_>) -> Option<Vec<(Header, Secret)>> {
    let read = |(name, value): &(&str, Reader<'_>)| {
        let Some(header) = Header::parse(name).filter(|header| !header.is_hop_by_hop()) else {
            value.fault_of_key(
                "is not a header that can be sent",
                "write one such as X-Request-Id",
            );
            return None;
        };
        let good = |t: &str| {
            hyper::header::HeaderValue::from_str(t)
                .ok()
                .map(|_| t.to_owned())
        };
        let text = value.clone().secret().parsed(
            "cannot be the value of a header",
            "write printable text on one line",
            good,
        )?;
        Some((header, Secret::new(text)))
    };
    let read: Vec<_> = reader.entries()?.iter().map(read).collect();
    read.into_iter().collect()
}

fn method(reader: &Reader<'_>) -> Option<&'static str> {
    reader.parsed(
        "is not a method for checks",
        "write GET, HEAD, OPTIONS or POST",
        |text| {
            METHODS
                .into_iter()
                .find(|m| m.eq_ignore_ascii_case(text.trim()))
        },
    )
}
