//! The settings as text: the effective configuration as YAML, and the reference for people.
//!
//! Rule: what is shown as a value can be read back as that value, but for secrets, which show as `***`.

use super::Config;
use super::settings::settings;

/// The effective settings as YAML that can be used as a configuration file; a comment marks what is not the default.
#[must_use]
pub fn effective(config: &Config) -> String {
    let default = Config::default();
    let mut out = String::new();
    for setting in settings() {
        let value = setting.show(config);
        let usual = setting.show(&default);
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
    for setting in settings() {
        let unit = if setting.unit.is_empty() {
            String::new()
        } else {
            format!(", {}", setting.unit)
        };
        let value = setting.show(&default);
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
