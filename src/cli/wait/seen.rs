//! Whether the daemon sees a downtime that was just written.

use std::time::{Duration, Instant};

use crate::cli::client::{self, DaemonClient};
use crate::cli::failure::{Failure, failed};
use crate::ledger::PollersPage;
use crate::spool::{EntrySeen, Key, Spool};

/// How long the daemon may take to see it: a file system may tell it late.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is asked.
const EVERY: Duration = Duration::from_millis(50);

/// Fails where the daemon, which is known to use this spool, does not see the downtimes of these keys.
pub(crate) fn refuse_unseen(
    client: DaemonClient,
    spool: &Spool,
    keys: &[Key],
) -> Result<(), Failure> {
    let names = client::names(keys);
    let end = Instant::now() + PATIENCE;
    loop {
        // Whether a daemon that is gone would see them nobody can tell.
        let Ok(page) = client.pollers(&names, PATIENCE) else {
            return Ok(());
        };

        let unseen = unseen(&page, spool, keys);
        if unseen.is_empty() {
            return Ok(());
        }

        if Instant::now() >= end {
            return Err(failure(client, spool, &unseen));
        }

        std::thread::sleep(EVERY);
    }
}

/// What the daemon does not see as it was written; an older daemon says nothing of it.
fn unseen<'p>(page: &'p PollersPage, spool: &Spool, keys: &[Key]) -> Vec<(&'p str, EntrySeen)> {
    let mut unseen = Vec::new();
    for (name, seen) in &page.entries {
        if *seen != EntrySeen::Down && stands(name, spool, keys) {
            unseen.push((name.as_str(), *seen));
        }
    }

    unseen
}

/// Whether the downtime of this name is still there: somebody may have lifted it, and its end may have come.
fn stands(name: &str, spool: &Spool, keys: &[Key]) -> bool {
    let mut keys = keys.iter();
    // The daemon's names are those of entries, in which an instance on 127.0.0.1 has no host.
    match keys.find(|key| client::names([*key]) == [name]) {
        // What this command cannot read itself is left to what the daemon says.
        Some(key) => !matches!(spool.read(key), Ok(None)),
        None => true,
    }
}

fn failure(client: DaemonClient, spool: &Spool, unseen: &[(&str, EntrySeen)]) -> Failure {
    let (port, root) = (client.port, spool.root().display());
    let mut lines = Vec::new();
    for (name, seen) in unseen {
        let says = says(*seen);
        lines.push(format!(
            "the downtime of {name} is written, but the hacheck on port {port} cannot read it, {says}; let its user enter and read {root}, and read {root}/{name}"
        ));
    }

    failed!("{}", lines.join("\n"))
}

fn says(seen: EntrySeen) -> &'static str {
    match seen {
        EntrySeen::Up => "and goes on saying that it is up",
        EntrySeen::Unreadable | EntrySeen::Down => "and knows neither its reason nor its end",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_downtime_that_somebody_lifted_meanwhile_is_not_one_that_the_daemon_cannot_read() {
        let page = PollersPage {
            entries: [("web".to_owned(), EntrySeen::Up)].into(),
            ..PollersPage::example(Vec::new())
        };
        let spool = Spool::at(&page.spool.path);
        let key = Key::parse("web").unwrap();
        assert_eq!(unseen(&page, &spool, &[key]), []);
    }
}
