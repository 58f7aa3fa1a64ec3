//! Values that need not stand in the file: `<key>_file` for every secret, and `${NAME}` from the environment in secrets
//! and user names.
//!
//! Rule: what is read this way is never part of a message.

use std::path::{Path, PathBuf};

use super::raw::{Node, Value};
use super::read::{Fields, Reader};
use crate::os::cause::cause_text;
use crate::os::reading::{FileError, read_regular};

/// Most bytes of a secret's file.
const FILE_MAX: u64 = 64 << 10;

/// The key that names a secret's file.
#[must_use]
pub fn file_key(name: &str) -> String {
    format!("{name}_file")
}

/// Finds the value of the setting `name` wherever it stands, and hands it to `take`, unless it is unset or at fault.
pub fn read_setting(
    name: &str,
    is_secret: bool,
    fields: &Fields<'_>,
    take: impl FnOnce(&Reader<'_>),
) {
    let own = fields.get(name).cloned();
    if !is_secret {
        match own {
            Some(own) if name.ends_with("_username") => expand(&own, take),
            Some(own) => take(&own),
            None => {}
        }
        return;
    }
    let own = own.map(Reader::secret);
    match (own, fields.get(&file_key(name))) {
        (Some(_), Some(file)) => {
            file.fault(format_args!("stands beside {name}"), "keep one of the two");
        }
        (Some(own), None) => expand(&own, take),
        (None, Some(file)) => {
            let path = file.path("/etc/hacheck/secret");
            if let Some(text) = path.and_then(|path| content(file, &path)) {
                take_text(file, text, take);
            }
        }
        (None, None) => {}
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
        value: Value::Scalar(text),
        mark: reader.mark(),
    };
    take(&reader.standing_for(&node).secret());
}

/// The text with `${NAME}` replaced; `$${` stands for `${`. `None` when a fault was noted.
fn expanded(reader: &Reader<'_>, text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, found) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &found[2..];
            continue;
        }
        out.push_str(before);
        let name = found[2..].split_once('}');
        let Some((name, after)) = name.filter(|(name, _)| is_name(name)) else {
            reader.fault(
                "has '${' without a name and '}'",
                "write ${NAME}, or $${ for the characters themselves",
            );
            return None;
        };
        let Ok(value) = std::env::var(name) else {
            let what = format!("names the environment variable {name}, which is not set");
            reader.fault(what, "set it where hacheck is started, as text in UTF-8");
            return None;
        };
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The content of a secret's file without its final line break; `None` when a fault was noted.
fn content(reader: &Reader<'_>, path: &Path) -> Option<String> {
    let path = match located(path) {
        Ok(path) => path,
        Err(what) => {
            reader.fault(
                what,
                "write the whole path, or LoadCredential= in the systemd unit",
            );
            return None;
        }
    };
    match read_file(&path) {
        Ok(text) => Some(text),
        Err(what) => {
            let what = format!("{what} ({})", path.display());
            reader.fault(
                what,
                "put the secret there alone, readable for the user that hacheck runs as",
            );
            None
        }
    }
}

/// A name without a slash is a credential of systemd (systemd.exec(5), "LoadCredential=").
fn located(path: &Path) -> Result<PathBuf, &'static str> {
    if path.components().count() > 1 || path.is_absolute() {
        return Ok(path.to_owned());
    }
    match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(folder) => Ok(Path::new(&folder).join(path)),
        None => Err("is a name without a folder, and $CREDENTIALS_DIRECTORY is not set"),
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let bytes = read_regular(path, FILE_MAX).map_err(|e| match e {
        FileError::Io(e) => format!("cannot be read: {}", cause_text(e)),
        FileError::NotRegular => "is not a file".to_owned(),
        FileError::TooLarge(_) => "is larger than 64 KiB".to_owned(),
    })?;
    let mut text = String::from_utf8(bytes).map_err(|_| "is not UTF-8")?;
    if text.ends_with('\n') {
        text.truncate(text.len() - 1);
        if text.ends_with('\r') {
            text.truncate(text.len() - 1);
        }
    }
    if text.is_empty() {
        Err("is empty".into())
    } else {
        Ok(text)
    }
}
