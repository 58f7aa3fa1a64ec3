//! All settings: the tables of the rooms, in the order of the reference.
//!
//! Rule: parsing, suggestions, `hacheck config`, the reference and the advice after SIGHUP all follow this list.

use std::sync::LazyLock;

use super::{Config, DaemonSettings, LogSettings};
use crate::group::Group;
use crate::settings::{self, Kind, map};
use crate::{check, group, http, ledger, probe};

/// One key of the configuration file.
pub type Setting = settings::Setting<Config>;

/// All settings, in the order of the reference.
#[must_use]
pub fn settings() -> &'static [Setting] {
    static ALL: LazyLock<Vec<Setting>> = LazyLock::new(all);
    &ALL
}

fn all() -> Vec<Setting> {
    let mut all = Vec::new();
    all.extend(part(
        check::Settings::table(),
        |c| &c.check,
        |c| &mut c.check,
    ));
    all.extend(part(
        probe::Settings::table(),
        |c| &c.probe,
        |c| &mut c.probe,
    ));
    all.push(groups());
    all.extend(part(http::Settings::table(), |c| &c.http, |c| &mut c.http));
    all.extend(part(
        ledger::Settings::table(),
        |c| &c.ledger,
        |c| &mut c.ledger,
    ));
    all.extend(part(
        DaemonSettings::table(),
        |c| &c.daemon,
        |c| &mut c.daemon,
    ));
    all.extend(part(LogSettings::table(), |c| &c.log, |c| &mut c.log));
    all
}

/// The settings of a room as settings of the whole.
fn part<S: 'static>(
    table: Vec<settings::Setting<S>>,
    get: fn(&Config) -> &S,
    get_mut: fn(&mut Config) -> &mut S,
) -> impl Iterator<Item = Setting> {
    let settings = table.into_iter();
    settings.map(move |setting| setting.within(get, get_mut))
}

/// The groups, whose checks may run commands of `exec`.
fn groups() -> Setting {
    let kind = Kind::shown("map of groups", |groups| map(groups, Group::show));
    let setting = Setting::new(
        "groups",
        "Named sets of checks, asked for by `/group/<name>/0/`, on listeners of their own, or watched: see [Groups](#groups).",
        kind,
        |config| &config.groups,
        |config| &mut config.groups,
    );
    setting.read_by(|config, reader| {
        config.groups = group::read(&config.probe.exec, reader);
    })
}

/// The changed keys that take effect at the next start only.
#[must_use]
pub fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let changed = |s: &&Setting| s.restart && s.show(old) != s.show(new);
    settings().iter().filter(changed).map(|s| s.name).collect()
}
