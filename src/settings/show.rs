//! Values as YAML that is read back as the same values.

use std::collections::BTreeMap;

/// A text as a YAML scalar that is read back as that text.
pub fn quoted(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let null = matches!(text, "null" | "Null" | "NULL");
    if text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(word)
        && !null
    {
        return text.into();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ if u32::from(c) < 0x1_0000 => out += &format!("\\u{:04X}", u32::from(c)),
            _ => out += &format!("\\U{:08X}", u32::from(c)),
        }
    }
    out.push('"');
    out
}

/// A list of texts as YAML.
pub fn list<T: ToString>(items: &[T]) -> String {
    format!(
        "[{}]",
        items
            .iter()
            .map(|i| quoted(&i.to_string()))
            .collect::<Vec<_>>()
            .join(", ")
    )
}

/// A list of numbers as YAML.
pub fn plain_list<T: ToString>(items: &[T]) -> String {
    format!(
        "[{}]",
        items
            .iter()
            .map(T::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    )
}

/// A map as YAML.
pub fn map<T>(entries: &BTreeMap<String, T>, show: impl Fn(&T) -> String) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(key, value)| format!("{}: {}", quoted(key), show(value)))
        .collect();
    format!("{{{}}}", entries.join(", "))
}
