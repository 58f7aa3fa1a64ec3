//! The settings of the log.

use log::LevelFilter;

use crate::os::logging::{LogFormat, LogPath};
use crate::settings::{Kind, Reader, count, quoted, settings};

settings! {
    /// The log.
    pub struct LogSettings {
        /// Where the log goes. A file is opened anew after it was renamed, as logrotate does.
        log_path: LogPath = LogPath::Stderr, log_path();
        /// How a line of the log looks: for people, or one JSON object with `time`, `level`, `target` and `message`.
        log_format: LogFormat = LogFormat::Text, log_format();
        /// What is logged without `-v`. Changes of a service are info, each request is debug.
        log_level: LevelFilter = LevelFilter::Info, log_level();
        /// Lines of the log; more are left out, counted, and their number is logged. Those of single requests (debug)
        /// are not bounded.
        log_rate: usize = 1000, count("lines per second", 1, 10_000_000);
    }
}

fn log_path() -> Kind<LogPath> {
    let show = |path: &LogPath| match path {
        LogPath::Stdout => "stdout".into(),
        LogPath::Stderr => "stderr".into(),
        LogPath::File(path) => quoted(&path.to_string_lossy()),
    };
    Kind::new("`stdout`, `stderr` or a path", read_log_path, show)
}

fn log_format() -> Kind<LogFormat> {
    let show = |format: &LogFormat| match format {
        // Chosen by `health-checker`; it cannot be set in a file.
        LogFormat::Logrus => "logrus".into(),
        LogFormat::Text => "text".into(),
        LogFormat::Json => "json".into(),
    };
    Kind::new("`text` or `json`", read_log_format, show)
}

fn log_level() -> Kind<LevelFilter> {
    let words = "`error`, `warn`, `info`, `debug`, `trace` or `off`";
    let show = |level: &LevelFilter| level.to_string().to_ascii_lowercase();
    Kind::new(words, read_log_level, show)
}

fn read_log_path(reader: &Reader<'_>) -> Option<LogPath> {
    match reader.word().as_deref() {
        // As files they would be looked at before each line, as if they could be renamed.
        Some("stdout" | "/dev/stdout") => Some(LogPath::Stdout),
        Some("stderr" | "/dev/stderr") => Some(LogPath::Stderr),
        // A path keeps its capitals, unlike the words.
        _ => {
            let path = reader.path("/var/log/hacheck/hacheck.log")?;
            Some(LogPath::File(path))
        }
    }
}

fn read_log_format(reader: &Reader<'_>) -> Option<LogFormat> {
    let remedy = "write text or json";
    reader.parsed("is not a format of the log", remedy, log_format_of)
}

fn log_format_of(text: &str) -> Option<LogFormat> {
    match text.trim().to_ascii_lowercase().as_str() {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

fn read_log_level(reader: &Reader<'_>) -> Option<LevelFilter> {
    let remedy = "write error, warn, info, debug, trace or off";
    reader.parsed("is not a level of the log", remedy, log_level_of)
}

fn log_level_of(text: &str) -> Option<LevelFilter> {
    match text.trim().to_ascii_lowercase().as_str() {
        // The word of syslog(3).
        "warning" => Some(LevelFilter::Warn),
        level => level.parse().ok(),
    }
}
