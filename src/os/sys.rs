//! What the operating system knows of this host and process: addresses, users, limits, figures.
//!
//! The only module that may allow unsafe code.

use std::collections::HashSet;
use std::ffi::CString;
use std::fs;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{
    Gid, Group, Uid, User, gethostname, getresuid, initgroups, setgroups, setresgid, setresuid,
    setuid,
};

/// How long a list of this host's addresses counts.
const REFRESH: Duration = Duration::from_secs(5);

/// The addresses of this host.
#[derive(Debug, Default)]
pub struct LocalAddresses {
    interfaces: RwLock<Option<(HashSet<IpAddr>, Instant)>>,
    by_name: RwLock<Option<IpAddr>>,
}

impl LocalAddresses {
    /// Addresses that stay as they are here.
    #[cfg(test)]
    pub(crate) fn known(interfaces: &[IpAddr], by_name: Option<IpAddr>) -> Self {
        let for_ever = Instant::now() + Duration::from_secs(86_400);
        let interfaces = interfaces.iter().copied().collect();
        Self {
            interfaces: RwLock::new(Some((interfaces, for_ever))),
            by_name: RwLock::new(by_name),
        }
    }

    /// Whether an address belongs to an interface of this host.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let fresh = |known: &Option<(HashSet<IpAddr>, Instant)>| {
            known
                .as_ref()
                .filter(|(_, at)| at.elapsed() < REFRESH)
                .map(|(set, _)| set.contains(&address))
        };
        if let Some(answer) = fresh(
            &self
                .interfaces
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        ) {
            return answer;
        }
        let now = interface_addresses();
        let answer = now.contains(&address);
        *self
            .interfaces
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some((now, Instant::now()));
        answer
    }

    /// The address that this host's own name resolves to, once [`LocalAddresses::look_up_own_name`] found it.
    #[must_use]
    pub fn by_own_name(&self) -> Option<IpAddr> {
        *self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves this host's own name, first to IPv4 as the originals did. Blocks for as long as the resolver does.
    pub fn look_up_own_name(&self) {
        let found = gethostname().ok().and_then(|name| {
            let all: Vec<_> = (name.to_str()?, 0)
                .to_socket_addrs()
                .ok()?
                .map(|a| a.ip())
                .collect();
            all.iter().find(|a| a.is_ipv4()).or(all.first()).copied()
        });
        *self.by_name.write().unwrap_or_else(PoisonError::into_inner) = found;
    }
}

fn interface_addresses() -> HashSet<IpAddr> {
    let address = |a: nix::sys::socket::SockaddrStorage| {
        let v4 = a.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        v4.or_else(|| a.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
    };
    getifaddrs()
        .map(|all| all.filter_map(|i| i.address.and_then(address)).collect())
        .unwrap_or_default()
}

/// The name of the user that this process acts as; the number where it has no name.
#[must_use]
pub fn effective_user() -> String {
    user_name(Uid::effective())
}

/// The name of the user who owns a file.
#[must_use]
pub fn owner(file: &Path) -> Option<String> {
    std::fs::symlink_metadata(file)
        .ok()
        .map(|m| user_name(Uid::from_raw(m.uid())))
}

fn user_name(uid: Uid) -> String {
    User::from_uid(uid)
        .ok()
        .flatten()
        .map_or_else(|| uid.to_string(), |u| u.name)
}

/// A soft limit of open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileLimit {
    /// As high as the hard limit.
    Max,
    /// This many.
    Number(u64),
}

/// Sets the soft limit of open files; the hard one stays.
///
/// # Errors
/// A sentence that names the limit that is in the way.
pub fn set_file_limit(limit: FileLimit) -> Result<(), String> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|e| format!("rlimit_nofile: cannot read limits: {}", e.desc()))?;
    let soft = match limit {
        FileLimit::Max => hard,
        FileLimit::Number(n) if n > hard => {
            return Err(format!(
                "rlimit_nofile: {n} is above the hard limit of {hard}; raise that (LimitNOFILE= in the unit) or use max"
            ));
        }
        FileLimit::Number(n) => n,
    };
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)
        .map_err(|e| format!("rlimit_nofile: cannot set {soft}: {}", e.desc()))
}

/// The descriptors that a service manager passed to this process (sd_listen_fds(3)), with their names; they will not
/// be inherited further. To be called before anything else is opened. Each is handed out once: a second call finds none.
///
/// # Errors
/// When the variables name descriptors that are not open, or contradict each other.
pub fn passed_descriptors() -> io::Result<Vec<(String, OwnedFd)>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    let passed = sd_notify::listen_fds_with_names()?;
    // SAFETY: LISTEN_PID names this process, so the descriptors from 3 on are ours by the protocol; sd-notify has just
    // used each of them, so they are open; and the flag above lets nobody take them twice.
    #[allow(unsafe_code)]
    Ok(passed
        .map(|(fd, name)| (name, unsafe { OwnedFd::from_raw_fd(fd) }))
        .collect())
}

/// File descriptors that connections and probes leave to sockets, spool and log.
const FILE_RESERVE: u64 = 64;

/// Half of the files that may be open: one half is for connections, and one for the probes beside them.
#[must_use]
pub fn half_of_files() -> usize {
    let files = file_limit();
    let reserve = FILE_RESERVE.min(files / 2);
    usize::try_from((files - reserve) / 2)
        .unwrap_or(usize::MAX)
        .max(4)
}

/// The soft limit of open files.
fn file_limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft)
}

/// Another user and group to go on as.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The user's name and number; `None` changes the group alone.
    user: Option<(CString, Uid)>,
    gid: Gid,
}

impl Identity {
    /// Finds a user, by default with that user's own group; `None` when neither is named.
    ///
    /// # Errors
    /// A sentence about a name that there is not.
    pub fn find(user: Option<&str>, group: Option<&str>) -> Result<Option<Self>, String> {
        let found = |name: &str| match User::from_name(name) {
            Ok(Some(user)) => Ok(user),
            Ok(None) => Err(format!(
                "there is no user {name}; create it, or name another"
            )),
            Err(e) => Err(format!("cannot look for user {name}: {}", e.desc())),
        };
        let user = user.map(found).transpose()?;
        let gid = match group.map(|name| (name, Group::from_name(name))) {
            Some((_, Ok(Some(group)))) => group.gid,
            Some((name, Ok(None))) => {
                return Err(format!(
                    "there is no group {name}; create it, or name another"
                ));
            }
            Some((name, Err(e))) => {
                return Err(format!("cannot look for group {name}: {}", e.desc()));
            }
            None => match &user {
                Some(user) => user.gid,
                None => return Ok(None),
            },
        };
        let named = |u: User| {
            CString::new(u.name)
                .map(|name| (name, u.uid))
                .map_err(|e| e.to_string())
        };
        Ok(Some(Self {
            user: user.map(named).transpose()?,
            gid,
        }))
    }

    /// The user's number; this process's where only the group is another.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.user
            .as_ref()
            .map_or_else(Uid::effective, |(_, uid)| *uid)
            .as_raw()
    }

    /// The group's number.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.gid.as_raw()
    }

    /// Becomes this user and group for good, with the user's further groups and no others.
    ///
    /// # Errors
    /// A sentence, when that is not possible or could be undone.
    pub fn assume(&self) -> Result<(), String> {
        let uid = Uid::from_raw(self.uid());
        let already =
            uid == Uid::current() && uid == Uid::effective() && self.gid == Gid::effective();
        if already && !uid.is_root() {
            return Ok(());
        }
        let failed = |what: &str, e: nix::Error| {
            format!(
                "cannot {what}: {}; start as root, or set user and group to None",
                e.desc()
            )
        };
        match &self.user {
            Some((name, _)) => {
                initgroups(name, self.gid).map_err(|e| failed("take the user's groups", e))?;
            }
            None => setgroups(&[self.gid]).map_err(|e| failed("give up other groups", e))?,
        }
        setresgid(self.gid, self.gid, self.gid).map_err(|e| failed("change the group", e))?;
        setresuid(uid, uid, uid).map_err(|e| failed("change the user", e))?;
        let now = getresuid().map_err(|e| failed("tell the user", e))?;
        let undone = !uid.is_root() && setuid(Uid::from_raw(0)).is_ok();
        if undone || [now.real, now.effective, now.saved] != [uid, uid, uid] {
            return Err(
                "root's rights could be regained after they were given up; this is not safe to go on with".into()
            );
        }
        Ok(())
    }
}

/// Goes on in the background, in a session of its own, with standard input and outputs closed; the folder stays. To be
/// called before there is a second thread. The process that was started ends with success.
///
/// # Errors
/// A sentence, when the kernel does not allow it.
pub fn go_into_background() -> Result<(), String> {
    nix::unistd::daemon(true, false)
        .map_err(|e| format!("cannot go into the background: {}", e.desc()))
}

/// Figures of this process, from /proc.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessFigures {
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// Virtual memory, in bytes.
    pub vsz_bytes: u64,
    /// CPU time in user mode, in seconds.
    pub user_seconds: f64,
    /// CPU time in kernel mode, in seconds.
    pub system_seconds: f64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub open_files: u64,
}

/// Reads the figures; what cannot be read is 0.
#[must_use]
pub fn process_figures() -> ProcessFigures {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields behind the name in brackets, which may hold anything; proc(5) counts them from 3.
    let fields: Vec<&str> = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.split(' ').collect())
        .unwrap_or_default();
    let field = |n: usize| {
        fields
            .get(n - 3)
            .and_then(|f| f.trim().parse::<u64>().ok())
            .unwrap_or(0)
    };
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
        .ok()
        .flatten()
        .unwrap_or(100);
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .unwrap_or(4096);
    #[allow(clippy::cast_precision_loss)] // seconds of CPU time fit
    let seconds = |t: u64| t as f64 / ticks as f64;
    ProcessFigures {
        rss_bytes: field(24) * u64::try_from(page).unwrap_or(4096),
        vsz_bytes: field(23),
        user_seconds: seconds(field(14)),
        system_seconds: seconds(field(15)),
        threads: field(20),
        // Reading the folder opens one more.
        open_files: fs::read_dir("/proc/self/fd")
            .map_or(0, |d| d.count() as u64)
            .saturating_sub(1),
    }
}
