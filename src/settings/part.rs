//! Settings that are the value of one key: a map whose keys are ours, such as a group or a rule.

use super::elsewhere::file_key;
use super::read::{Fields, Reader};
use super::setting::Setting;

/// Reads all settings of a table from a map; also gives the map's values, for what is wrong with them together.
pub(crate) fn read_part<'a, S: Default + 'static>(
    table: &[Setting<S>],
    reader: &Reader<'a>,
) -> Option<(S, Fields<'a>)> {
    let names = known_keys(table);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let fields = reader.fields(&names)?;
    let settings = read_table(table, &fields);
    Some((settings, fields))
}

/// Reads all settings of a table.
pub(crate) fn read_table<S: Default + 'static>(table: &[Setting<S>], fields: &Fields<'_>) -> S {
    let mut settings = S::default();
    // In the order of the table: a setting with `read_by` stands after those that it looks at.
    for setting in table {
        setting.read(&mut settings, fields);
    }

    settings
}

/// The keys of settings, and of the files that secrets may stand in.
pub(crate) fn known_keys<S: 'static>(table: &[Setting<S>]) -> Vec<String> {
    let mut keys = Vec::new();
    for setting in table {
        keys.push(setting.name.to_owned());
        if setting.secret {
            keys.push(file_key(setting.name));
        }
    }

    keys
}

/// Shows the settings of a table that are not the defaults, as a map on one line.
pub(crate) fn show_part<S: Default + 'static>(table: &[Setting<S>], settings: &S) -> String {
    let default = S::default();
    let mut parts = Vec::new();
    for setting in table {
        let value = setting.show(settings);
        // What is left out is read back as the default.
        if value != setting.show(&default) {
            parts.push(format!("{}: {value}", setting.name));
        }
    }

    format!("{{{}}}", parts.join(", "))
}
