//! Role, lag and Galera state: the statements that ask for them, and what their rows mean.

use super::ask::{Ask, Galera};
use super::session::{Error, Row, ServerError, Session};
use crate::probe::options::Role;
use crate::probe::{Outcome, Probe};

/// MariaDB's (all sources), MySQL's since 8.0.22, and the one before. A server knows its own and calls the others a
/// syntax error.
const REPLICA_STATUS: [&str; 3] = [
    "SHOW ALL SLAVES STATUS",
    "SHOW REPLICA STATUS",
    "SHOW SLAVE STATUS",
];

/// ER_PARSE_ERROR.
const SYNTAX_ERROR: u16 = 1064;

/// `wsrep_local_state` (Galera manual, "Node state changes").
const GALERA_STATES: [&str; 6] = [
    "Initialized",
    "Joining",
    "Donor/Desynced",
    "Joined",
    "Synced",
    "Error",
];

/// Asks for what the options want to know. What was found, or the failure.
pub(super) async fn check(
    probe: &Probe<'_>,
    session: &mut Session,
    ask: &Ask,
) -> Result<Vec<String>, Outcome> {
    let mut found = Vec::new();
    if ask.role == Some(Role::Primary) {
        let rows = rows(probe, session, "SELECT @@global.read_only").await?;
        found.push(primary(&rows).map_err(|e| probe.failed(e))?);
    }
    if ask.role == Some(Role::Replica) || ask.max_lag.is_some() {
        let rows = replica_status(probe, session).await?;
        found.push(replica(&rows, ask.max_lag).map_err(|e| probe.failed(e))?);
    }
    if let Some(wanted) = ask.galera {
        let rows = rows(
            probe,
            session,
            "SHOW GLOBAL STATUS LIKE 'wsrep_local_state'",
        )
        .await?;
        found.push(galera(&rows, wanted).map_err(|e| probe.failed(e))?);
    }
    Ok(found)
}

async fn rows(
    probe: &Probe<'_>,
    session: &mut Session,
    statement: &'static str,
) -> Result<Vec<Row>, Outcome> {
    query(probe, session, statement)
        .await
        .map_err(|e| statement_failed(probe, statement, e))
}

async fn query(
    probe: &Probe<'_>,
    session: &mut Session,
    statement: &'static str,
) -> Result<Vec<Row>, Error> {
    probe.trace.stage("waiting for the answer to a statement");
    probe.trace.note(|| statement.to_owned());
    session.rows(statement).await
}

async fn replica_status(probe: &Probe<'_>, session: &mut Session) -> Result<Vec<Row>, Outcome> {
    let mut last = None;
    for statement in REPLICA_STATUS {
        match query(probe, session, statement).await {
            Err(Error::Refused(e)) if e.code == SYNTAX_ERROR => {
                last = Some((statement, Error::Refused(e)));
            }
            result => return result.map_err(|e| statement_failed(probe, statement, e)),
        }
    }
    let (statement, e) = last.unwrap_or(("SHOW SLAVE STATUS", Error::Broken("no answer".into())));
    Err(statement_failed(probe, statement, e))
}

fn statement_failed(probe: &Probe<'_>, statement: &str, error: Error) -> Outcome {
    let cause = match error {
        Error::Refused(ServerError { code, message }) => format!("error {code}: {message}"),
        Error::Broken(cause) => cause,
        e => format!("{e:?}"),
    };
    probe.failed(format_args!("{statement}: {cause}"))
}

fn primary(rows: &[Row]) -> Result<String, String> {
    match rows.first().and_then(|row| value(row, 0)) {
        Some("0" | "OFF") => Ok("primary".into()),
        Some(value) => Err(format!("read_only is {value}: not a primary")),
        None => Err("the server did not tell its read_only".into()),
    }
}

/// Without `max_lag` a replica may be stopped; with it, it runs, and no source is ahead by more.
fn replica(rows: &[Row], max_lag: Option<u64>) -> Result<String, String> {
    if rows.is_empty() {
        return Err("primary, not a replica".into());
    }
    let Some(max) = max_lag else {
        return Ok("replica".into());
    };
    let mut worst = 0;
    for row in rows {
        worst = worst.max(lag(row)?);
    }
    if worst > max {
        Err(format!("lag {worst} s is over {max} s"))
    } else {
        Ok(format!("replica, lag {worst} s"))
    }
}

/// The lag behind one source, in seconds; what is wrong when it does not run.
fn lag(row: &Row) -> Result<u64, String> {
    for thread in ["IO", "SQL"] {
        let state = either(
            row,
            &format!("Replica_{thread}_Running"),
            &format!("Slave_{thread}_Running"),
        );
        if state != Some("Yes") {
            let error = column(row, &format!("Last_{thread}_Error")).filter(|e| !e.is_empty());
            let state = state.unwrap_or("unknown");
            let error = error.map(|e| format!(": {e}")).unwrap_or_default();
            return Err(format!("replica, {thread} thread running: {state}{error}"));
        }
    }
    let lag = either(row, "Seconds_Behind_Source", "Seconds_Behind_Master");
    lag.and_then(|l| l.parse().ok())
        .ok_or_else(|| "replica, lag unknown".into())
}

fn galera(rows: &[Row], wanted: Galera) -> Result<String, String> {
    let Some(value) = rows.first().and_then(|row| value(row, 1)) else {
        return Err("no wsrep_local_state: the server is not part of a Galera cluster".into());
    };
    let number = value.parse::<usize>().ok();
    let name = number
        .and_then(|n| GALERA_STATES.get(n))
        .unwrap_or(&"unknown");
    let found = format!("wsrep_local_state {value} ({name})");
    match (number, wanted) {
        (Some(4), _) | (Some(2), Galera::SyncedOrDonor) => Ok(found),
        (_, Galera::Synced) => Err(format!("{found}, want 4 (Synced)")),
        (_, Galera::SyncedOrDonor) => {
            Err(format!("{found}, want 4 (Synced) or 2 (Donor/Desynced)"))
        }
    }
}

fn either<'a>(row: &'a Row, new: &str, old: &str) -> Option<&'a str> {
    column(row, new).or_else(|| column(row, old))
}

/// A column by its name, which versions write in different cases; `None` for NULL too.
fn column<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name))?
        .1
        .as_deref()
}

fn value(row: &Row, index: usize) -> Option<&str> {
    row.get(index)?.1.as_deref()
}
