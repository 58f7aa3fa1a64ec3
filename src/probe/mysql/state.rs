//! Role, lag and Galera state: the statements that ask for them, and what their rows mean.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Value};

use super::ask::{Ask, Galera};
use super::failure::MysqlFailure;
use crate::probe::Trace;
use crate::probe::options::Role;

/// MariaDB's (all sources), MySQL's since 8.0.22, and the one before. A server knows its own and calls the others a
/// syntax error.
const REPLICA_STATUS: [&str; 3] = [
    "SHOW ALL SLAVES STATUS",
    "SHOW REPLICA STATUS",
    "SHOW SLAVE STATUS",
];

/// Most bytes of an answer that are kept.
const BYTES_MAX: usize = 4 << 20;

/// ER_PARSE_ERROR.
const SYNTAX_ERROR: u16 = 1064;

/// Whether a node is part of a cluster that has a majority, in step with it, and takes queries.
const GALERA_STATUS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN \
    ('wsrep_local_state', 'wsrep_cluster_status', 'wsrep_ready')";

/// Whether an operator keeps queries from a node: Galera's own setting, and Percona's.
const GALERA_SETTINGS: &str =
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_reject_queries', 'pxc_maint_mode')";

/// What a node that serves has in these, besides its state. Not every version has all of them.
const GALERA_SERVES: [(&str, &str); 4] = [
    ("wsrep_cluster_status", "Primary"),
    ("wsrep_ready", "ON"),
    ("wsrep_reject_queries", "NONE"),
    ("pxc_maint_mode", "DISABLED"),
];

/// `wsrep_local_state` (Galera manual, "Node state changes").
const GALERA_STATES: [&str; 6] = [
    "Initialized",
    "Joining",
    "Donor/Desynced",
    "Joined",
    "Synced",
    "Error",
];

/// A row: names of columns and values, `None` for NULL.
type TextRow = Vec<(String, Option<String>)>;

/// Asks for what the options want to know. What was found, or the failure.
pub(super) async fn check(
    connection: &mut Conn,
    ask: &Ask,
    trace: &Trace,
) -> Result<Vec<String>, MysqlFailure> {
    let mut asking = Asking { connection, trace };
    // A node that rejects queries still answers SHOW, and should say why, so it is asked first.
    let galera = match ask.galera {
        Some(wanted) => Some(asking.galera(wanted).await?),
        None => None,
    };

    let mut found = Vec::new();
    if ask.role == Some(Role::Primary) {
        found.push(asking.primary().await?);
    }

    // A lag is a replica's, so `max_lag` alone means one.
    if ask.role == Some(Role::Replica) || ask.max_lag.is_some() {
        found.push(asking.replica(ask.max_lag).await?);
    }

    found.extend(galera);
    Ok(found)
}

/// A connection that statements are sent on.
struct Asking<'a> {
    connection: &'a mut Conn,
    trace: &'a Trace,
}

impl Asking<'_> {
    async fn primary(&mut self) -> Result<String, MysqlFailure> {
        let rows = self.rows("SELECT @@global.read_only").await?;
        primary(&rows)
    }

    async fn replica(&mut self, max_lag: Option<u64>) -> Result<String, MysqlFailure> {
        let rows = self.replica_status().await?;
        replica(&rows, max_lag)
    }

    async fn replica_status(&mut self) -> Result<Vec<TextRow>, MysqlFailure> {
        let [others @ .., last] = REPLICA_STATUS;
        for statement in others {
            match self.query(statement).await {
                Err(failure) if is_syntax_error(&failure) => {}
                result => return result.map_err(|e| e.at_statement(statement)),
            }
        }

        self.rows(last).await
    }

    async fn galera(&mut self, wanted: Galera) -> Result<String, MysqlFailure> {
        let mut rows = self.rows(GALERA_STATUS).await?;
        // A server that is in no cluster fails anyway, and need not be asked for more.
        if named(&rows, "wsrep_local_state").is_some() {
            rows.extend(self.rows(GALERA_SETTINGS).await?);
        }

        galera(&rows, wanted)
    }

    async fn rows(&mut self, statement: &'static str) -> Result<Vec<TextRow>, MysqlFailure> {
        let rows = self.query(statement).await;
        rows.map_err(|e| e.at_statement(statement))
    }

    async fn query(&mut self, statement: &'static str) -> Result<Vec<TextRow>, MysqlFailure> {
        self.trace.stage("waiting for the answer to a statement");
        self.trace.note(|| statement.to_owned());
        let mut result = self.connection.query_iter(statement).await?;
        let kept = BoundedRows::default();
        // Row by row: collected at once, a server could make them as many as it likes.
        let rows = result.reduce(kept, |rows, row| rows.with(&row)).await?;
        result.drop_result().await?;
        rows.all()
    }
}

fn is_syntax_error(failure: &MysqlFailure) -> bool {
    match failure {
        MysqlFailure::Refused { code, .. } => *code == SYNTAX_ERROR,
        _ => false,
    }
}

/// The rows of an answer, as far as they are not too many.
#[derive(Default)]
struct BoundedRows {
    rows: Vec<TextRow>,
    bytes: usize,
}

impl BoundedRows {
    fn with(mut self, row: &mysql_async::Row) -> Self {
        let row = texts(row);
        self.bytes += size(&row);
        // What is too much is still read to its end, as the connection is of no use else, but not kept.
        if self.bytes <= BYTES_MAX {
            self.rows.push(row);
        }

        self
    }

    fn all(self) -> Result<Vec<TextRow>, MysqlFailure> {
        if self.bytes > BYTES_MAX {
            return Err(MysqlFailure::Broken("the answer is too long".into()));
        }

        Ok(self.rows)
    }
}

/// About what a row takes in memory.
fn size(row: &TextRow) -> usize {
    let mut bytes = 0;
    for (name, value) in row {
        let value = value.as_deref().unwrap_or_default();
        bytes += 64 + name.len() + value.len();
    }

    bytes
}

fn texts(row: &mysql_async::Row) -> TextRow {
    let mut texts = Vec::new();
    for (index, column) in row.columns_ref().iter().enumerate() {
        let value = row.as_ref(index).and_then(text);
        texts.push((column.name_str().into_owned(), value));
    }

    texts
}

/// Answers to statements that are sent as text are text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}

fn primary(rows: &[TextRow]) -> Result<String, MysqlFailure> {
    match first_value(rows, 0) {
        Some("0" | "OFF") => Ok("primary".into()),
        Some(value) => unfit(format!("read_only is {value}: not a primary")),
        None => unfit("the server did not tell its read_only"),
    }
}

/// Without `max_lag` a replica may be stopped; with it, it runs, and no source is ahead by more.
fn replica(rows: &[TextRow], max_lag: Option<u64>) -> Result<String, MysqlFailure> {
    if rows.is_empty() {
        return unfit("primary, not a replica");
    }

    let Some(max) = max_lag else {
        return Ok("replica".into());
    };

    let lag = worst_lag(rows)?;
    if lag > max {
        return unfit(format!("lag {lag} s is over {max} s"));
    }

    Ok(format!("replica, lag {lag} s"))
}

/// A replica may follow several sources, each with a row.
fn worst_lag(rows: &[TextRow]) -> Result<u64, MysqlFailure> {
    let mut worst = 0;
    for row in rows {
        worst = worst.max(lag(row)?);
    }

    Ok(worst)
}

/// The lag behind one source, in seconds; what is wrong when it does not run.
fn lag(row: &TextRow) -> Result<u64, MysqlFailure> {
    expect_running(row, "IO")?;
    expect_running(row, "SQL")?;
    let lag = either(row, "Seconds_Behind_Source", "Seconds_Behind_Master");
    match lag.and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) => Ok(seconds),
        None => unfit("replica, lag unknown"),
    }
}

/// Fails when one of a replica's two threads does not run, with the error that stopped it.
fn expect_running(row: &TextRow, thread: &str) -> Result<(), MysqlFailure> {
    let new = format!("Replica_{thread}_Running");
    let old = format!("Slave_{thread}_Running");
    // A column that is missing is not "Yes" either: what cannot be seen does not pass.
    let state = either(row, &new, &old).unwrap_or("unknown");
    // While the IO thread has lost its source and tries again, it says `Connecting`.
    if state == "Yes" {
        return Ok(());
    }

    let error = last_error(row, thread);
    unfit(format!("replica, {thread} thread running: {state}{error}"))
}

fn last_error(row: &TextRow, thread: &str) -> String {
    match column(row, &format!("Last_{thread}_Error")) {
        None | Some("") => String::new(),
        Some(error) => format!(": {error}"),
    }
}

fn galera(rows: &[TextRow], wanted: Galera) -> Result<String, MysqlFailure> {
    let Some(state) = named(rows, "wsrep_local_state") else {
        return unfit("no wsrep_local_state: the server is not part of a Galera cluster");
    };

    for (name, good) in GALERA_SERVES {
        expect_value(rows, name, good)?;
    }

    galera_state(state, wanted)
}

fn expect_value(rows: &[TextRow], name: &str, good: &str) -> Result<(), MysqlFailure> {
    match named(rows, name) {
        Some(value) if !value.eq_ignore_ascii_case(good) => {
            unfit(format!("{name} is {value}, want {good}"))
        }
        _ => Ok(()),
    }
}

fn galera_state(state: &str, wanted: Galera) -> Result<String, MysqlFailure> {
    let number = state.parse().ok();
    let name = galera_state_name(number);
    let found = format!("wsrep_local_state {state} ({name})");
    match (number, wanted) {
        // By their places in GALERA_STATES.
        (Some(4), _) | (Some(2), Galera::SyncedOrDonor) => Ok(found),
        (_, wanted) => unfit(format!("{found}, want {}", passing_states(wanted))),
    }
}

fn galera_state_name(number: Option<usize>) -> &'static str {
    let name = number.and_then(|n| GALERA_STATES.get(n));
    name.copied().unwrap_or("unknown")
}

fn passing_states(wanted: Galera) -> &'static str {
    match wanted {
        Galera::Synced => "4 (Synced)",
        Galera::SyncedOrDonor => "4 (Synced) or 2 (Donor/Desynced)",
    }
}

/// The value beside a name, in rows of names and values.
fn named<'a>(rows: &'a [TextRow], name: &str) -> Option<&'a str> {
    let is_it = |row: &&TextRow| value(row, 0).is_some_and(|n| n.eq_ignore_ascii_case(name));
    value(rows.iter().find(is_it)?, 1)
}

fn value(row: &TextRow, index: usize) -> Option<&str> {
    let (_, value) = row.get(index)?;
    value.as_deref()
}

fn unfit<T>(cause: impl Into<String>) -> Result<T, MysqlFailure> {
    Err(MysqlFailure::Unfit(cause.into()))
}

fn either<'a>(row: &'a TextRow, new: &str, old: &str) -> Option<&'a str> {
    column(row, new).or_else(|| column(row, old))
}

/// A column by its name, which versions write in different cases; `None` for NULL too.
fn column<'a>(row: &'a TextRow, name: &str) -> Option<&'a str> {
    let mut columns = row.iter();
    let (_, value) = columns.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    value.as_deref()
}

/// A column of the first row, by its index.
fn first_value(rows: &[TextRow], index: usize) -> Option<&str> {
    value(rows.first()?, index)
}

#[cfg(test)]
mod tests;
