//! What `hacheck top` shows, as lines: the host first, then the services, the worst first, and under each that wants a
//! look who polls it.

use super::service;
use crate::cli::client::DaemonError;
use crate::cli::live::{LivePicture, with_clock};
use crate::cli::output::pollers::age;
use crate::cli::output::times;
use crate::ledger::overview::{BalancerRow, DowntimeRow, Overview, Rotation, ServiceRow};
use crate::names::ALL;

/// What there is to show.
pub(super) struct Picture<'a> {
    /// The services that were named; none for all.
    pub(super) wanted: &'a [String],
    /// The last answer.
    pub(super) overview: Option<Overview>,
    /// Why there is no newer one.
    pub(super) trouble: Option<String>,
}

impl LivePicture<Result<Overview, DaemonError>> for Picture<'_> {
    const REMEDY: &'static str = "name services to see them";

    /// Shows another answer; without one, the last and why there is no newer.
    fn take(&mut self, answer: Result<Overview, DaemonError>) {
        match answer {
            Ok(overview) => {
                self.overview = Some(overview);
                self.trouble = None;
            }
            Err(e) => self.trouble = Some(e.to_string()),
        }
    }

    fn lines(&self, width: usize) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(trouble) = &self.trouble {
            lines.push(format!("! what stands here is old: {trouble}"));
        }

        if let Some(overview) = &self.overview {
            lines.push(head(overview, width));
            lines.extend(notes(overview));
            lines.extend(services(overview));
            lines.extend(self.unknown(overview));
            lines.extend(left_out(overview));
        }

        lines
    }
}

impl Picture<'_> {
    /// Services that were named and that nobody asks for.
    fn unknown(&self, overview: &Overview) -> Vec<String> {
        let is_shown = |name: &&String| overview.services.iter().any(|s| s.name == **name);
        let unknown = self.wanted.iter().filter(|name| !is_shown(name));
        unknown
            .map(|name| {
                format!(
                    "{} {name}: no load balancer asks for it",
                    Rotation::Silent.sign()
                )
            })
            .collect()
    }
}

/// Host, verdict and time of day.
fn head(overview: &Overview, width: usize) -> String {
    let spool = if overview.spool.readable {
        ""
    } else {
        "SPOOL UNREADABLE. "
    };

    let left = format!(" {}  {spool}{}", overview.host, verdict(overview));
    with_clock(&left, &times::clock(overview.now), width)
}

/// The host in one sentence, with who took all of it down, and why.
fn verdict(overview: &Overview) -> String {
    let verdict = &overview.verdict;
    let whole = overview.downtimes.iter().find(|row| row.name == ALL);
    match whole {
        Some(downtime) if verdict.inside == 0 => {
            format!("{}{}", verdict.text, by_and_why(downtime))
        }
        _ => verdict.text.clone(),
    }
}

fn by_and_why(downtime: &DowntimeRow) -> String {
    let by = match downtime.author() {
        Some(user) => format!(" by {user}"),
        None => String::new(),
    };

    match downtime.reason.as_str() {
        "" => by,
        reason => format!("{by}: {reason}"),
    }
}

fn notes(overview: &Overview) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(error) = &overview.spool.error {
        notes.push(format!("! the spool cannot be read: {error}"));
    }

    for (name, group) in &overview.groups {
        if group.state.as_deref() == Some("down") {
            let summary = group.summary.as_deref().unwrap_or_default();
            notes.push(format!("! group {name} is down: {summary}"));
        }
    }

    let stopped = overview.balancers.iter().filter(|b| b.has_stopped());
    notes.extend(stopped.map(|balancer| has_stopped(balancer, overview.now)));
    notes
}

fn has_stopped(balancer: &BalancerRow, now: f64) -> String {
    let since = age(now - balancer.polled);
    format!("! balancer {} stopped polling {since} ago", balancer.name)
}

fn services(overview: &Overview) -> Vec<String> {
    let lines = |row: &ServiceRow| service::lines(overview, row);
    overview.services.iter().flat_map(lines).collect()
}

fn left_out(overview: &Overview) -> Option<String> {
    match overview.left_out {
        0 => None,
        1 => Some("  and 1 more service".to_owned()),
        n => Some(format!("  and {n} more services")),
    }
}
