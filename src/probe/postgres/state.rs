//! Role and lag: the statements that ask for them, and what the answers mean.

use super::options::PostgresOptions;
use super::query;
use super::wire::Wire;
use crate::probe::options::Role;
use crate::probe::{Outcome, Probe};

/// What tells a replica from a primary. A replica that is being promoted is one until it takes writes.
const IN_RECOVERY: &str = "SELECT pg_is_in_recovery()";

/// The lag of a replica in whole seconds, or why there is none. Where all that was received is replayed there is no lag,
/// but only as long as a WAL receiver runs: without one, what the primary has written since is not known. A replica that
/// is fed from an archive has no receiver; its lag is the age of what it replayed last.
const LAG: &str = "SELECT CASE \
     WHEN NOT pg_is_in_recovery() THEN 'primary' \
     WHEN receives AND pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn() THEN '0' \
     WHEN receives OR coalesce(current_setting('restore_command', true), '') <> '' \
     THEN coalesce(ceil(greatest(0, extract(epoch FROM \
     clock_timestamp() - pg_last_xact_replay_timestamp())))::text, 'unknown') \
     ELSE 'detached' END \
     FROM (SELECT EXISTS (SELECT FROM pg_stat_wal_receiver)) AS r (receives)";

/// What a server is.
enum RecoveryState {
    Primary,
    Replica(Lag),
}

/// How far a replica is behind.
enum Lag {
    NotAsked,
    Seconds(u64),
    /// It has replayed nothing yet.
    Unknown,
    /// It has neither a WAL receiver nor an archive.
    Detached,
}

/// Checks role and lag, and says what was found.
pub(super) async fn check(
    probe: &Probe<'_>,
    wire: &mut Wire,
    options: &PostgresOptions,
) -> Result<String, Outcome> {
    // The one for the lag tells the role too, so one statement is enough in any case.
    let statement = match options.max_lag {
        Some(_) => LAG,
        None => IN_RECOVERY,
    };

    let answer = query(probe, wire, statement).await?;
    let Some(state) = RecoveryState::read(&answer) else {
        let answer = answer.escape_debug();
        return Err(probe.failed(format_args!("{statement}: answered '{answer}'")));
    };

    expect_role(probe, options.role, &state)?;
    match options.max_lag {
        Some(max) => judge(probe, &state, max),
        None => Ok(format!(
            "PostgreSQL answered {IN_RECOVERY}; {}",
            state.role()
        )),
    }
}

fn judge(probe: &Probe<'_>, state: &RecoveryState, max: u64) -> Result<String, Outcome> {
    match state {
        RecoveryState::Primary => Ok("PostgreSQL is a primary, which has no lag".to_owned()),
        RecoveryState::Replica(lag) => judge_lag(probe, lag, max),
    }
}

impl RecoveryState {
    fn read(answer: &str) -> Option<Self> {
        let state = match answer {
            // Letters are PostgreSQL's booleans, words those of LAG.
            "f" | "primary" => Self::Primary,
            "t" => Self::Replica(Lag::NotAsked),
            "unknown" => Self::Replica(Lag::Unknown),
            "detached" => Self::Replica(Lag::Detached),
            seconds => Self::Replica(Lag::Seconds(seconds.parse().ok()?)),
        };
        Some(state)
    }
}

impl RecoveryState {
    fn role(&self) -> Role {
        match self {
            Self::Primary => Role::Primary,
            Self::Replica(_) => Role::Replica,
        }
    }
}

fn expect_role(
    probe: &Probe<'_>,
    role: Option<Role>,
    state: &RecoveryState,
) -> Result<(), Outcome> {
    match (role, state.role()) {
        (Some(Role::Primary), Role::Replica) => Err(probe.failed("replica, not a primary")),
        (Some(Role::Replica), Role::Primary) => Err(probe.failed("primary, not a replica")),
        _ => Ok(()),
    }
}

fn judge_lag(probe: &Probe<'_>, lag: &Lag, max: u64) -> Result<String, Outcome> {
    match lag {
        Lag::Seconds(lag) if *lag <= max => Ok(format!("PostgreSQL is a replica, lag {lag} s")),
        Lag::Seconds(lag) => Err(probe.failed(format_args!("lag {lag} s is over {max} s"))),
        Lag::Detached => Err(probe.failed(
            "replica without a WAL receiver, so its lag is unknown; look at primary_conninfo and the primary",
        )),
        Lag::Unknown | Lag::NotAsked => Err(probe.failed("replica, lag unknown")),
    }
}
