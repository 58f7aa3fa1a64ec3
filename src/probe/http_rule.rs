//! What an HTTP upstream's answer must be like, where a status alone does not say enough.

use hyper::header::HeaderValue;
use regex::bytes::{Regex, RegexBuilder};

use super::Header;
use crate::settings::{Kind, Reader, Secret, quoted, read_part, settings, show_part, text};

/// Most bytes of memory for a compiled expression.
const REGEX_MAX: usize = 1 << 20;

/// The methods that a check may use.
const METHODS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "POST"];

const STATUS_REMEDY: &str = "write 100 to 599, or a range such as 200-299";

settings! {
    /// The rule of one service. What is not set is not asked for.
    pub struct HttpRule {
        /// The statuses that pass, as ranges with both ends; 200 to 399 unless set.
        status: Option<Vec<(u16, u16)>> = None, statuses().or_unset();
        /// A text that must be in the body.
        body_contains: Option<String> = None, text().or_unset();
        /// An expression that must match in the body.
        body_regex: Option<Pattern> = None, pattern().or_unset();
        /// Request headers to send besides, or in place of, the usual ones. A value may be a credential.
        request_headers: Option<Vec<(Header, Secret)>> = None, headers().or_unset();
        /// The method to ask by, GET unless set.
        method: Option<&'static str> = None, method().or_unset();
    }
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

impl HttpRule {
    /// Reads a rule, or notes faults.
    pub fn read(reader: &Reader<'_>) -> Option<Self> {
        let (rule, fields) = read_part(&Self::table(), reader)?;
        // Each is right by itself; together they make a check that can only fail.
        let of_body = fields.get("body_contains").or(fields.get("body_regex"));
        if rule.method == Some("HEAD")
            && let Some(value) = of_body
        {
            value.fault(
                "can never be found in an answer to HEAD, which has no body",
                "use method: GET",
            );
        }

        Some(rule)
    }

    /// Puts what another rule says in place of what this one says.
    pub(super) fn replace_by(&mut self, other: &Self) {
        replace(&mut self.status, &other.status);
        replace(&mut self.body_contains, &other.body_contains);
        replace(&mut self.body_regex, &other.body_regex);
        replace(&mut self.request_headers, &other.request_headers);
        replace(&mut self.method, &other.method);
    }

    /// Whether a status passes.
    pub(super) fn passes(&self, status: u16) -> bool {
        let Some(ranges) = &self.status else {
            return (200..400).contains(&status);
        };

        let mut ranges = ranges.iter();
        ranges.any(|(from, to)| (*from..=*to).contains(&status))
    }

    /// The request headers of the rule.
    pub(super) fn request_headers(&self) -> &[(Header, Secret)] {
        self.request_headers.as_deref().unwrap_or_default()
    }

    /// The rule as YAML.
    pub fn show(&self) -> String {
        show_part(&Self::table(), self)
    }
}

fn replace<T: Clone>(own: &mut Option<T>, other: &Option<T>) {
    if other.is_some() {
        own.clone_from(other);
    }
}

fn statuses() -> Kind<Vec<(u16, u16)>> {
    let show = |ranges: &Vec<(u16, u16)>| {
        let texts: Vec<_> = ranges.iter().map(range_text).collect();
        format!("[{}]", texts.join(", "))
    };
    Kind::new("list of statuses", read_statuses, show)
}

fn range_text((from, to): &(u16, u16)) -> String {
    if from == to {
        from.to_string()
    } else {
        format!("{from}-{to}")
    }
}

fn read_statuses(reader: &Reader<'_>) -> Option<Vec<(u16, u16)>> {
    // With an empty list every check would fail, which nobody means.
    if reader.item_count() == 0 {
        reader.fault_of_key("lets no status pass", STATUS_REMEDY);
        return None;
    }

    reader.each(|item| item.parsed("is no status", STATUS_REMEDY, parse_range))
}

fn parse_range(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let range = (parse_status(from)?, parse_status(to)?);
    (range.0 <= range.1).then_some(range)
}

fn parse_status(text: &str) -> Option<u16> {
    let status = text.trim().parse().ok()?;
    (100..=599).contains(&status).then_some(status)
}

pub(super) fn pattern() -> Kind<Pattern> {
    Kind::new("regular expression", read_pattern, |p| quoted(p.text()))
}

fn read_pattern(reader: &Reader<'_>) -> Option<Pattern> {
    let text = reader.text()?;
    // Limited, as a repetition within a repetition is short to write and huge when it is compiled.
    match RegexBuilder::new(&text).size_limit(REGEX_MAX).build() {
        Ok(regex) => Some(Pattern(regex)),
        Err(e) => {
            let what = format!("is no regular expression ({})", regex_cause(&e.to_string()));
            reader.fault(what, "mend it, or use body_contains");
            None
        }
    }
}

/// What the library says at last; before it draws the expression, on several lines.
fn regex_cause(said: &str) -> &str {
    let last_line = said.lines().last().unwrap_or_default();
    last_line.trim_start_matches("error: ")
}

fn headers() -> Kind<Vec<(Header, Secret)>> {
    let show = |headers: &Vec<(Header, Secret)>| headers_text(headers);
    Kind::new("map of headers", read_headers, show)
}

fn headers_text(headers: &[(Header, Secret)]) -> String {
    let mut texts = Vec::new();
    for (header, _) in headers {
        texts.push(format!("{}: \"***\"", quoted(header.written())));
    }

    format!("{{{}}}", texts.join(", "))
}

fn read_headers(reader: &Reader<'_>) -> Option<Vec<(Header, Secret)>> {
    let entries = reader.entries()?.into_iter();
    // In two steps, as collecting into an Option would stop at the first fault.
    let read: Vec<_> = entries
        .map(|(name, value)| read_header(name, &value))
        .collect();
    read.into_iter().collect()
}

fn read_header(name: &str, value: &Reader<'_>) -> Option<(Header, Secret)> {
    let Some(header) = Header::parse(name).filter(|header| !header.is_hop_by_hop()) else {
        value.fault_of_key(
            "is not a header that can be sent",
            "write one such as X-Request-Id",
        );
        return None;
    };

    // Read as a secret, so that no fault quotes it.
    let text = value.clone().secret().parsed(
        "cannot be the value of a header",
        "write printable text on one line",
        |text| HeaderValue::from_str(text).is_ok().then(|| text.to_owned()),
    )?;
    Some((header, Secret::new(text)))
}

fn method() -> Kind<&'static str> {
    let show = |method: &&'static str| (*method).to_owned();
    Kind::new("method", read_method, show)
}

fn read_method(reader: &Reader<'_>) -> Option<&'static str> {
    let remedy = "write GET, HEAD, OPTIONS or POST";
    reader.parsed("is not a method for checks", remedy, |text| {
        let mut methods = METHODS.into_iter();
        methods.find(|method| method.eq_ignore_ascii_case(text.trim()))
    })
}
