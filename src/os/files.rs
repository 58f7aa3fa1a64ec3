//! Opening the files that this process writes for long: its log, its pid file.
//!
//! Rule: a process of root never writes to a file that another user put in its way. On the way to the file a symbolic
//! link counts only where root made it; the file itself is no link and has no second name. It is opened in the folder
//! that was looked at, so that nothing can be swapped in between.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
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
pub(crate) fn read_and_write(path: &Path, user: Option<u32>) -> Result<OwnFile, OwnFileError> {
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

    let wanted = WantedFile {
        folder: open_folder(path.parent().unwrap_or(Path::new("")))?,
        name,
        how,
        user,
    };
    wanted.open()
}

/// A file that root is to open.
struct WantedFile<'a> {
    folder: OwnedFd,
    name: &'a OsStr,
    how: OFlag,
    /// Who may have made it, besides root and the folder's owner.
    user: Option<u32>,
}

impl WantedFile<'_> {
    fn open(&self) -> Result<OwnFile, OwnFileError> {
        loop {
            // First as a new file: with O_EXCL the kernel guarantees that nobody has put anything there.
            if let Some(new) = self.create()? {
                return Ok(OwnFile::new(new));
            }
            match self.open_existing() {
                // Removed meanwhile, by the process that had it before.
                Err(OwnFileError::Io(e)) if e.kind() == ErrorKind::NotFound => {}
                opened => return opened,
            }
        }
    }

    /// Makes the file; `None` where there is something of this name.
    fn create(&self) -> Result<Option<File>, OwnFileError> {
        let new = self.how | OFlag::O_CREAT | OFlag::O_EXCL;
        match openat(&self.folder, self.name, new, NEW_FILE) {
            Ok(file) => Ok(Some(File::from(file))),
            Err(Errno::EEXIST) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    fn open_existing(&self) -> Result<OwnFile, OwnFileError> {
        let how = self.how | OFlag::O_NOFOLLOW;
        let file = match openat(&self.folder, self.name, how, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::ELOOP) => return Err(OwnFileError::Link),
            // A FIFO without a reader, or a socket.
            Err(Errno::ENXIO) => return Err(OwnFileError::NotRegular),
            Err(e) => return Err(e.into()),
        };

        // Asked of the open file, because the name may belong to another file by now.
        self.expect_own(&file.metadata()?)?;
        Ok(OwnFile::old(file))
    }

    /// Refuses what another user may have chosen.
    fn expect_own(&self, found: &Metadata) -> Result<(), OwnFileError> {
        // A device such as /dev/null is root's own.
        if found.file_type().is_char_device() {
            return Ok(());
        }

        if !found.is_file() {
            return Err(OwnFileError::NotRegular);
        }

        // There is no name left if its last user has just removed it.
        if found.nlink() > 1 {
            return Err(OwnFileError::SecondName);
        }

        self.expect_known_owner(found.uid())
    }

    fn expect_known_owner(&self, owner: u32) -> Result<(), OwnFileError> {
        let folder = metadata(&self.folder)?;
        // In other folders only their owner and group can create files, and these are trusted.
        let is_open = folder.mode() & EVERYBODY_WRITES != 0;
        let known = [0, folder.uid(), self.user.unwrap_or(0)];
        match is_open && !known.contains(&owner) {
            true => Err(OwnFileError::OfOther(user_name(owner))),
            false => Ok(()),
        }
    }
}

fn options(how: OFlag) -> OpenOptions {
    let is_append = how.contains(OFlag::O_APPEND);
    let mut options = OpenOptions::new();
    options.append(is_append).write(true).read(!is_append);
    options.create(true).truncate(false);
    options.custom_flags(OFlag::O_NONBLOCK.bits());
    options
}

/// Who is not root can open no more than that user may, whatever a link leads to.
fn open_as_user(path: &Path, how: OFlag) -> Result<OwnFile, OwnFileError> {
    let file = options(how).open(path)?;
    let kind = file.metadata()?.file_type();
    match kind.is_file() || kind.is_char_device() {
        true => Ok(OwnFile::old(file)),
        false => Err(OwnFileError::NotRegular),
    }
}

/// Opens a folder step by step, following the links of root alone.
fn open_folder(path: &Path) -> Result<OwnedFd, OwnFileError> {
    let mut way = Way {
        folder: start_of(path)?,
        rest: steps(path),
        passed: PathBuf::new(),
        links: 0,
    };

    while let Some(step) = way.rest.pop_front() {
        way.go(&step)?;
    }

    Ok(way.folder)
}

/// A way through folders, as far as it was gone.
struct Way {
    folder: OwnedFd,
    rest: VecDeque<OsString>,
    /// For messages.
    passed: PathBuf,
    links: usize,
}

impl Way {
    fn go(&mut self, step: &OsStr) -> Result<(), OwnFileError> {
        self.passed.push(step);
        match openat(&self.folder, step, FOLDER, Mode::empty()) {
            Ok(next) => self.folder = next,
            // It may be a link: with these flags the kernel reports one of the two.
            Err(Errno::ENOTDIR | Errno::ELOOP) if self.links < LINKS_MAX => self.follow(step)?,
            Err(e) => return Err(e.into()),
        }

        Ok(())
    }

    fn follow(&mut self, step: &OsStr) -> Result<(), OwnFileError> {
        self.links += 1;
        let target = target_of(&self.folder, step, &self.passed)?;
        if target.is_absolute() {
            self.folder = start_of(&target)?;
        }

        // The target of the link comes before the rest of the way.
        let mut further = steps(&target);
        further.append(&mut self.rest);
        self.rest = further;
        Ok(())
    }
}

fn start_of(path: &Path) -> Result<OwnedFd, OwnFileError> {
    let start = match path.is_absolute() {
        true => "/",
        false => ".",
    };
    Ok(open(start, FOLDER, Mode::empty())?)
}

fn steps(path: &Path) -> VecDeque<OsString> {
    // `..` stays a step: it is opened in the folder that the way has led to, link or not.
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

    match found.uid() {
        // Read from the link that was examined, because the name may belong to another one by now.
        0 => Ok(readlinkat(&link, "")?.into()),
        other => Err(OwnFileError::LinkOf(passed.to_owned(), user_name(other))),
    }
}

fn metadata(opened: &OwnedFd) -> io::Result<Metadata> {
    // A copy of the descriptor, because `File` closes its own.
    File::from(opened.try_clone()?).metadata()
}
