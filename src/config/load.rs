//! From a file to a [`Config`], with everything that is wrong with it.

use std::fs::File;
use std::io;
use std::path::Path;

use super::named_files::warn_of_named_files;
use super::relations::warn_of_relations;
use super::settings::settings;
use super::{Config, logins};
use crate::os::reading::{FileError, open_regular};
use crate::settings::{
    Fault, FaultSink, Faults, Fields, Node, WarnOfMore, content, known_keys, map_of_settings,
    read_table, read_text,
};

/// What names the file.
const OPTION: &str = "-c";

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
pub(crate) fn examine(path: &Path) -> Examined {
    let name = path.to_string_lossy();
    // A FIFO is allowed here, as in `hacheck config -c <(generate)`: only a person waits for it.
    match content(&name, File::open(path), OPTION) {
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
        Ok(file) => read_from(path, Ok(file)),
        Err(FileError::Io(e)) => read_from(path, Err(e)),
        Err(other) => Err(not_regular(path, &other)),
    }
}

fn not_regular(path: &Path, why: &FileError) -> Faults {
    let text = format!("{why}; name a regular file with -c");
    Faults::whole_file(&path.to_string_lossy(), text)
}

fn read_from(path: &Path, opened: io::Result<File>) -> Result<Loaded, Faults> {
    let name = path.to_string_lossy();
    let text = content(&name, opened, OPTION)?;
    parse(&text, &name)
}

/// Reads the text of a configuration file; `name` is the file's name in messages.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn parse(text: &[u8], name: &str) -> Result<Loaded, Faults> {
    read_all(text, name, |_, _| {}).usable()
}

/// Reads all of a text; `look` may warn of more.
fn read_all(text: &[u8], name: &str, look: WarnOfMore<Config>) -> Examined {
    let file = read_text(text, name, &is_secret, |root, sink| read(root, sink, look));
    Examined {
        loaded: Loaded {
            warnings: file.warnings,
            ..file.value
        },
        faults: file.faults,
    }
}

fn is_secret(key: &str) -> bool {
    // Logins of services are in no table, because their keys contain the service's name.
    let mut secrets = settings().iter().filter(|setting| setting.secret);
    secrets.any(|setting| setting.name == key) || key.ends_with(".login.password")
}

fn read(root: &Node, sink: &FaultSink, look: WarnOfMore<Config>) -> Loaded {
    // An empty file is valid: everything has its default.
    let Some(fields) = fields(root, sink) else {
        return Loaded::default();
    };

    let config: Config = read_table(settings(), &fields);
    // Only now, as these look at several settings.
    warn_of_relations(&config, &fields);
    logins::warn(&config, &fields);
    look(&config, &fields);
    let note = logins::note(&config.probe, &fields);
    Loaded {
        config,
        // They are in the sink, and get their line numbers when everything is read.
        warnings: Vec::new(),
        notes: note.into_iter().collect(),
    }
}

/// The values by their keys; `None` where there are none.
fn fields<'a>(root: &'a Node, sink: &'a FaultSink) -> Option<Fields<'a>> {
    let keys = known_keys(settings());
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let map = map_of_settings(root, sink, "cache_time: 10")?;
    map.fields_or(&keys, OF_COMMAND_LINE)
}
