//! A table of settings as text: the effective settings as YAML, and the reference for people.
//!
//! Rule: what is shown as a value can be read back as that value, but for secrets, which show as `***`.

use super::setting::Setting;

/// The effective settings as YAML that can be used as a configuration file; a comment marks what is not the default.
#[must_use]
pub(crate) fn effective<S: Default + 'static>(table: &[Setting<S>], settings: &S) -> String {
    let default = S::default();
    let mut out = String::new();
    for setting in table {
        let value = setting.show(settings);
        let usual = setting.show(&default);
        out += &line(setting.name, &value, &usual);
    }

    out
}

fn line(name: &str, value: &str, usual: &str) -> String {
    // A secret that is set shows as stars, one that is not as null.
    match value == usual {
        true => format!("{name}: {value}\n"),
        false => format!("{name}: {value}  # default {usual}\n"),
    }
}

/// The reference of all settings of a table, in Markdown.
#[must_use]
pub(crate) fn reference_markdown<S: Default + 'static>(table: &[Setting<S>]) -> String {
    let default = S::default();
    let mut out =
        String::from("| Key | Type | Default | Reload | Meaning |\n|---|---|---|---|---|\n");
    for setting in table {
        out += &reference_row(setting, &default);
    }

    out
}

fn reference_row<S: 'static>(setting: &Setting<S>, default: &S) -> String {
    let cells = [
        format!("`{}`", setting.name),
        kind_with_unit(setting),
        shown_default(setting, default),
        reload(setting).into(),
        setting.doc.into(),
    ];
    // A bar would end the cell, in code too.
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

fn kind_with_unit<S: 'static>(setting: &Setting<S>) -> String {
    match setting.unit {
        "" => setting.kind.to_owned(),
        unit => format!("{}, {unit}", setting.kind),
    }
}

fn shown_default<S: 'static>(setting: &Setting<S>, default: &S) -> String {
    match setting.show(default).as_str() {
        "null" | "\"\"" => "unset".to_owned(),
        value => format!("`{value}`"),
    }
}

fn reload<S>(setting: &Setting<S>) -> &'static str {
    if setting.restart { "restart" } else { "yes" }
}
