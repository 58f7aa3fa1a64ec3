//! The settings as text: the effective configuration as YAML, and the reference for people.
//!
//! Rule: what is shown as a value can be read back as that value, but for secrets, which show as `***`.

use std::time::Duration;

use super::Config;
use super::settings::settings as table;
use crate::ledger::built_in_pollers;
use crate::probe::Service;
use crate::settings;

/// HAProxy's interval unless told otherwise, and how long it waits for an answer then.
const HAPROXY_INTER: Duration = Duration::from_secs(2);

/// The effective settings as YAML that can be used as a configuration file; a comment marks what is not the default.
#[must_use]
pub fn effective(config: &Config) -> String {
    let mut out = String::new();
    for line in settings::effective(table(), config).lines() {
        out += &format!("{line}\n");
        match line.split(": ").next() {
            Some("cache_time") => out += &late_failures(config),
            Some("healthcheck_timeout") => out += hidden_reasons(config),
            Some("pollers") => add_built_in_pollers(&mut out),
            _ => {}
        }
    }

    out
}

/// How often somebody polls: as the configuration says, else as HAProxy does.
fn shortest_interval(config: &Config) -> Duration {
    let told = config.ledger.pollers.shortest_interval();
    told.unwrap_or(HAPROXY_INTER)
}

/// What is to be known where results are kept for longer than pollers take from poll to poll.
fn late_failures(config: &Config) -> String {
    let interval = shortest_interval(config);
    match config.check.cache_time {
        Some(time) if time <= interval => String::new(),
        Some(time) => format!(
            "# a poller that asks every {} s is told of a failure up to {} s late; a shorter cache_time ends that\n",
            interval.as_secs_f64(),
            time.as_secs_f64()
        ),
        None => "# what was found once is told for ever: no failure after it\n".to_owned(),
    }
}

/// The same where a probe may take longer than pollers wait.
fn hidden_reasons(config: &Config) -> &'static str {
    match config.probe.healthcheck_timeout <= shortest_interval(config) {
        true => "",
        false => {
            "# a poller that waits less (HAProxy: timeout check, else inter) sees a timeout without the reason\n"
        }
    }
}

/// What counts besides the rules in the file.
fn add_built_in_pollers(out: &mut String) {
    out.push_str("# built in, for what those rules leave open:\n");
    for rule in built_in_pollers() {
        *out += &format!("# - {rule}\n");
    }
}

/// The settings that count for one service, as YAML.
#[must_use]
pub(crate) fn effective_of(config: &Config, service: &str) -> String {
    // As a probe of this service gets them: from its own entry and from patterns.
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
    // They are not merged, because a service may be checked by several protocols.
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
    settings::reference_markdown(table())
}
