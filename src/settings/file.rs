//! From a file to settings, with everything that is wrong with it: what all configuration files have in common.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};

use super::decode::{MAX_FILE, decode};
use super::fault::{Fault, FaultSink, Faults};
use super::problem::Problem;
use super::raw::{Document, Node, YamlValue};
use super::read::{Fields, Reader};
use super::tree::tidy;
use crate::os::cause::cause_text;

/// What was read of a file, and what is wrong and what is odd about it.
#[derive(Debug)]
pub struct ExaminedFile<T> {
    /// As far as it could be read.
    pub value: T,
    /// What the operator should know.
    pub warnings: Vec<Fault>,
    /// Why it cannot be used, if so.
    pub faults: Option<Faults>,
}

/// Warns of more than the settings themselves tell.
pub(crate) type WarnOfMore<S> = fn(&S, &Fields<'_>);

/// The bytes of a file that was opened, at most one more than are allowed. `name` is the file's name in messages, and
/// `option` gave it.
///
/// # Errors
/// Why there are none.
pub(crate) fn content(
    name: &str,
    opened: io::Result<File>,
    option: &str,
) -> Result<Vec<u8>, Faults> {
    // The caller opened it, and decided whether it may be a FIFO.
    match opened.and_then(read_bounded) {
        Ok(bytes) => Ok(bytes),
        Err(e) => {
            let text = unreadable(&e, option);
            Err(Faults::whole_file(name, text))
        }
    }
}

fn read_bounded(file: File) -> io::Result<Vec<u8>> {
    // One byte more than is allowed tells a file that is too large from one that just fits.
    let most = MAX_FILE as u64 + 1;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(error: &io::Error, option: &str) -> String {
    let remedy = format!("check the path given with {option}");
    match error.kind() {
        ErrorKind::NotFound => format!("there is no such file; {remedy}"),
        ErrorKind::PermissionDenied => {
            "permission denied; run as a user who may read the file".into()
        }
        ErrorKind::IsADirectory => "this is a folder; name a file in it".into(),
        ErrorKind::NotADirectory => format!("a part of the path is not a folder; {remedy}"),
        _ => format!("the file cannot be read: {}; {remedy}", cause_text(error)),
    }
}

/// Reads a text with `read`, which leaves complaints in the sink; keys that are secret are never quoted.
pub(crate) fn read_text<T: Default>(
    text: &[u8],
    name: &str,
    is_secret: &dyn Fn(&str) -> bool,
    read: impl FnOnce(&Node, &FaultSink) -> T,
) -> ExaminedFile<T> {
    let mut document = match document(text) {
        Ok(document) => document,
        Err(problem) => return unusable(problem, name),
    };

    let sink = FaultSink::new(text.len());
    tidy(&mut document.root, is_secret, &sink);
    let value = read(&document.root, &sink);
    // Lines are looked up last, for what is reported only: each costs a walk through the file.
    let (faults, warnings) = sink.finish(name, |place| document.line(place));
    ExaminedFile {
        value,
        warnings,
        faults,
    }
}

fn document(text: &[u8]) -> Result<Document<'_>, Problem> {
    Document::parse(decode(text)?)
}

fn unusable<T: Default>(problem: Problem, file: &str) -> ExaminedFile<T> {
    let fault = Fault {
        file: file.into(),
        line: problem.line,
        column: problem.column,
        key: String::new(),
        text: problem.text,
    };

    ExaminedFile {
        value: T::default(),
        warnings: Vec::new(),
        faults: Some(Faults::one(fault)),
    }
}

/// The map of settings that a file holds; `None` for an empty file, and where there are no settings, which is a fault
/// with this example of one.
pub(crate) fn map_of_settings<'a>(
    root: &'a Node,
    sink: &'a FaultSink,
    example: &str,
) -> Option<Reader<'a>> {
    let found = match root.value {
        YamlValue::Map(_) => return Some(Reader::root(root, sink)),
        // An empty file sets nothing, which is allowed.
        YamlValue::Null => return None,
        YamlValue::List(_) => "a list",
        YamlValue::Scalar(_) => "a single word or text",
    };

    sink.fault(root.mark, "", no_settings(found, example));
    None
}

fn no_settings(found: &str, example: &str) -> String {
    format!("the file holds {found}, not settings; write lines such as '{example}'")
}
