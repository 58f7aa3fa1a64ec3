//! From a file to a [`Config`], with everything that is wrong with it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::settings::settings;
use super::{Config, DaemonSettings};
use crate::os::cause::cause_text;
use crate::os::reading::{FileError, open_regular};
use crate::settings::{
    Document, Fault, Faults, Fields, MAX_FILE, Node, Problem, Reader, Sink, Value, decode,
    file_key, tidy,
};

/// A configuration that can be used, and what is odd about its file.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What the operator should know; as many as [`Faults`] has faults at most.
    pub warnings: Vec<Fault>,
}

/// Reads a configuration file.
///
/// # Errors
/// Everything that is wrong with the file; it cannot be used then.
pub fn load(path: &Path) -> Result<Loaded, Faults> {
    read_from(path, File::open(path))
}

/// Reads a configuration file again, of which a daemon lives: a regular file only, since a FIFO may hang for ever.
///
/// # Errors
/// Everything that is wrong with the file; it cannot be used then.
pub fn reload(path: &Path) -> Result<Loaded, Faults> {
    match open_regular(path) {
        Err(FileError::Io(e)) => read_from(path, Err(e)),
        Err(e) => {
            let text = format!("{e}; name a regular file with -c");
            Err(Faults::whole_file(&path.to_string_lossy(), text))
        }
        Ok(file) => read_from(path, Ok(file)),
    }
}

fn read_from(path: &Path, opened: io::Result<File>) -> Result<Loaded, Faults> {
    let name = path.to_string_lossy();
    let mut bytes = Vec::new();
    let most = MAX_FILE as u64 + 1;
    let read = opened.and_then(|file| file.take(most).read_to_end(&mut bytes));
    match read {
        Ok(_) => parse(&bytes, &name),
        Err(e) => Err(Faults::whole_file(&name, unreadable(&e))),
    }
}

fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file; check the path given with -c".into(),
        ErrorKind::PermissionDenied => {
            "permission denied; run as a user who may read the file".into()
        }
        ErrorKind::IsADirectory => "this is a folder; name a file in it".into(),
        ErrorKind::NotADirectory => {
            "a part of the path is not a folder; check the path given with -c".into()
        }
        _ => format!(
            "the file cannot be read: {}; check the path given with -c",
            cause_text(error)
        ),
    }
}

/// Reads the text of a configuration file; `name` is the file's name in messages.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn parse(text: &[u8], name: &str) -> Result<Loaded, Faults> {
    let problem = |p: Problem| {
        Faults::one(Fault {
            file: name.into(),
            line: p.line,
            column: p.column,
            key: String::new(),
            text: p.text,
        })
    };
    let mut document = Document::parse(decode(text).map_err(problem)?).map_err(problem)?;
    let sink = Sink::new(text.len());
    tidy(&mut document.root, &is_secret, &sink);
    let config = read(&document.root, &sink);
    let (faults, warnings) = sink.finish(name, |mark| document.line(mark));
    match faults {
        Some(faults) => Err(faults),
        None => Ok(Loaded { config, warnings }),
    }
}

fn is_secret(key: &str) -> bool {
    settings().iter().any(|s| s.secret && s.name == key)
}

fn read(root: &Node, sink: &Sink) -> Config {
    let mut config = Config::default();
    let what = match root.value {
        Value::Null => return config,
        Value::Map(_) => None,
        Value::List(_) => Some("a list"),
        Value::Scalar(_) => Some("a single word or text"),
    };
    if let Some(what) = what {
        sink.fault(
            root.mark,
            "",
            format!("the file holds {what}, not settings; write lines such as 'cache_time: 10'"),
        );
        return config;
    }
    let files: Vec<String> = settings()
        .iter()
        .filter(|s| s.secret)
        .map(|s| file_key(s.name))
        .collect();
    let known: Vec<&str> = settings()
        .iter()
        .map(|s| s.name)
        .chain(files.iter().map(String::as_str))
        .collect();
    let Some(fields) = Reader::root(root, sink).fields(&known) else {
        return config;
    };
    for setting in settings() {
        setting.read(&mut config, &fields);
    }
    relations(&config, &fields);
    config
}

/// What is odd about settings together.
fn relations(config: &Config, fields: &Fields<'_>) {
    let warn = |key, text: &str| {
        if let Some(reader) = fields.get(key) {
            reader.warn(text);
        }
    };
    if !config.probe.tls_verify {
        warn(
            "tls_ca_file",
            "the certificates are not used while tls_verify is false; set tls_verify: true",
        );
    }
    if !config.daemon.allow_remote_spool_changes && !config.daemon.remote_spool_tokens.is_empty() {
        warn(
            "remote_spool_tokens",
            "no spool change from afar is taken; set allow_remote_spool_changes: true",
        );
    }
    if config.daemon.allow_remote_spool_changes && config.daemon.remote_spool_tokens.is_empty() {
        warn(
            "allow_remote_spool_changes",
            "there are no remote_spool_tokens beside it, so whoever connects from remote_spool_from (any address, unless \
             it is set) can take every service of this host out of rotation; set remote_spool_tokens",
        );
    }
    if config.daemon.listen_unix.is_none()
        && config.daemon.listen_unix_mode != DaemonSettings::default().listen_unix_mode
    {
        warn(
            "listen_unix_mode",
            "there is no listen_unix beside it, so it does nothing; set both",
        );
    }
    if config.probe.mysql_password.is_none() {
        warn(
            "mysql_username",
            "there is no mysql_password beside it, so MySQL probes will not log in; set both",
        );
    }
    if fields.get("mysql_username").is_none() {
        warn(
            "mysql_password_file",
            "there is no mysql_username beside it, so MySQL probes will not log in; set both",
        );
        warn(
            "mysql_password",
            "there is no mysql_username beside it, so MySQL probes will not log in; set both",
        );
    }
}
