//! The settings as text: the effective configuration as YAML, and the reference for people.
//!
//! Rule: what is shown as a value can be read back as that value, but for secrets, which show as `***`.

use std::collections::BTreeMap;

use super::Config;
use super::settings::SETTINGS;

/// The effective settings as YAML that can be used as a configuration file; a comment marks what is not the default.
#[must_use]
pub fn effective(config: &Config) -> String {
    let default = Config::default();
    let mut out = String::new();
    for setting in SETTINGS {
        let value = (setting.show)(config);
        let usual = (setting.show)(&default);
        out += &format!("{}: {value}", setting.name);
        if value != usual {
            out += &format!("  # default {usual}");
        }
        out.push('\n');
    }
    out
}

/// The reference of all settings as a table in Markdown.
#[must_use]
pub fn reference_markdown() -> String {
    let default = Config::default();
    let mut out =
        String::from("| Key | Type | Default | Reload | Meaning |\n|---|---|---|---|---|\n");
    for setting in SETTINGS {
        let unit = if setting.unit.is_empty() {
            String::new()
        } else {
            format!(", {}", setting.unit)
        };
        let value = (setting.show)(&default);
        let value = if value == "null" {
            "unset".into()
        } else {
            format!("`{value}`")
        };
        let reload = if setting.restart { "restart" } else { "yes" };
        let cells = [
            format!("`{}`", setting.name),
            format!("{}{unit}", setting.kind),
            value,
            reload.into(),
            setting.doc.into(),
        ];
        out += &format!("| {} |\n", cells.map(|c| c.replace('|', "\\|")).join(" | "));
    }
    out
}

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

/// An optional value as YAML.
pub fn or_null<T>(value: Option<&T>, show: impl FnOnce(&T) -> String) -> String {
    value.map_or_else(|| "null".into(), show)
}
