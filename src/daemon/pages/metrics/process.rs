//! The process, by the names that Prometheus' client libraries use.

use super::{DaemonState, Exposition};
use crate::os::figures::{self, ProcessFigures};

pub(super) fn add(page: &mut Exposition, state: &DaemonState) {
    let figures = figures::process_figures();
    page.counter(
        "process_cpu_seconds_total",
        "CPU time in user and kernel mode.",
        figures.user_seconds + figures.system_seconds,
    );
    memory(page, &figures);
    files(page, &figures);
    page.gauge("process_threads", "Threads.", figures.threads);
    page.gauge(
        "process_start_time_seconds",
        "When it started, in seconds of unix time.",
        state.started_unix,
    );
}

fn memory(page: &mut Exposition, figures: &ProcessFigures) {
    page.gauge(
        "process_resident_memory_bytes",
        "Resident memory.",
        figures.rss_bytes,
    );
    page.gauge(
        "process_virtual_memory_bytes",
        "Virtual memory.",
        figures.vsz_bytes,
    );
}

fn files(page: &mut Exposition, figures: &ProcessFigures) {
    page.gauge(
        "process_open_fds",
        "Open file descriptors.",
        figures.open_files,
    );
    page.gauge(
        "process_max_fds",
        "The most that may be open.",
        figures.open_files_max,
    );
}
