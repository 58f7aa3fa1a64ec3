//! What this user may do with a path, before it is done.

use std::io::{self, ErrorKind};
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::cause::cause_text;
use super::reading::open_regular;

/// Why a file cannot be read, if so.
#[must_use]
pub(crate) fn unreadable(file: &Path) -> Option<String> {
    open_regular(file).err().map(|e| e.to_string())
}

/// Why a file cannot be written, or made where there is none, if so.
#[must_use]
pub(crate) fn unwritable(file: &Path) -> Option<String> {
    // By access(2): opening it for writing could create it, or block at a FIFO.
    match may(file, AccessFlags::W_OK) {
        Ok(()) => None,
        Err(e) if e.kind() == ErrorKind::NotFound => no_place(file),
        Err(e) => Some(cause_text(e)),
    }
}

/// Why nothing can be made in the folder of a path, if so.
#[must_use]
pub(crate) fn no_place(file: &Path) -> Option<String> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        // A bare name lies in the folder where hacheck is started.
        Some(_) | None => Path::new("."),
    };

    let cause = may(folder, AccessFlags::W_OK | AccessFlags::X_OK).err()?;
    Some(format!("its folder: {}", cause_text(cause)))
}

fn may(path: &Path, how: AccessFlags) -> io::Result<()> {
    access(path, how).map_err(io::Error::from)
}
