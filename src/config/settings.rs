//! All settings: the tables of the rooms, in the order of the reference.
//!
//! Rule: parsing, suggestions, `hacheck config`, the reference and the advice after SIGHUP all follow this list.

use std::sync::LazyLock;

use super::{Config, DaemonSettings, LogSettings};
use crate::group::Group;
use crate::settings::{Kind, Setting, map};
use crate::{check, group, http, ledger, probe};

/// All settings, in the order of the reference.
#[must_use]
pub fn settings() -> &'static [Setting<Config>] {
    // Built once: reloads and pages go through it again and again.
    static ALL: LazyLock<Vec<Setting<Config>>> = LazyLock::new(all);
    &ALL
}

fn all() -> Vec<Setting<Config>> {
    let rooms = [
        of_checks(),
        of_probes(),
        // After the probes: the checks of groups may name commands of `exec`, which must be read before.
        vec![groups()],
        of_http(),
        of_ledger(),
        part(DaemonSettings::table(), |c| &c.daemon, |c| &mut c.daemon),
        part(LogSettings::table(), |c| &c.log, |c| &mut c.log),
    ];
    rooms.into_iter().flatten().collect()
}

fn of_checks() -> Vec<Setting<Config>> {
    let table = check::CheckSettings::table();
    part(table, |c| &c.check, |c| &mut c.check)
}

fn of_probes() -> Vec<Setting<Config>> {
    let table = probe::ProbeSettings::table();
    part(table, |c| &c.probe, |c| &mut c.probe)
}

fn of_http() -> Vec<Setting<Config>> {
    let table = http::HttpSettings::table();
    part(table, |c| &c.http, |c| &mut c.http)
}

fn of_ledger() -> Vec<Setting<Config>> {
    let table = ledger::LedgerSettings::table();
    part(table, |c| &c.ledger, |c| &mut c.ledger)
}

/// The settings of a room as settings of the whole.
fn part<S: 'static>(
    table: Vec<Setting<S>>,
    get: fn(&Config) -> &S,
    get_mut: fn(&mut Config) -> &mut S,
) -> Vec<Setting<Config>> {
    let mut settings = Vec::new();
    for setting in table {
        settings.push(setting.within(get, get_mut));
    }

    settings
}

/// The groups, whose checks may run commands of `exec`.
fn groups() -> Setting<Config> {
    let kind = Kind::shown("map of groups", |groups| map(groups, Group::show));
    let setting = Setting::new(
        "groups",
        "Named sets of checks, asked for by `/group/<name>/0/`, on listeners of their own, or watched: see [docs/checks.md](checks.md#groups).",
        kind,
        |config: &Config| &config.groups,
        |config| &mut config.groups,
    );
    setting.read_by(|config, reader| {
        config.groups = group::read(&config.probe.exec, reader);
    })
}

/// The changed keys that take effect at the next start only.
#[must_use]
pub(crate) fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    // The daemon applies the rest of the new file and tells the operator about these.
    let mut keys = Vec::new();
    for setting in settings().iter().filter(|setting| setting.restart) {
        // What shows the same is the same, and no secret needs a restart.
        if setting.show(old) != setting.show(new) {
            keys.push(setting.name);
        }
    }

    keys
}
