//! One downtime: what a spool file says, and the text that a balancer gets to read.
//!
//! Rule: any content is a downtime. A JSON object gives reason, expiration and creation; everything else, even
//! nothing, is a reason. Values of a wrong type are ignored, never a cause to be up.

mod python_json;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use self::python_json::{ascii_only, json_object};
use crate::names::text::{beginning, one_line};

/// Most bytes of a reason that are written. As JSON in ASCII they are three times as many at most (control characters
/// are more, but no command line or form has so many), so the file stays below what is read of it.
pub const REASON_MAX: usize = 256 << 10;

/// How a downtime is told to load balancers, other than as usual: keys of the JSON object that the originals ignore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// `"soft": true`: 404 instead of 503, for HAProxy's `http-check disable-on-404`.
    Soft,
    /// `"drain": true`: by weight 0 over the agent protocol, where the daemon owns the weights.
    Drain,
    /// `"agent_only": true`: by agents alone, while checks say what they find.
    AgentOnly,
}

impl Mark {
    /// The key of the JSON object.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Drain => "drain",
            Self::AgentOnly => "agent_only",
        }
    }
}

/// A downtime as it stands in a spool file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Downtime {
    /// Why; empty when the file gives no reason. Control characters are still in it: see [`Downtime::one_line`].
    pub reason: String,
    /// When it ends, in seconds of unix time; `None` is never.
    pub expiration: Option<f64>,
    /// When it began, in seconds of unix time, where known.
    pub creation: Option<f64>,
    /// Further keys of the JSON object, kept as they are. The originals ignore them.
    pub extra: Map<String, Value>,
    /// What is odd about its end, as a sentence: the downtime holds, and nobody may have meant that.
    pub odd_end: Option<Box<str>>,
    /// The content was no JSON object; its final line break is part of the answer.
    pub legacy: bool,
}

impl Downtime {
    /// Reads the content of a spool file. It cannot fail: what is not a JSON object is a reason.
    #[must_use]
    pub fn parse(content: &[u8]) -> Self {
        match json_object(content) {
            Some(object) => Self::of_object(object),
            None => Self::of_text(content),
        }
    }

    /// The downtime of a file that is no JSON object, such as one made by `touch` or `echo`.
    fn of_text(content: &[u8]) -> Self {
        Self {
            reason: String::from_utf8_lossy(content).into_owned(),
            legacy: true,
            ..Self::default()
        }
    }

    fn of_object(mut object: Map<String, Value>) -> Self {
        let reason = take_text(&mut object, "reason");
        let written_end = object.remove("expiration").unwrap_or_default();
        let expiration = time_of(&written_end);
        let creation = take_time(&mut object, "creation");
        // The file's name says that, and what else stands here never counted.
        object.remove("service");
        Self {
            reason,
            // An end that never comes is none.
            expiration: expiration.filter(|end| *end != f64::INFINITY),
            creation: creation.filter(|at| at.is_finite()),
            odd_end: odd_end(&written_end, expiration),
            extra: object,
            legacy: false,
        }
    }

    /// The downtime of an entry that is there and cannot be read.
    #[must_use]
    pub fn unreadable(name: &str) -> Self {
        Self {
            reason: format!("the spool entry {name} cannot be read"),
            ..Self::default()
        }
    }

    /// How it is told, if not as usual.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        // A hand-written file may set several; then the first of these counts.
        let mut marks = [Mark::Soft, Mark::Drain, Mark::AgentOnly].into_iter();
        marks.find(|mark| self.extra.get(mark.as_str()) == Some(&Value::Bool(true)))
    }

    /// Sets how it is told.
    pub fn set_mark(&mut self, mark: Mark) {
        self.extra.insert(mark.as_str().into(), true.into());
    }

    /// Cuts a reason of more than [`REASON_MAX`] bytes; gives whether it was cut.
    pub fn cut_reason(&mut self) -> bool {
        if self.reason.len() <= REASON_MAX {
            return false;
        }

        let mut end = REASON_MAX;
        // Half a character is none: `truncate` panics there. This stops, as 0 is a boundary.
        while !self.reason.is_char_boundary(end) {
            end -= 1;
        }

        self.reason.truncate(end);
        true
    }

    /// The user who took it down, where the reason does not tell.
    #[must_use]
    pub fn by(&self) -> Option<&str> {
        let by = self.extra.get("by")?.as_str()?;
        (!by.is_empty()).then_some(by)
    }

    /// Where it comes from, if that is not this host: `fleet:` and a selector.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.extra.get("origin")?.as_str()
    }

    /// Sets where it comes from.
    pub fn set_origin(&mut self, origin: &str) {
        self.extra.insert("origin".into(), origin.into());
    }

    /// The roll of a fleet that wrote it, if one did.
    #[must_use]
    pub fn roll(&self) -> Option<&str> {
        self.extra.get("roll")?.as_str()
    }

    /// Sets the roll that writes it.
    pub fn set_roll(&mut self, id: &str) {
        self.extra.insert("roll".into(), id.into());
    }

    /// Sets the user who took it down.
    pub fn set_by(&mut self, user: &str) {
        self.extra.insert("by".into(), user.into());
    }

    /// The JSON text of a spool file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = self.extra.clone();
        object.insert("reason".into(), self.reason.as_str().into());
        object.insert("expiration".into(), self.expiration.into());
        object.insert("creation".into(), self.creation.into());
        ascii_only(&Value::Object(object).to_string())
    }

    /// Whether the downtime is over at a time of the wall clock.
    #[must_use]
    pub fn is_over(&self, now: SystemTime) -> bool {
        self.expiration.is_some_and(|e| e < unix_seconds(now))
    }

    /// The body that balancers and their tools parse, on one line:
    /// `Service <name> in down state[ since %f][ until %f][: reason]`.
    #[must_use]
    pub fn body(&self, service: &str) -> String {
        let since = time_in_body("since", self.creation);
        let until = time_in_body("until", self.expiration);
        let mut body = format!("Service {service} in down state{since}{until}");
        if !self.reason.is_empty() {
            body.push_str(": ");
            body.push_str(&self.one_line());
            body.push_str(self.final_line_break());
        }

        body
    }

    /// The replaced tool answered a file that is no JSON as it stood.
    fn final_line_break(&self) -> &'static str {
        if self.legacy && self.reason.ends_with('\n') {
            "\n"
        } else {
            ""
        }
    }

    /// The reason on one line: control characters and line breaks inside become spaces, a final line break goes.
    #[must_use]
    pub fn one_line(&self) -> String {
        let reason = &self.reason;
        // One line break, which `echo` wrote, and not all of them: further ones are part of the text.
        let text = reason.strip_suffix("\r\n").or(reason.strip_suffix('\n'));
        one_line(text.unwrap_or(reason))
    }
}

fn time_in_body(word: &str, time: Option<f64>) -> String {
    match time {
        // Six digits, as `%f` of Python writes a time: the body is contract.
        Some(time) => format!(" {word} {time:.6}"),
        None => String::new(),
    }
}

fn take_text(object: &mut Map<String, Value>, key: &str) -> String {
    match object.remove(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        // A reason such as 42 or ["a"] is shown as it was written.
        Some(other) => other.to_string(),
    }
}

fn take_time(object: &mut Map<String, Value>, key: &str) -> Option<f64> {
    let value = object.remove(key)?;
    time_of(&value)
}

/// Seconds of unix time; negative before 1970.
#[must_use]
pub fn unix_seconds(time: SystemTime) -> f64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

/// The wall clock now, in seconds of unix time, to the microsecond.
#[must_use]
pub fn unix_now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = now.unwrap_or_default().as_micros();
    // A file holds six digits of a second, and what is read back is to be the same.
    let micros = u64::try_from(micros).unwrap_or(u64::MAX);
    Duration::from_micros(micros).as_secs_f64()
}

/// A time as the Python tools read it: there `true` is 1. A number in quotes is one too, since variables of
/// configuration management are texts.
fn time_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(set) => Some(f64::from(u8::from(*set))),
        Value::String(text) => time_of_text(text),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn time_of_text(text: &str) -> Option<f64> {
    let time: f64 = text.trim().parse().ok()?;
    // "NaN" is a number to the parser. As an end it would compare with nothing, and never come.
    (!time.is_nan()).then_some(time)
}

/// A hundred years in seconds: nobody plans so far ahead, but milliseconds look so.
const CENTURY: f64 = 100.0 * 365.25 * 86_400.0;

/// Most characters of an end that cannot be read, in a message.
const END_MAX: usize = 60;

/// What is odd about an end as it was written.
fn odd_end(written: &Value, read: Option<f64>) -> Option<Box<str>> {
    let what = match (written, read) {
        (Value::Null, _) => return None,
        (_, None) => "is no number of seconds of unix time",
        (_, Some(end)) if is_beyond_a_century(end) => {
            "is more than 100 years ahead (milliseconds?)"
        }
        _ => return None,
    };

    let written = beginning(&written.to_string(), END_MAX);
    Some(format!("its expiration {written} {what}; it holds until it is lifted").into())
}

/// Infinity is no mistake: Python writes it for an end that never comes.
fn is_beyond_a_century(end: f64) -> bool {
    end.is_finite() && end - unix_now() > CENTURY
}

#[cfg(test)]
mod tests;
