//! Reading one spool entry, whatever it turns out to be.
//!
//! Rule: an entry is read whole or not at all, and reading never waits: only regular files are read (opened without
//! blocking, so that a FIFO cannot hang the caller), and symbolic links only where they end inside the root.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use super::downtime::Downtime;
use crate::os::cause::cause_text;

/// A folder, whatever names it has: device and inode.
pub(super) type FolderId = (u64, u64);

/// Most that is read of a spool file, in bytes. A longer file is a downtime too.
const CONTENT_MAX: u64 = 1 << 20;

/// How much of a file over the limit is shown as its reason, in characters.
const EXCERPT: usize = 200;

/// The root folder, held open: what is read through it comes from one and the same folder, while its path may name
/// another one, or none, from one moment to the next. So an entry that is missing here is missing, and not the root.
pub(super) struct Root<'a> {
    path: &'a Path,
    folder: File,
}

impl<'a> Root<'a> {
    /// Opens the folder for as long as one question takes; kept longer, it would miss that it was replaced.
    pub(super) fn open(path: &'a Path) -> io::Result<Self> {
        // O_PATH asks for no right to list the folder.
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let folder = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(path)?;
        Ok(Self { path, folder })
    }

    /// What tells this folder from any other one: device and inode.
    pub(super) fn identity(&self) -> io::Result<FolderId> {
        let metadata = self.folder.metadata()?;
        Ok((metadata.dev(), metadata.ino()))
    }

    /// Whether there is an entry of a name, though it cannot be read: neither a folder nor a link to nothing is one.
    pub(super) fn has(&self, name: &str) -> bool {
        let path = self.path.join(name);
        match fs::symlink_metadata(&path) {
            Ok(entry) if entry.is_symlink() => leads_to_file(&path),
            Ok(entry) => !entry.is_dir(),
            Err(_) => false,
        }
    }

    /// Reads an entry: `Ok(None)` when there is none.
    ///
    /// # Errors
    /// The cause why the entry cannot be read; the entry may be a downtime or not.
    pub(super) fn entry(&self, name: &str) -> io::Result<Option<Downtime>> {
        match openat(&self.folder, name, FLAGS, Mode::empty()) {
            Ok(file) => content(File::from(file)).map(Some),
            Err(nix::errno::Errno::ENOENT) => Ok(None),
            // With O_NOFOLLOW, a symbolic link fails so (open(2)).
            Err(nix::errno::Errno::ELOOP) => content(linked(self.path, name)?).map(Some),
            Err(e) => Err(e.into()),
        }
    }
}

/// Whether a link leads to something that is no folder, as far as can be seen.
fn leads_to_file(link: &Path) -> bool {
    match fs::metadata(link) {
        Ok(target) => !target.is_dir(),
        // The replaced tools followed links with open(2): where that finds nothing, there is no downtime.
        Err(e) => e.kind() != io::ErrorKind::NotFound,
    }
}

const FLAGS: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

fn content(file: File) -> io::Result<Downtime> {
    // Asked of the open file: its name may lead to another one by now.
    let kind = file.metadata()?;
    if kind.is_dir() {
        return Err(io::Error::other("it is a folder, not a file"));
    }

    if !kind.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }

    let mut content = Vec::with_capacity(256);
    // One byte more than the limit, to tell a file of just that size from a longer one.
    file.take(CONTENT_MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > CONTENT_MAX {
        return Ok(downtime_of_beginning(&content));
    }

    Ok(Downtime::parse(&content))
}

/// The downtime of a file over the limit, of which a part would be no JSON object any more.
fn downtime_of_beginning(content: &[u8]) -> Downtime {
    // A character has four bytes at most, so these hold enough of them.
    let beginning = String::from_utf8_lossy(&content[..EXCERPT * 4]);
    let beginning: String = beginning.chars().take(EXCERPT).collect();
    Downtime {
        reason: format!("(spool file over 1 MiB) {beginning}"),
        legacy: true,
        ..Downtime::default()
    }
}

/// The file behind a link of the root, if it is inside the root too.
fn linked(root: &Path, name: &str) -> io::Result<File> {
    let target = fs::canonicalize(root.join(name)).map_err(broken_link)?;
    // The root's own path may have links too, so both are compared without any.
    if target.parent() != Some(&fs::canonicalize(root)?) {
        return Err(link_outside(&target));
    }

    // O_NOFOLLOW again: if the file has become a link since, it is not followed out of the root.
    OpenOptions::new()
        .read(true)
        .custom_flags(FLAGS.bits())
        .open(target)
}

fn broken_link(e: io::Error) -> io::Error {
    io::Error::other(format!("broken link: {}", cause_text(e)))
}

fn link_outside(target: &Path) -> io::Error {
    let target = target.display();
    io::Error::other(format!("it is a link to {target}, outside the spool"))
}
