//! The log of a command: warnings, on standard error.

use std::io::Write as _;

/// Shows on standard error what the spool logs, such as a lock that another process holds for too long.
pub(crate) fn show() {
    struct Warnings;
    impl log::Log for Warnings {
        fn enabled(&self, metadata: &log::Metadata) -> bool {
            metadata.level() <= log::Level::Warn && metadata.target().starts_with("hacheck")
        }
        fn log(&self, record: &log::Record) {
            if self.enabled(record.metadata()) {
                let _ = writeln!(std::io::stderr(), "hacheck: warning: {}", record.args());
            }
        }
        fn flush(&self) {}
    }
    // Fails only where a logger stands already, which then shows them.
    if log::set_logger(&Warnings).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}
