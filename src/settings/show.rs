//! Values as YAML that is read back as the same values.

use std::collections::BTreeMap;

/// A text as a YAML scalar that is read back as that text.
pub(crate) fn quoted(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }

    // In double quotes: only that form of YAML can write every character.
    let mut out = String::from("\"");
    for c in text.chars() {
        push_escaped(&mut out, c);
    }

    out.push('"');
    out
}

/// Whether a text is read back as it is without quotes.
fn is_plain(text: &str) -> bool {
    // A letter first: other beginnings may be numbers or YAML's own indicators.
    let begins_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let is_null = matches!(text, "null" | "Null" | "NULL");
    begins_plain && !is_null && text.bytes().all(is_of_word)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/')
}

/// Adds a character as it stands between double quotes (YAML 1.1 §5.6, "Escape Sequences").
fn push_escaped(out: &mut String, c: char) {
    let number = u32::from(c);
    match c {
        '"' | '\\' => out.extend(['\\', c]),
        ' '..='~' => out.push(c),
        _ if number < 0x1_0000 => *out += &format!("\\u{number:04X}"),
        _ => *out += &format!("\\U{number:08X}"),
    }
}

/// A list of texts as YAML.
pub(crate) fn list<T: ToString>(items: &[T]) -> String {
    let mut texts = Vec::new();
    for item in items {
        texts.push(quoted(&item.to_string()));
    }

    format!("[{}]", texts.join(", "))
}

/// A list of numbers as YAML.
pub(crate) fn plain_list<T: ToString>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(T::to_string).collect();
    format!("[{}]", texts.join(", "))
}

/// A map as YAML.
pub(crate) fn map<T>(entries: &BTreeMap<String, T>, show: impl Fn(&T) -> String) -> String {
    let mut texts = Vec::new();
    for (key, value) in entries {
        texts.push(format!("{}: {}", quoted(key), show(value)));
    }

    format!("{{{}}}", texts.join(", "))
}
