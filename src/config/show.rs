//! The settings as text: the effective configuration as YAML, and the reference for people.
//!
//! Rule: what is shown as a value can be read back as that value, but for secrets, which show as `***`.

use super::Config;
use super::settings::settings;
use crate::probe::Service;
use crate::settings::Setting;

/// The effective settings as YAML that can be used as a configuration file; a comment marks what is not the default.
#[must_use]
pub fn effective(config: &Config) -> String {
    let default = Config::default();
    let mut out = String::new();
    for setting in settings() {
        let value = setting.show(config);
        let usual = setting.show(&default);
        out += &format!("{}: {value}", setting.name);
        // A secret that is set shows as stars, one that is not as null.
        if value != usual {
            out += &format!("  # default {usual}");
        }
        out.push('\n');
    }
    out
}

/// The settings that count for one service, as YAML.
#[must_use]
pub fn effective_of(config: &Config, service: &str) -> String {
    let merged = config.probe.merged(service);
    let mut out = String::new();
    for setting in Service::table() {
        let from = global_source(setting.name, &merged);
        out += &format!("{}: {}{from}\n", setting.name, setting.show(&merged));
    }
    out
}

/// Which global settings count besides, as they differ from protocol to protocol.
fn global_source(key: &str, merged: &Service) -> &'static str {
    match key {
        "login" if merged.login.is_none() => {
            "  # the global mysql_username, postgres_username, redis_username, …"
        }
        "tls" if merged.tls.is_none() => {
            "  # the global mysql_tls, postgres_tls, redis_tls, tls_verify, tls_ca_file"
        }
        _ => "",
    }
}

/// The reference of all settings as a table in Markdown.
#[must_use]
pub fn reference_markdown() -> String {
    let default = Config::default();
    let mut out =
        String::from("| Key | Type | Default | Reload | Meaning |\n|---|---|---|---|---|\n");
    for setting in settings() {
        out += &reference_row(setting, &default);
    }
    out
}

fn reference_row(setting: &Setting<Config>, default: &Config) -> String {
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

fn kind_with_unit(setting: &Setting<Config>) -> String {
    match setting.unit {
        "" => setting.kind.to_owned(),
        unit => format!("{}, {unit}", setting.kind),
    }
}

fn shown_default(setting: &Setting<Config>, default: &Config) -> String {
    match setting.show(default).as_str() {
        "null" => "unset".to_owned(),
        value => format!("`{value}`"),
    }
}

fn reload(setting: &Setting<Config>) -> &'static str {
    if setting.restart { "restart" } else { "yes" }
}
