//! Reading one spool entry, whatever it turns out to be.
//!
//! Rule: an entry is read whole or not at all, and reading never waits: only regular files are read (opened without
//! blocking, so that a FIFO cannot hang the caller), and symbolic links only where they end inside the root.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

use super::downtime::Downtime;

/// Most that is read of a spool file, in bytes. A longer file is a downtime too.
const CONTENT_MAX: u64 = 1 << 20;

/// How much of a file over the limit is shown as its reason, in characters.
const EXCERPT: usize = 200;

/// Reads an entry: `Ok(None)` when there is none.
///
/// # Errors
/// The cause why the entry cannot be read; the entry may be a downtime or not.
pub(super) fn entry(root: &Path, name: &str) -> io::Result<Option<Downtime>> {
    let path = root.join(name);
    let file = match open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        // ELOOP: the entry is a symbolic link.
        Err(e) if e.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32) => open(&link_target(root, &path)?)?,
        Err(e) => return Err(e),
    };
    let kind = file.metadata()?;
    if kind.is_dir() {
        return Err(io::Error::other("it is a folder, not a file"));
    }
    if !kind.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut content = Vec::with_capacity(256);
    file.take(CONTENT_MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > CONTENT_MAX {
        let start: String = String::from_utf8_lossy(&content[..EXCERPT * 4]).chars().take(EXCERPT).collect();
        let reason = format!("(spool file over 1 MiB) {start}");
        return Ok(Some(Downtime { reason, legacy: true, ..Downtime::default() }));
    }
    Ok(Some(Downtime::parse(&content)))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits()).open(path)
}

/// Where a link of the root ends, if inside the root.
fn link_target(root: &Path, path: &Path) -> io::Result<std::path::PathBuf> {
    let target = fs::canonicalize(path).map_err(|e| io::Error::other(format!("broken link: {e}")))?;
    if target.parent() != Some(&fs::canonicalize(root)?) {
        return Err(io::Error::other(format!("it is a link to {}, outside the spool", target.display())));
    }
    Ok(target)
}
