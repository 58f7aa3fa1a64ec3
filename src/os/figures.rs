//! What /proc tells of this process.

use std::fs;

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
pub fn process_figures() -> ProcessFigures {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields behind the name in brackets, which may hold anything; proc(5) counts them from 3.
    let fields: Vec<&str> = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.split(' ').collect())
        .unwrap_or_default();
    let field = |n: usize| {
        fields
            .get(n - 3)
            .and_then(|f| f.trim().parse::<u64>().ok())
            .unwrap_or(0)
    };
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
        .ok()
        .flatten()
        .unwrap_or(100);
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .unwrap_or(4096);
    #[allow(clippy::cast_precision_loss)] // seconds of CPU time fit
    let seconds = |t: u64| t as f64 / ticks as f64;
    ProcessFigures {
        rss_bytes: field(24) * u64::try_from(page).unwrap_or(4096),
        vsz_bytes: field(23),
        user_seconds: seconds(field(14)),
        system_seconds: seconds(field(15)),
        threads: field(20),
        // Reading the folder opens one more.
        open_files: fs::read_dir("/proc/self/fd")
            .map_or(0, |d| d.count() as u64)
            .saturating_sub(1),
        open_files_max: soft_limit(),
    }
}
