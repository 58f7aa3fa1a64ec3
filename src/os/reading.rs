//! Reading the files that a configuration names: itself, secrets, tokens, certificates.
//!
//! Rule: reading is bounded and never waits for a writer. Only regular files are read, so that a FIFO, a device or a
//! folder in the place of a file is a message and not a daemon that hangs.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

use super::cause::cause_text;

/// Why a file was not read.
#[derive(Debug)]
pub enum FileError {
    /// The kernel refuses it.
    Io(io::Error),
    /// It is a FIFO, a device, a socket or a folder.
    NotRegular,
    /// It has more bytes than this.
    TooLarge(u64),
}

impl fmt::Display for FileError {
    /// The cause, for the middle of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => f.write_str(&cause_text(e)),
            Self::NotRegular => f.write_str("it is not a regular file"),
            Self::TooLarge(most) => write!(f, "it is larger than {} KiB", most >> 10),
        }
    }
}

impl From<io::Error> for FileError {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

/// Opens a regular file for reading.
///
/// # Errors
/// [`FileError`] when it cannot be opened or is something else.
pub(crate) fn open_regular(path: &Path) -> Result<File, FileError> {
    // Without O_NONBLOCK, opening a FIFO waits until somebody writes to it.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    // Of the open file: what has the name may be another one by now.
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(FileError::NotRegular),
    }
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// [`FileError`] when it cannot be read whole.
pub(crate) fn read_regular(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let file = open_regular(path)?;
    // One byte more, to tell a file that ends at the limit from one that goes on. The length that the kernel tells would
    // not do: the file may grow, and those of /proc have none.
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(FileError::TooLarge(most));
    }

    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_up_to_the_limit_are_read() {
        let folder = std::env::temp_dir().join(format!("hacheck-files-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("file");
        std::fs::write(&file, "12345").unwrap();
        let fifo = folder.join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read_regular(&file, 5).unwrap(), b"12345");
        assert!(matches!(
            read_regular(&file, 4),
            Err(FileError::TooLarge(4))
        ));
        for other in [&fifo, &folder, Path::new("/dev/zero")] {
            let read = read_regular(other, 5);
            assert!(matches!(read, Err(FileError::NotRegular)), "{other:?}");
        }
        let missing = read_regular(&folder.join("none"), 5);
        assert!(matches!(missing, Err(FileError::Io(_))));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
