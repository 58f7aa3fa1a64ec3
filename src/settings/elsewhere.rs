//! Values that need not stand in the file: `<key>_file` for every secret, and `${NAME}` from the environment in secrets
//! and user names.
//!
//! Rule: what is read this way is never part of a message.

use std::fmt;
use std::path::{Path, PathBuf};

use super::raw::{Node, YamlValue};
use super::read::{Fields, Reader};
use crate::os::cause::cause_text;
use crate::os::reading::{FileError, read_regular};

/// Most bytes of a secret's file.
const FILE_MAX: u64 = 64 << 10;

/// The key that names a secret's file.
#[must_use]
pub(crate) fn file_key(name: &str) -> String {
    format!("{name}_file")
}

/// Finds the value of the setting `name` wherever it stands, and hands it to `take`, unless it is unset or at fault.
pub(crate) fn read_setting(
    name: &str,
    is_secret: bool,
    fields: &Fields<'_>,
    take: impl FnOnce(&Reader<'_>),
) {
    if is_secret {
        return read_secret(name, fields, take);
    }

    match fields.get(name) {
        // If the password comes from the environment, the user name often does too.
        Some(own) if name.ends_with("username") => expand(own, take),
        Some(own) => take(own),
        None => {}
    }
}

fn read_secret(name: &str, fields: &Fields<'_>, take: impl FnOnce(&Reader<'_>)) {
    let own = fields.get(name).cloned().map(Reader::secret);
    let file = fields.get(&file_key(name));
    match (own, file) {
        // Which of them counts would be a guess.
        (Some(_), Some(file)) => {
            let what = format!("stands beside {name}");
            file.fault(what, "keep one of the two");
        }
        (Some(own), None) => expand(&own, take),
        (None, Some(file)) => read_from_file(file, take),
        (None, None) => {}
    }
}

fn read_from_file(file: &Reader<'_>, take: impl FnOnce(&Reader<'_>)) {
    if let Some(path) = file.path("/etc/hacheck/secret")
        && let Some(text) = content(file, &path)
    {
        take_text(file, text, take);
    }
}

/// Hands on a value with its variables replaced.
fn expand(own: &Reader<'_>, take: impl FnOnce(&Reader<'_>)) {
    match own.plain() {
        Some(text) if text.contains("${") => {
            if let Some(text) = expanded(own, text) {
                take_text(own, text, take);
            }
        }
        _ => take(own),
    }
}

/// Hands on a text as if it stood in the file.
fn take_text(reader: &Reader<'_>, text: String, take: impl FnOnce(&Reader<'_>)) {
    let node = Node {
        value: YamlValue::Scalar(text),
        mark: reader.mark(),
    };

    // Treated as secret even for a user name: it was not written into the file.
    take(&reader.standing_for(&node).secret());
}

/// The text with `${NAME}` replaced; `$${` stands for `${`, and so does `${` where no name and `}` follow. `None` when
/// a fault was noted.
fn expanded(reader: &Reader<'_>, text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    // What is put in is not looked at again: a secret may hold `${`.
    while let Some((before, found)) = rest.split_once("${") {
        out.push_str(before);
        rest = match reference(reader, before, found) {
            Dollar::Literal => {
                // `$${`: the first dollar is the escape.
                if before.ends_with('$') {
                    out.pop();
                }
                out.push_str("${");
                found
            }
            Dollar::Variable(name, after) => {
                out.push_str(&variable(reader, name)?);
                after
            }
        };
    }

    out.push_str(rest);
    Some(out)
}

/// What a `${` is.
enum Dollar<'t> {
    /// These very characters.
    Literal,
    /// A variable, and the text behind it.
    Variable(&'t str, &'t str),
}

fn reference<'t>(reader: &Reader<'_>, before: &str, found: &'t str) -> Dollar<'t> {
    if before.ends_with('$') {
        return Dollar::Literal;
    }

    match split_name(found) {
        Some((name, after)) => Dollar::Variable(name, after),
        None => {
            // A password that Yelp's hacheck had may hold the characters.
            warn_of_literal(reader);
            Dollar::Literal
        }
    }
}

/// Splits `NAME}rest`.
fn split_name(text: &str) -> Option<(&str, &str)> {
    text.split_once('}').filter(|(name, _)| is_name(name))
}

fn warn_of_literal(reader: &Reader<'_>) {
    reader.warn(
        "has '${' without a name and '}', which is taken as it stands; write ${NAME} for a variable of the \
         environment, or $${ for the characters themselves",
    );
}

/// The value of an environment variable; `None` when a fault was noted.
fn variable(reader: &Reader<'_>, name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    // A fault, not an empty text: an empty password would only show in failing checks.
    if value.is_none() {
        let what = format!("names the environment variable {name}, which is not set");
        let remedy = "set it where hacheck is started, as text in UTF-8, or write $${ for the characters themselves";
        reader.fault(what, remedy);
    }

    value
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The content of a secret's file without its final line break; `None` when a fault was noted.
fn content(reader: &Reader<'_>, path: &Path) -> Option<String> {
    let path = noted(reader, located(path), LOCATED)?;
    // With the path, since the file may only say the name of a credential.
    let read = read_file(&path).map_err(|what| format!("{what} ({})", path.display()));
    noted(reader, read, READABLE)
}

const LOCATED: &str = "write the whole path, or LoadCredential= in the systemd unit";

const READABLE: &str = "put the secret there alone, readable for the user that hacheck runs as";

/// What was found; what is wrong is noted as a fault.
fn noted<T>(reader: &Reader<'_>, found: Result<T, impl fmt::Display>, remedy: &str) -> Option<T> {
    found.map_err(|what| reader.fault(what, remedy)).ok()
}

/// A name without a slash is a credential of systemd (systemd.exec(5), "LoadCredential=").
fn located(path: &Path) -> Result<PathBuf, &'static str> {
    if path.components().count() > 1 || path.is_absolute() {
        return Ok(path.to_owned());
    }

    // A bare name as a path would depend on where hacheck is started.
    match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(folder) => Ok(Path::new(&folder).join(path)),
        None => Err("is a name without a folder, and $CREDENTIALS_DIRECTORY is not set"),
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let bytes = read_regular(path, FILE_MAX).map_err(|e| file_error_text(&e))?;
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8")?;
    let secret = without_line_break(&text);
    // An empty file is more likely a failed deployment than an empty password.
    if secret.is_empty() {
        return Err("is empty".to_owned());
    }

    Ok(secret.to_owned())
}

fn without_line_break(text: &str) -> &str {
    // Editors and `echo` end a file with a line break, which is no part of the secret.
    let line = text.strip_suffix("\r\n").or(text.strip_suffix('\n'));
    line.unwrap_or(text)
}

fn file_error_text(error: &FileError) -> String {
    match error {
        FileError::Io(e) => format!("cannot be read: {}", cause_text(e)),
        FileError::NotRegular => "is not a file".to_owned(),
        FileError::TooLarge(_) => "is larger than 64 KiB".to_owned(),
    }
}
