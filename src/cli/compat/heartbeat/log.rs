//! heartbeat's log: Python's line format, a new file at 1 MB, four old ones.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::cli::failure::{Failure, failed};
use crate::os::files::{OwnFileError, append};

/// The size at which a new file is begun, in bytes.
const SIZE_MAX: u64 = 1_000_000;

/// Old files that are kept, as `heartbeat.log.1` and so on.
const OLD_FILES: u32 = 4;

/// Starts to log into a file.
pub(super) fn start(path: &Path, level: LevelFilter) -> Result<(), Failure> {
    let file = open(path)?;
    let log = HeartbeatLog(Mutex::new(file));
    log::set_boxed_logger(Box::new(log)).map_err(Failure::failed)?;
    log::set_max_level(level);
    Ok(())
}

fn open(path: &Path) -> Result<RotatingFile, Failure> {
    match RotatingFile::open(path.to_owned()) {
        Ok(file) => Ok(file),
        Err(e) => {
            let path = path.display();
            Err(failed!(
                "cannot open the log {path}: {e}; see logfile and user in [general]"
            ))
        }
    }
}

/// The level of one of Python's words.
pub(super) fn level(word: &str) -> Option<LevelFilter> {
    match word.to_ascii_uppercase().as_str() {
        "DEBUG" | "NOTSET" => Some(LevelFilter::Debug),
        "INFO" => Some(LevelFilter::Info),
        "WARNING" | "WARN" => Some(LevelFilter::Warn),
        "ERROR" => Some(LevelFilter::Error),
        // Nothing that is logged is that bad.
        "CRITICAL" | "FATAL" => Some(LevelFilter::Off),
        _ => None,
    }
}

struct HeartbeatLog(Mutex<RotatingFile>);

impl Log for HeartbeatLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("hacheck")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }

        let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        let line = line(&now, record);
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // There is nobody to tell that the log cannot be written.
        let _ = file.write(&line);
    }

    fn flush(&self) {}
}

/// `%(asctime)-19s %(levelname)-8s %(message)s`
fn line(time: &str, record: &Record<'_>) -> String {
    let level = word(record.level());
    let mut message = record.args().to_string();
    // A line of what a peer said must not look like one of the log's own.
    if message.contains(char::is_control) {
        message = message.escape_debug().to_string();
    }

    format!("{time:<19} {level:<8} {message}\n")
}

/// Python's word for a level.
fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug | Level::Trace => "DEBUG",
    }
}

struct RotatingFile {
    path: PathBuf,
    file: File,
    size: u64,
}

impl RotatingFile {
    fn open(path: PathBuf) -> Result<Self, OwnFileError> {
        let file = append(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file, size })
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let length = line.len() as u64;
        // As Python's RotatingFileHandler counts; but a line that is too long for any file does not begin one.
        if self.size > 0 && self.size + length >= SIZE_MAX {
            self.rotate();
        }

        self.file.write_all(line.as_bytes())?;
        self.size += length;
        Ok(())
    }

    /// Renames the file and opens another. One that cannot be renamed is written on.
    fn rotate(&mut self) {
        // The oldest first, so that none is overwritten that is still to be kept. At first most are not there.
        for number in (1..OLD_FILES).rev() {
            let _ = fs::rename(self.old(number), self.old(number + 1));
        }

        let _ = fs::rename(&self.path, self.old(1));
        if let Ok(new) = Self::open(self.path.clone()) {
            *self = new;
        }
    }

    fn old(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_pythons() {
        let record = |level, text: &'static str| {
            line(
                "2026-01-02 03:04:05",
                &Record::builder()
                    .level(level)
                    .args(format_args!("{text}"))
                    .build(),
            )
        };
        assert_eq!(
            record(Level::Info, "a b"),
            "2026-01-02 03:04:05 INFO     a b\n"
        );
        assert_eq!(
            record(Level::Warn, "a\nb"),
            "2026-01-02 03:04:05 WARNING  a\\nb\n"
        );
        assert_eq!(record(Level::Error, ""), "2026-01-02 03:04:05 ERROR    \n");
    }

    #[test]
    fn a_full_log_makes_way_and_four_old_ones_are_kept() {
        let folder = std::env::temp_dir().join(format!("hacheck-rotating-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut log = RotatingFile::open(folder.join("h.log")).unwrap();
        for round in 0..6 {
            for _ in 0..10 {
                log.write(&format!("{round}{}\n", "x".repeat(99_998)))
                    .unwrap();
            }
        }
        let mut found: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap()).collect();
        found.sort_by_key(fs::DirEntry::file_name);
        let names: Vec<_> = found
            .iter()
            .map(|e| e.file_name().into_string().unwrap())
            .collect();
        assert_eq!(names, ["h.log", "h.log.1", "h.log.2", "h.log.3", "h.log.4"]);
        assert!(found.iter().all(|e| e.metadata().unwrap().len() < SIZE_MAX));
        fs::remove_dir_all(&folder).unwrap();
    }
}
