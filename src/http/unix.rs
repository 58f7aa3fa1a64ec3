//! The unix socket for callers on this host.
//!
//! Rule: the path names a socket that takes connections, or none. A new socket gets its permissions under another name
//! and then replaces the old one, whether a dead daemon left that behind or a living one is to be succeeded.

use std::fs::{self, OpenOptions};
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
    identity: (u64, u64),
}

/// Opens the socket with these permissions.
///
/// # Errors
/// When something else than a socket has the name, or the folder cannot be written to.
pub(crate) fn bind(path: &Path, mode: u32) -> io::Result<(UnixListener, Name)> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "there is something else than a socket",
            ));
        }
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // A short name: the kernel takes 107 bytes of path.
    let own = path.with_file_name(format!("{:x}~", std::process::id()));
    let _ = fs::remove_file(&own);
    let listener = UnixListener::bind(&own)?;
    let prepared =
        set_mode(&own, mode).and_then(|identity| fs::rename(&own, path).map(|()| identity));
    let identity = prepared.inspect_err(|_| {
        let _ = fs::remove_file(&own);
    })?;
    listener.set_nonblocking(true)?;
    Ok((
        listener,
        Name {
            path: path.to_owned(),
            identity,
        },
    ))
}

/// Sets the permissions of the socket that was just made, and gives its identity. Who may write to the folder could put a
/// link there instead, so the very thing that was looked at is changed.
fn set_mode(own: &Path, mode: u32) -> io::Result<(u64, u64)> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    let socket = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(own)?;
    let found = socket.metadata()?;
    if !found.file_type().is_socket() || found.uid() != geteuid().as_raw() {
        return Err(io::Error::other(
            "somebody put something else into its place",
        ));
    }
    let itself = format!("/proc/self/fd/{}", socket.as_raw_fd());
    fs::set_permissions(itself, fs::Permissions::from_mode(mode))?;
    Ok((found.dev(), found.ino()))
}

impl Name {
    /// The name itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let ours =
            fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.identity);
        if ours {
            // The next start would replace it too.
            let _ = fs::remove_file(&self.path);
        }
    }
}
