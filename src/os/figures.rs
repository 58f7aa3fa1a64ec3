//! What /proc tells of this process.

use std::fs;

use nix::unistd::{SysconfVar, sysconf};

use super::file_limit::soft_limit;

/// Figures of this process, from /proc.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessFigures {
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// Virtual memory, in bytes.
    pub vsz_bytes: u64,
    /// CPU time in user mode, in seconds.
    pub user_seconds: f64,
    /// CPU time in kernel mode, in seconds.
    pub system_seconds: f64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub open_files: u64,
    /// The most of them that may be open.
    pub open_files_max: u64,
}

/// Reads the figures; what cannot be read is 0.
#[must_use]
pub(crate) fn process_figures() -> ProcessFigures {
    // One file has most of the figures: scrapes come every few seconds, and each file costs three system calls.
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let stat = Stat::of(&text);
    let page = kernel_value(SysconfVar::PAGE_SIZE, 4096);
    ProcessFigures {
        rss_bytes: stat.field(24) * page,
        vsz_bytes: stat.field(23),
        user_seconds: seconds(stat.field(14)),
        system_seconds: seconds(stat.field(15)),
        threads: stat.field(20),
        open_files: open_files(),
        open_files_max: soft_limit(),
    }
}

/// The fields of /proc/self/stat.
struct Stat<'t>(Vec<&'t str>);

impl<'t> Stat<'t> {
    fn of(text: &'t str) -> Self {
        // They stand behind the name in brackets, which may hold anything, brackets too.
        let (_, fields) = text.rsplit_once(") ").unwrap_or_default();
        Self(fields.split(' ').collect())
    }

    /// A field by its number in proc(5), which counts those behind the name from 3.
    fn field(&self, number: usize) -> u64 {
        let text = self.0.get(number - 3).copied().unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }
}

#[allow(clippy::cast_precision_loss)] // seconds of CPU time fit
fn seconds(ticks: u64) -> f64 {
    let per_second = kernel_value(SysconfVar::CLK_TCK, 100);
    ticks as f64 / per_second as f64
}

fn kernel_value(name: SysconfVar, usual: u64) -> u64 {
    match sysconf(name) {
        Ok(Some(value)) => u64::try_from(value).unwrap_or(usual),
        Ok(None) | Err(_) => usual,
    }
}

fn open_files() -> u64 {
    let Ok(folder) = fs::read_dir("/proc/self/fd") else {
        return 0;
    };

    // Reading the folder opens one more.
    let count = folder.count().saturating_sub(1);
    count as u64
}
