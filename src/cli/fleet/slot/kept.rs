//! `/var/lib/hacheck/roll/<key>.json`: what a roll of a fleet leaves on its host when it dies, or reboots it.
//!
//! Rule: whoever rolls holds a lock on the file; so what lies there without one is of a roll that is dead, and the next one
//! may go on from it. A file is replaced, never written in place.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use crate::cli::failure::{Failure, failed};
use crate::fleet::settings::FleetSettings;
use crate::fleet::{Record, VALUE_MAX, Version};
use crate::names::Key;
use crate::names::sort::sort_by;
use crate::os::cause::cause_text;
use crate::os::reading::read_regular;

/// The folder, beside that of the fleet's orders.
const FOLDER: &str = "roll";

/// Most bytes of a file that are read.
const CONTENT_MAX: u64 = VALUE_MAX as u64;

/// Who may read the files: commands may hold what is nobody's business.
const FILE_MODE: u32 = 0o660;

/// A roll as it stands on its host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct KeptRoll {
    pub(crate) v: Version,
    pub(crate) roll: String,
    /// All keys of the roll; each has a file.
    pub(crate) keys: Vec<String>,
    pub(crate) by: String,
    pub(crate) from: String,
    pub(crate) reason: String,
    pub(crate) command: Vec<String>,
    /// `-p` and `--spool-root`, where they were given.
    pub(crate) port: Option<String>,
    pub(crate) spool_root: Option<String>,
    /// As in the slot.
    pub(crate) since: f64,
    pub(crate) phase: String,
}

impl Record for KeptRoll {}

/// The files of a roll, with their locks. Where nothing was written they are left as they were found.
pub(crate) struct RollFiles {
    files: Vec<RollFile>,
    is_written: bool,
}

struct RollFile {
    path: PathBuf,
    lock: File,
    before: Option<KeptRoll>,
}

/// The folder of a host in a fleet.
pub(crate) fn folder(settings: &FleetSettings) -> PathBuf {
    settings.state_dir.with_file_name(FOLDER)
}

/// The rolls that left something in a folder, each once.
pub(crate) fn found(folder: &Path) -> Result<Vec<KeptRoll>, Failure> {
    let mut rolls: Vec<KeptRoll> = Vec::new();
    let paths = paths_in(folder).map_err(|e| cannot("read", folder, e))?;
    for kept in paths.iter().filter_map(|path| read(path)) {
        // Each key of a roll has a file, and all of them say the same.
        if !rolls.iter().any(|known| known.roll == kept.roll) {
            rolls.push(kept);
        }
    }

    sort_by(&mut rolls, |a, b| a.keys.cmp(&b.keys));
    Ok(rolls)
}

/// The paths in a folder; none where there is no folder, as before the first roll.
fn paths_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };

    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }

    Ok(paths)
}

/// What a file says; one that says nothing is of a roll that never changed anything.
fn read(path: &Path) -> Option<KeptRoll> {
    // The others are those that were about to take the place of one.
    if path.extension()? != "json" {
        return None;
    }

    let content = read_regular(path, CONTENT_MAX).ok()?;
    KeptRoll::parse(&content).ok()
}

impl RollFiles {
    /// Locks the files of some keys.
    pub(crate) fn lock(folder: &Path, keys: &[Key]) -> Result<Self, Failure> {
        let mut files = Self {
            files: Vec::new(),
            is_written: false,
        };

        for key in keys {
            let path = folder.join(format!("{key}.json"));
            match RollFile::lock(&path) {
                Ok(Some(file)) => files.files.push(file),
                Ok(None) => return Err(failed!("a roll of {key} is running on this host")),
                Err(e) => return Err(cannot("write", &path, e)),
            }
        }

        Ok(files)
    }

    /// The dead rolls that left something for these keys.
    pub(crate) fn before(&self) -> impl Iterator<Item = &KeptRoll> {
        self.files.iter().filter_map(|file| file.before.as_ref())
    }

    /// What a roll of these keys left, unless that is gone.
    pub(crate) fn of_roll(&self, roll: &str) -> Option<KeptRoll> {
        let mut before = self.before();
        before.find(|kept| kept.roll == roll).cloned()
    }

    /// Writes what is so now.
    pub(crate) fn write(&mut self, roll: &KeptRoll) -> Result<(), Failure> {
        let content = roll.to_json();
        self.is_written = true;
        for file in &mut self.files {
            let written = file.replace(content.as_bytes());
            written.map_err(|e| cannot("write", &file.path, e))?;
        }

        Ok(())
    }

    /// Removes them: nothing is left to go on with.
    pub(crate) fn remove(self) -> Result<(), Failure> {
        for file in &self.files {
            let removed = fs::remove_file(&file.path);
            removed.map_err(|e| cannot("remove", &file.path, e))?;
        }

        Ok(())
    }
}

impl Drop for RollFiles {
    fn drop(&mut self) {
        for file in &self.files {
            if !self.is_written && file.before.is_none() {
                // An empty file does no harm.
                let _ = fs::remove_file(&file.path);
            }
        }
    }
}

impl RollFile {
    /// `None` where another roll has it.
    fn lock(path: &Path) -> io::Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }

        loop {
            let lock = open(path, false)?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(e),
            }

            let found = lock.metadata()?;
            // Whoever had it may have removed or replaced it.
            if found.nlink() > 0 {
                return Self::of(path, lock, &found).map(Some);
            }
        }
    }

    /// A file that is locked, with what it says.
    fn of(path: &Path, lock: File, found: &Metadata) -> io::Result<Self> {
        if !found.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }

        let mut content = Vec::new();
        let mut most = (&lock).take(CONTENT_MAX);
        most.read_to_end(&mut content)?;
        Ok(Self {
            path: path.to_owned(),
            lock,
            // One that was just made is empty, and so is one of a roll that changed nothing.
            before: KeptRoll::parse(&content).ok(),
        })
    }

    /// The new file is locked before it takes the place of the old one.
    fn replace(&mut self, content: &[u8]) -> io::Result<()> {
        let temp = self.path.with_extension("json~");
        // One that a killed roll left; nobody else writes here while this holds the lock.
        let _ = fs::remove_file(&temp);
        let mut file = open(&temp, true)?;
        // Whatever the umask: another user of the group may finish the roll.
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
        file.try_lock()?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temp, &self.path)?;
        // The name of the file is in the folder: without this a power cut may bring back the old one.
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }

        self.lock = file;
        Ok(())
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    // One that is there is no error, and stays as it is.
    builder.recursive(true).mode(0o750).create(folder)
}

/// Others may write in the folder, too: no link is followed, and nothing is waited for.
fn open(path: &Path, new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(FILE_MODE);
    options.create(true).create_new(new);
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    options.custom_flags(flags.bits()).open(path)
}

fn cannot(what: &str, path: &Path, e: io::Error) -> Failure {
    let (path, cause) = (path.display(), cause_text(e));
    failed!("cannot {what} {path}: {cause}; run as root or as a member of group hacheck-ops")
}
