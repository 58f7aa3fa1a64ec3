//! From a file to a [`Config`], with everything that is wrong with it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::named_files::warn_of_named_files;
use super::relations::warn_of_relations;
use super::settings::settings;
use super::{Config, logins};
use crate::os::cause::cause_text;
use crate::os::reading::{FileError, open_regular};
use crate::settings::{
    Document, Fault, FaultSink, Faults, Fields, MAX_FILE, Node, Problem, Reader, Value, decode,
    known_keys, tidy,
};

/// What people look for in the file, and the command line has.
const OF_COMMAND_LINE: &[(&str, &str)] = &[
    (
        "port",
        "give the port with -p, or in hacheck.socket where systemd opens it",
    ),
    (
        "bind_address",
        "give the address with -B, or in hacheck.socket where systemd opens it",
    ),
    ("num_procs", "give the number of threads with -n"),
    ("spool_root", "give the folder with --spool-root"),
    ("verbose", "start hacheck with -v, or set log_level: debug"),
    ("config_file", "give the file with -c"),
];

/// A configuration that can be used, and what is odd about its file.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What the operator should know; as many as [`Faults`] has faults at most.
    pub warnings: Vec<Fault>,
    /// What is worth a line of the log, and is as it may be.
    pub notes: Vec<String>,
}

/// A configuration file with all that is wrong with it, and what is odd besides.
#[derive(Debug)]
pub struct Examined {
    /// What could be read of it.
    pub loaded: Loaded,
    /// Why it cannot be used, if so.
    pub faults: Option<Faults>,
}

impl Examined {
    fn unreadable(faults: Faults) -> Self {
        Self {
            loaded: Loaded::default(),
            faults: Some(faults),
        }
    }

    fn usable(self) -> Result<Loaded, Faults> {
        match self.faults {
            Some(faults) => Err(faults),
            None => Ok(self.loaded),
        }
    }
}

/// Reads a configuration file, and looks for the files and programs that it names.
#[must_use]
pub fn examine(path: &Path) -> Examined {
    let name = path.to_string_lossy();
    match content(&name, File::open(path)) {
        Ok(bytes) => read_all(&bytes, &name, warn_of_named_files),
        Err(faults) => Examined::unreadable(faults),
    }
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
    parse(&content(&name, opened)?, &name)
}

fn content(name: &str, opened: io::Result<File>) -> Result<Vec<u8>, Faults> {
    let read = opened.and_then(read_bounded);
    read.map_err(|e| Faults::whole_file(name, unreadable(&e)))
}

fn read_bounded(file: File) -> io::Result<Vec<u8>> {
    // One byte more than is allowed tells a file that is too large from one that just fits.
    let most = MAX_FILE as u64 + 1;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
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
    read_all(text, name, |_, _| {}).usable()
}

/// Reads all of a text; `look` may warn of more.
fn read_all(text: &[u8], name: &str, look: Look) -> Examined {
    let mut document = match document(text) {
        Ok(document) => document,
        Err(problem) => return Examined::unreadable(fault(problem, name)),
    };
    let sink = FaultSink::new(text.len());
    tidy(&mut document.root, &is_secret, &sink);
    let loaded = read(&document.root, &sink, look);
    // Lines are looked up last, for what is reported only: each costs a walk through the file.
    let (faults, warnings) = sink.finish(name, |place| document.line(place));
    Examined {
        loaded: Loaded { warnings, ..loaded },
        faults,
    }
}

/// Warns of what stands behind the settings.
type Look = fn(&Config, &Fields<'_>);

fn document(text: &[u8]) -> Result<Document<'_>, Problem> {
    Document::parse(decode(text)?)
}

fn fault(problem: Problem, file: &str) -> Faults {
    Faults::one(Fault {
        file: file.into(),
        line: problem.line,
        column: problem.column,
        key: String::new(),
        text: problem.text,
    })
}

fn is_secret(key: &str) -> bool {
    let mut secrets = settings().iter().filter(|setting| setting.secret);
    secrets.any(|setting| setting.name == key) || key.ends_with(".login.password")
}

fn read(root: &Node, sink: &FaultSink, look: Look) -> Loaded {
    let Some(fields) = fields(root, sink) else {
        return Loaded::default();
    };
    let config = config(&fields);
    // Only now, as these look at several settings.
    warn_of_relations(&config, &fields);
    logins::warn(&config, &fields);
    look(&config, &fields);
    let note = logins::note(&config.probe, &fields);
    Loaded {
        config,
        warnings: Vec::new(),
        notes: note.into_iter().collect(),
    }
}

fn config(fields: &Fields<'_>) -> Config {
    let mut config = Config::default();
    for setting in settings() {
        setting.read(&mut config, fields);
    }
    config
}

/// The values by their keys; `None` for an empty file, and where there are no settings, which is a fault.
fn fields<'a>(root: &'a Node, sink: &'a FaultSink) -> Option<Fields<'a>> {
    let found = match root.value {
        Value::Map(_) => return known_fields(root, sink),
        Value::Null => return None,
        Value::List(_) => "a list",
        Value::Scalar(_) => "a single word or text",
    };
    sink.fault(root.mark, "", no_settings(found));
    None
}

fn no_settings(found: &str) -> String {
    let remedy = "write lines such as 'cache_time: 10'";
    format!("the file holds {found}, not settings; {remedy}")
}

fn known_fields<'a>(root: &'a Node, sink: &'a FaultSink) -> Option<Fields<'a>> {
    let keys = known_keys(settings());
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    Reader::root(root, sink).fields_or(&keys, OF_COMMAND_LINE)
}
