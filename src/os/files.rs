//! Opening the files that this process writes for long: its log, its pid file.
//!
//! Rule: a process of root never writes to a file that another user put in its way. On the way to the file a symbolic
//! link counts only where root made it; the file itself is no link and has no second name. It is opened in the folder
//! that was looked at, so that nothing can be swapped in between.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;

use super::cause::cause_text;
use super::users::user_name;

/// Most links that are followed on the way to a file, as the kernel does.
const LINKS_MAX: usize = 40;

/// The bit of a folder's mode by which everybody may write there.
const EVERYBODY_WRITES: u32 = 0o002;

/// The permissions of a new file, less the umask.
const NEW_FILE: Mode = Mode::from_bits_truncate(0o666);

const FOLDER: OFlag = OFlag::O_PATH
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

const LINK: OFlag = OFlag::O_PATH
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// A file to write to.
#[derive(Debug)]
pub struct OwnFile {
    /// The open file.
    pub file: File,
    /// It was made just now, so nobody else has put anything there.
    pub is_new: bool,
}

impl OwnFile {
    fn new(file: File) -> Self {
        Self { file, is_new: true }
    }

    fn old(file: File) -> Self {
        let is_new = false;
        Self { file, is_new }
    }
}

/// Why a file is not written to.
#[derive(Debug)]
pub enum OwnFileError {
    /// The kernel refuses it.
    Io(io::Error),
    /// The file is a symbolic link.
    Link,
    /// On the way there is another user's link: its path as far as it was followed, and the user.
    LinkOf(PathBuf, String),
    /// It is a FIFO, a socket or a folder.
    NotRegular,
    /// It has a second name (a hard link), and may be any file.
    SecondName,
    /// Another user, named here, made it, in a folder where everybody may.
    OfOther(String),
}

impl fmt::Display for OwnFileError {
    /// The cause, for the middle of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => f.write_str(&cause_text(e)),
            Self::Link => f.write_str("it is a symbolic link, which root does not follow"),
            Self::LinkOf(link, user) => write!(
                f,
                "{} is a symbolic link of user {user}, which root does not follow",
                link.display()
            ),
            Self::NotRegular => f.write_str("it is not a regular file"),
            Self::SecondName => f.write_str("it is a hard link to a file with another name"),
            Self::OfOther(user) => write!(
                f,
                "user {user} put it into a folder where everybody may write"
            ),
        }
    }
}

impl std::error::Error for OwnFileError {}

impl From<io::Error> for OwnFileError {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl From<Errno> for OwnFileError {
    fn from(e: Errno) -> Self {
        Self::Io(e.into())
    }
}

/// Opens a file to append to, and makes it where there is none.
///
/// # Errors
/// [`OwnFileError`] when it cannot be opened, or another user may have chosen it.
pub fn append(path: &Path) -> Result<File, OwnFileError> {
    let opened = open_own(path, OFlag::O_WRONLY | OFlag::O_APPEND, None)?;
    Ok(opened.file)
}

/// Opens a file to read and to write, and makes it where there is none. In a folder where everybody may write it may
/// also be `user`'s, who will go on with it.
///
/// # Errors
/// As for [`append`].
pub fn read_and_write(path: &Path, user: Option<u32>) -> Result<OwnFile, OwnFileError> {
    open_own(path, OFlag::O_RDWR, user)
}

fn open_own(path: &Path, how: OFlag, user: Option<u32>) -> Result<OwnFile, OwnFileError> {
    // Without O_NONBLOCK, opening a FIFO waits for a reader.
    let how = how | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    if !geteuid().is_root() {
        return open_as_user(path, how);
    }
    let Some(name) = path.file_name() else {
        return Err(OwnFileError::NotRegular);
    };
    let folder = open_folder(path.parent().unwrap_or(Path::new("")))?;
    let new = how | OFlag::O_CREAT | OFlag::O_EXCL;
    loop {
        match openat(&folder, name, new, NEW_FILE) {
            Ok(file) => return Ok(OwnFile::new(File::from(file))),
            Err(Errno::EEXIST) => {}
            Err(e) => return Err(e.into()),
        }
        match open_existing(&folder, name, how, user) {
            // Removed meanwhile, by the process that had it before.
            Err(OwnFileError::Io(e)) if e.kind() == ErrorKind::NotFound => {}
            opened => return opened,
        }
    }
}

/// Who is not root can open no more than that user may, whatever a link leads to.
fn open_as_user(path: &Path, how: OFlag) -> Result<OwnFile, OwnFileError> {
    let is_append = how.contains(OFlag::O_APPEND);
    let mut options = OpenOptions::new();
    options.append(is_append).write(true).read(!is_append);
    let file = options
        .create(true)
        .truncate(false)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_char_device() {
        return Err(OwnFileError::NotRegular);
    }
    Ok(OwnFile::old(file))
}

fn open_existing(
    folder: &OwnedFd,
    name: &OsStr,
    how: OFlag,
    user: Option<u32>,
) -> Result<OwnFile, OwnFileError> {
    let file = match openat(folder, name, how | OFlag::O_NOFOLLOW, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::ELOOP) => return Err(OwnFileError::Link),
        // A FIFO without a reader, or a socket.
        Err(Errno::ENXIO) => return Err(OwnFileError::NotRegular),
        Err(e) => return Err(e.into()),
    };
    let found = file.metadata()?;
    // A device such as /dev/null is root's own.
    if found.file_type().is_char_device() {
        return Ok(OwnFile::old(file));
    }
    if !found.is_file() {
        return Err(OwnFileError::NotRegular);
    }
    // It has none where whoever had it before has just removed it.
    if found.nlink() > 1 {
        return Err(OwnFileError::SecondName);
    }
    let around = metadata(folder)?;
    let known = [0, around.uid(), user.unwrap_or(0)];
    if around.mode() & EVERYBODY_WRITES != 0 && !known.contains(&found.uid()) {
        return Err(OwnFileError::OfOther(user_name(found.uid())));
    }
    Ok(OwnFile::old(file))
}

/// Opens a folder step by step, following the links of root alone.
fn open_folder(path: &Path) -> Result<OwnedFd, OwnFileError> {
    let mut folder = start_of(path)?;
    let mut rest: VecDeque<OsString> = steps(path);
    let mut passed = PathBuf::new();
    let mut links = 0;
    while let Some(step) = rest.pop_front() {
        passed.push(&step);
        match openat(&folder, step.as_os_str(), FOLDER, Mode::empty()) {
            Ok(next) => folder = next,
            Err(Errno::ENOTDIR | Errno::ELOOP) if links < LINKS_MAX => {
                links += 1;
                let target = target_of(&folder, &step, &passed)?;
                if target.is_absolute() {
                    folder = start_of(&target)?;
                }
                let mut further = steps(&target);
                further.append(&mut rest);
                rest = further;
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(folder)
}

fn start_of(path: &Path) -> Result<OwnedFd, OwnFileError> {
    let start = if path.is_absolute() { "/" } else { "." };
    Ok(open(start, FOLDER, Mode::empty())?)
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let parts = path.iter().filter(|part| *part != "/");
    parts.map(OsStr::to_owned).collect()
}

/// Where a link leads that root made.
fn target_of(folder: &OwnedFd, name: &OsStr, passed: &Path) -> Result<PathBuf, OwnFileError> {
    let link = openat(folder, name, LINK, Mode::empty())?;
    let found = metadata(&link)?;
    if !found.is_symlink() {
        return Err(Errno::ENOTDIR.into());
    }
    if found.uid() != 0 {
        let user = user_name(found.uid());
        return Err(OwnFileError::LinkOf(passed.to_owned(), user));
    }
    Ok(readlinkat(&link, "")?.into())
}

fn metadata(opened: &OwnedFd) -> io::Result<std::fs::Metadata> {
    File::from(opened.try_clone()?).metadata()
}
