//! The settings of the log.

use crate::os::logging::{LogFormat, LogPath};
use crate::settings::Reader;

/// The settings of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSettings {
    /// `log_path`: where the log goes.
    pub log_path: LogPath,
    /// `log_format`: how a line of the log looks.
    pub log_format: LogFormat,
    /// `log_level`: what is logged without `-v`.
    pub log_level: log::LevelFilter,
    /// `log_rate`: most lines of the log in one second.
    pub log_rate: usize,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            log_path: LogPath::Stderr,
            log_format: LogFormat::Text,
            log_level: log::LevelFilter::Info,
            log_rate: 1000,
        }
    }
}

/// `stdout`, `stderr` or a file.
pub fn read_log_path(reader: &Reader<'_>) -> Option<LogPath> {
    match reader.word().as_deref() {
        Some("stdout") => Some(LogPath::Stdout),
        Some("stderr") => Some(LogPath::Stderr),
        _ => reader
            .path("/var/log/hacheck/hacheck.log")
            .map(LogPath::File),
    }
}

/// `text` or `json`.
pub fn read_log_format(reader: &Reader<'_>) -> Option<LogFormat> {
    let remedy = "write text or json";
    reader.parsed("is not a format of the log", remedy, |t| {
        match t.trim().to_ascii_lowercase().as_str() {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        }
    })
}

/// A level of the log.
pub fn read_log_level(reader: &Reader<'_>) -> Option<log::LevelFilter> {
    let remedy = "write error, warn, info, debug, trace or off";
    reader.parsed("is not a level of the log", remedy, |t| {
        match t.trim().to_ascii_lowercase().as_str() {
            "warning" => Some(log::LevelFilter::Warn),
            level => level.parse().ok(),
        }
    })
}
