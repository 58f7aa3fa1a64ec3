//! How many files this process may have open.

use std::fmt;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A soft limit of open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileLimit {
    /// As high as the hard limit.
    Max,
    /// This many.
    Number(u64),
}

impl FileLimit {
    /// The number that it is, under a hard limit.
    fn number(self, hard: u64) -> u64 {
        match self {
            Self::Max => hard,
            Self::Number(wanted) => wanted,
        }
    }
}

/// Sets the soft limit of open files; the hard one stays.
///
/// # Errors
/// [`FileLimitError`] names the limit that is in the way.
pub(crate) fn set_file_limit(limit: FileLimit) -> Result<(), FileLimitError> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(FileLimitError::Unknown)?;
    let soft = limit.number(hard);
    // Not raised even as root: a hard limit is the operator's decision, to be changed where it was made.
    if soft > hard {
        return Err(FileLimitError::AboveHard { wanted: soft, hard });
    }

    let set = setrlimit(Resource::RLIMIT_NOFILE, soft, hard);
    set.map_err(|cause| FileLimitError::Refused { soft, cause })
}

/// Why the limit cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileLimitError {
    /// The limits cannot be read.
    Unknown(Errno),
    /// Only root could go there.
    AboveHard {
        /// What was to be set.
        wanted: u64,
        /// The hard limit.
        hard: u64,
    },
    /// The kernel refused.
    Refused {
        /// What was to be set.
        soft: u64,
        /// Why not.
        cause: Errno,
    },
}

impl fmt::Display for FileLimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(e) => write!(f, "rlimit_nofile: cannot read limits: {}", e.desc()),
            Self::AboveHard { wanted, hard } => write!(
                f,
                "rlimit_nofile: {wanted} is above the hard limit of {hard}; raise that (LimitNOFILE= in the unit) or use max"
            ),
            Self::Refused { soft, cause } => {
                let cause = cause.desc();
                write!(f, "rlimit_nofile: cannot set {soft}: {cause}")
            }
        }
    }
}

impl std::error::Error for FileLimitError {}

/// File descriptors that connections and probes leave to sockets, spool and log.
const FILE_RESERVE: u64 = 64;

/// Half of the files that may be open: one half is for connections, and one for the probes beside them.
#[must_use]
pub(crate) fn half_of_files() -> usize {
    let files = soft_limit();
    // With a tiny limit the reserve must not take everything.
    let reserve = FILE_RESERVE.min(files / 2);
    let half = usize::try_from((files - reserve) / 2);
    half.unwrap_or(usize::MAX).max(4)
}

/// The soft limit of open files.
pub(super) fn soft_limit() -> u64 {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, _)) => soft,
        // Linux' usual limit.
        Err(_) => 1024,
    }
}
