//! The log of a command: warnings, on standard error.

use log::{LevelFilter, Log, Metadata, Record};

use crate::cli::output::complain;

/// Shows what the spool logs, such as a lock that another process holds for too long.
pub(crate) fn show() {
    // Fails only where another logger is there already, which then shows the warnings.
    if log::set_logger(&WarningLog).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}

struct WarningLog;

impl Log for WarningLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= LevelFilter::Warn && metadata.target().starts_with("hacheck")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            complain(&format!("hacheck: warning: {}", record.args()));
        }
    }

    fn flush(&self) {}
}
