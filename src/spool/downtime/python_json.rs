//! JSON as the Python tools write and read it: more than the standard takes, and ASCII only.

use serde_json::{Map, Value};

/// The JSON object that is the whole content; `None` where the content is anything else.
pub(super) fn json_object(content: &[u8]) -> Option<Map<String, Value>> {
    // Standard JSON first: nearly all files are, and the second reading copies the content.
    let read = match serde_json::from_slice(content) {
        Ok(value) => value,
        Err(_) => serde_json::from_slice(&as_python_reads_it(content)).ok()?,
    };

    match read {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// Python's JSON has more than the standard: numbers without end, and halves of surrogate pairs.
fn as_python_reads_it(json: &[u8]) -> Vec<u8> {
    with_quoted_infinities(&without_lone_surrogates(json))
}

/// JSON in which the number `Infinity` is the text of that name, which is read as a time all the same.
fn with_quoted_infinities(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + 8);
    let mut in_text = false;
    let mut at = 0;
    while at < json.len() {
        let rest = &json[at..];
        if !in_text && let Some(name) = infinity(rest) {
            out.extend_from_slice(format!("\"{name}\"").as_bytes());
            at += name.len();
            continue;
        }
        in_text ^= rest[0] == b'"';
        // An escaped quote ends no text.
        let length = if in_text && rest[0] == b'\\' { 2 } else { 1 };
        out.extend(rest.iter().take(length));
        at += length;
    }

    out
}

fn infinity(json: &[u8]) -> Option<&'static str> {
    let mut names = ["-Infinity", "Infinity"].into_iter();
    names.find(|name| json.starts_with(name.as_bytes()))
}

/// JSON in which halves of surrogate pairs that stand alone are U+FFFD. Python writes them for bytes of a reason that
/// are no text in its locale.
fn without_lone_surrogates(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let mut at = 0;
    while at < json.len() {
        let rest = &json[at..];
        match step(rest) {
            JsonStep::Keep(length) => {
                // The content may break off within an escape.
                out.extend(rest.iter().take(length));
                at += length;
            }
            JsonStep::LoneSurrogate => {
                out.extend_from_slice(b"\\ufffd");
                at += UNIT;
            }
        }
    }

    out
}

/// The bytes of an escape such as `\ud83d`.
const UNIT: usize = 6;

/// What JSON begins with.
enum JsonStep {
    /// So many bytes that stay as they are.
    Keep(usize),
    /// An escape that is half of a pair, without the other half.
    LoneSurrogate,
}

fn step(json: &[u8]) -> JsonStep {
    if json[0] != b'\\' {
        return JsonStep::Keep(1);
    }

    match (unit(json, 0), unit(json, UNIT)) {
        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => JsonStep::Keep(2 * UNIT),
        (Some(0xd800..=0xdfff), _) => JsonStep::LoneSurrogate,
        // An escaped backslash begins no other escape.
        _ => JsonStep::Keep(2),
    }
}

/// The number of an escape such as `\ud83d` that begins at a place.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + UNIT)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

/// JSON in which all else than ASCII is escaped: the originals read it in the locale's encoding.
pub(super) fn ascii_only(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c.is_ascii() {
            true => out.push(c),
            // Outside ASCII they stand only inside JSON strings, where an escape means the same.
            false => push_escape(&mut out, c),
        }
    }

    out
}

fn push_escape(out: &mut String, c: char) {
    let mut units = [0; 2];
    for unit in c.encode_utf16(&mut units) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}
