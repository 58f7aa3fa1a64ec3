//! Reaping as process 1 of a container: what the commands of checks leave behind becomes our child, and its remains
//! stay in the process table until somebody waits for them.
//!
//! Rule: children of our own are left to whoever started them. They are waited for at once; so what has been dead for
//! a while has nobody.

use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::time::Duration;

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

/// How often to look; what is dead at two looks in a row is reaped.
const EVERY: Duration = Duration::from_secs(2);

/// Whether this process is the one that orphans come to.
#[must_use]
pub(crate) fn are_ours() -> bool {
    std::process::id() == 1
}

/// Reaps orphans for ever.
pub(crate) async fn reap() {
    let mut dead_before = HashSet::new();
    loop {
        tokio::time::sleep(EVERY).await;
        dead_before = match any_dead() {
            true => look(&dead_before),
            false => HashSet::new(),
        };
    }
}

/// Whether any child is dead: one system call, so that the process table is read only when there is something in it.
fn any_dead() -> bool {
    // WNOWAIT does not reap it: it may be a child of ours that is about to be waited for.
    let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    matches!(waitid(Id::All, peek), Ok(status) if status != WaitStatus::StillAlive)
}

/// Reaps what was dead before and still is; the others are those to reap at the next look.
fn look(before: &HashSet<Dead>) -> HashSet<Dead> {
    let (old, new): (HashSet<_>, HashSet<_>) =
        dead_children().partition(|dead| before.contains(dead));
    for orphan in old {
        reap_one(orphan.pid);
    }

    new
}

fn reap_one(pid: i32) {
    // An error means that somebody was faster.
    if waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)).is_ok() {
        log::debug!("reaped process {pid}, whose parent is gone");
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Dead {
    pid: i32,
    /// In clock ticks since boot: tells a process from a later one of the same number.
    started: u64,
}

fn dead_children() -> impl Iterator<Item = Dead> {
    // What cannot be read is left for the next look.
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| dead_child(&entry))
}

/// The dead child that an entry of /proc is.
fn dead_child(entry: &DirEntry) -> Option<Dead> {
    // Other entries than those of processes have names that are no numbers.
    let name = entry.file_name();
    let pid = name.to_str()?.parse().ok()?;
    let stat = entry.path().join("stat");
    let stat = fs::read_to_string(stat).ok()?;
    dead(pid, std::process::id(), &stat)
}

/// Reads a line of /proc/PID/stat (proc(5)): a dead child of `parent`.
fn dead(pid: i32, parent: u32, stat: &str) -> Option<Dead> {
    // The name stands in brackets and may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    // Z is a zombie: it has ended and was not waited for.
    let is_dead = fields.next()? == "Z";
    let is_ours = fields.next()?.parse() == Ok(parent);
    // Field 22 of proc(5), which counts that of the state as the third.
    let started = fields.nth(17)?.parse().ok()?;
    (is_dead && is_ours).then_some(Dead { pid, started })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dead_children_of_ours_count() {
        let line = |state: char, parent: u32| {
            format!("42 (a) Z 1 b) {state} {parent} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0")
        };
        assert_eq!(
            dead(42, 1, &line('Z', 1)),
            Some(Dead {
                pid: 42,
                started: 777
            })
        );
        assert_eq!(dead(42, 1, &line('S', 1)), None);
        assert_eq!(dead(42, 1, &line('Z', 2)), None);
        assert_eq!(dead(42, 1, "42 (cut"), None);
        assert_eq!(dead(42, 1, "42 (cut) Z 1"), None);
    }
}
