//! The unix socket for callers on this host.
//!
//! Rule: the path names a socket that takes connections, or none. A new socket gets its permissions under another name
//! and then replaces the old one, whether a dead daemon left that behind or a living one is to be succeeded.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{
    FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::geteuid;

/// The socket's name in the file system; removed when dropped, unless somebody else's socket has it by then.
#[derive(Debug)]
pub(crate) struct Name {
    path: PathBuf,
    identity: FileIdentity,
}

/// Opens the socket with these permissions.
///
/// # Errors
/// When something else than a socket has the name, or the folder cannot be written to.
pub(crate) fn bind(path: &Path, mode: u32) -> io::Result<(UnixListener, Name)> {
    expect_socket_or_nothing(path)?;
    // A short name: the kernel takes 107 bytes of path.
    let own = path.with_file_name(format!("{:x}~", std::process::id()));
    // Left behind by a process that had our id and was killed.
    let _ = fs::remove_file(&own);
    let listener = UnixListener::bind(&own)?;
    let name = named(&own, path, mode);
    if name.is_err() {
        // Nobody else knows this name, so nobody else would ever remove it.
        let _ = fs::remove_file(&own);
    }

    let name = name?;
    // As tokio needs it.
    listener.set_nonblocking(true)?;
    Ok((listener, name))
}

fn expect_socket_or_nothing(path: &Path) -> io::Result<()> {
    // A link is refused too: replacing it would change what an operator has set up.
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is something else than a socket",
        )),
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Gives our socket its permissions, and then the name: nobody can connect before they are set.
fn named(own: &Path, path: &Path, mode: u32) -> io::Result<Name> {
    let identity = set_mode(own, mode)?;
    // Atomic: a client finds either the old socket or the new one, never none.
    fs::rename(own, path)?;
    Ok(Name {
        path: path.to_owned(),
        identity,
    })
}

/// Device and inode.
type FileIdentity = (u64, u64);

fn identity(found: &fs::Metadata) -> FileIdentity {
    (found.dev(), found.ino())
}

/// Sets the permissions of the socket that was just made, and gives its identity. Who may write to the folder could put a
/// link there instead, so the very thing that was looked at is changed.
fn set_mode(own: &Path, mode: u32) -> io::Result<FileIdentity> {
    let socket = open_itself(own)?;
    let found = socket.metadata()?;
    expect_own_socket(&found)?;
    // fchmod takes no descriptor that was opened by O_PATH.
    let itself = format!("/proc/self/fd/{}", socket.as_raw_fd());
    fs::set_permissions(itself, fs::Permissions::from_mode(mode))?;
    Ok(identity(&found))
}

fn expect_own_socket(found: &fs::Metadata) -> io::Result<()> {
    let is_own = found.file_type().is_socket() && found.uid() == geteuid().as_raw();
    match is_own {
        true => Ok(()),
        false => Err(io::Error::other(
            "somebody put something else into its place",
        )),
    }
}

/// Opens what has a name, without following a link, and without doing anything to it.
fn open_itself(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

impl Name {
    /// The name itself.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether no other daemon has taken it over.
    fn is_ours(&self) -> bool {
        match fs::symlink_metadata(&self.path) {
            Ok(found) => identity(&found) == self.identity,
            Err(_) => false,
        }
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if self.is_ours() {
            // The next start would replace it too.
            let _ = fs::remove_file(&self.path);
        }
    }
}
