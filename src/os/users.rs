//! Users and groups: whose this process and its files are, and becoming another.

use std::ffi::{CString, NulError};
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, getresuid, initgroups, setgroups, setresgid, setresuid, setuid,
};

/// The name of the user that this process acts as; the number where it has no name.
#[must_use]
pub(crate) fn effective_user() -> String {
    user_name(Uid::effective().as_raw())
}

/// The name of the user who owns a file.
#[must_use]
pub fn owner(file: &Path) -> Option<String> {
    // The owner of a link itself, not of its target.
    let attributes = std::fs::symlink_metadata(file).ok()?;
    Some(user_name(attributes.uid()))
}

/// The name of a user; the number where it has no name.
#[must_use]
pub fn user_name(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => uid.to_string(),
    }
}

/// Another user and group to go on as.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The user's name and number; `None` changes the group alone.
    user: Option<(CString, Uid)>,
    gid: Gid,
}

/// Why this process cannot go on as another user or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityError {
    /// There is no such user.
    NoUser(String),
    /// There is no such group.
    NoGroup(String),
    /// The data base of users or groups cannot be asked: what was looked for, and why not.
    Unreadable(String, Errno),
    /// The user's name cannot be given to the kernel.
    Name(NulError),
    /// The kernel refused: to do what, and why.
    Refused(&'static str, Errno),
    /// What was given up is not gone for good.
    Regainable,
}

impl Identity {
    /// Finds a user, by default with that user's own group; `None` when neither is named.
    ///
    /// # Errors
    /// [`IdentityError`] about a name that there is not.
    pub fn find(user: Option<&str>, group: Option<&str>) -> Result<Option<Self>, IdentityError> {
        let user = user.map(find_user).transpose()?;
        let gid = match (group, &user) {
            (Some(name), _) => find_group(name)?,
            (None, Some(user)) => user.gid,
            (None, None) => return Ok(None),
        };

        // The name is needed for initgroups(3).
        let user = user.map(name_and_number).transpose()?;
        Ok(Some(Self { user, gid }))
    }

    /// The user's number; this process's where only the group is another.
    #[must_use]
    pub fn uid(&self) -> u32 {
        match &self.user {
            Some((_, uid)) => uid.as_raw(),
            None => Uid::effective().as_raw(),
        }
    }

    /// The group's number.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.gid.as_raw()
    }

    /// Becomes this user and group for good, with the user's further groups and no others.
    ///
    /// # Errors
    /// [`IdentityError`] when that is not possible or could be undone.
    pub(crate) fn assume(&self) -> Result<(), IdentityError> {
        if self.is_assumed() {
            return Ok(());
        }

        let (uid, gid) = (Uid::from_raw(self.uid()), self.gid);
        // In this order: without root's rights the groups can no longer be changed.
        self.take_groups()?;
        // All three ids: the old rights could be regained through a saved one.
        setresgid(gid, gid, gid).map_err(refused("change the group"))?;
        setresuid(uid, uid, uid).map_err(refused("change the user"))?;
        expect_for_good(uid)
    }

    /// Whether this process is this user and group already, and has no right to be told otherwise.
    fn is_assumed(&self) -> bool {
        let uid = Uid::from_raw(self.uid());
        let is_user = uid == Uid::current() && uid == Uid::effective();
        let is_group = self.gid == Gid::effective();
        // Root can always become somebody else, and so has to give that up.
        is_user && is_group && !uid.is_root()
    }

    fn take_groups(&self) -> Result<(), IdentityError> {
        match &self.user {
            Some((name, _)) => {
                initgroups(name, self.gid).map_err(refused("take the user's groups"))
            }
            // Otherwise root's groups, such as disk or adm, would stay.
            None => setgroups(&[self.gid]).map_err(refused("give up other groups")),
        }
    }
}

fn refused(what: &'static str) -> impl Fn(Errno) -> IdentityError {
    move |e| IdentityError::Refused(what, e)
}

/// Fails where root's rights could be had again.
fn expect_for_good(uid: Uid) -> Result<(), IdentityError> {
    let now = getresuid().map_err(refused("tell the user"))?;
    let is_whole = [now.real, now.effective, now.saved] == [uid; 3];
    // The proof is to try: a saved id or a capability would let it succeed.
    let is_regained = !uid.is_root() && setuid(Uid::from_raw(0)).is_ok();
    if is_regained || !is_whole {
        return Err(IdentityError::Regainable);
    }

    Ok(())
}

fn name_and_number(user: User) -> Result<(CString, Uid), IdentityError> {
    let name = CString::new(user.name).map_err(IdentityError::Name)?;
    Ok((name, user.uid))
}

fn find_user(name: &str) -> Result<User, IdentityError> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user),
        Ok(None) => Err(IdentityError::NoUser(name.to_owned())),
        Err(e) => Err(IdentityError::Unreadable(format!("user {name}"), e)),
    }
}

fn find_group(name: &str) -> Result<Gid, IdentityError> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(IdentityError::NoGroup(name.to_owned())),
        Err(e) => Err(IdentityError::Unreadable(format!("group {name}"), e)),
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUser(name) => write!(f, "there is no user {name}; create it, or name another"),
            Self::NoGroup(name) => write!(f, "there is no group {name}; create it, or name another"),
            Self::Unreadable(what, e) => write!(f, "cannot look for {what}: {}", e.desc()),
            Self::Name(e) => e.fmt(f),
            Self::Refused(what, e) => write!(
                f,
                "cannot {what}: {}; start as root, or set user and group to None",
                e.desc()
            ),
            Self::Regainable => f.write_str(
                "root's rights could be regained after they were given up; this is not safe to go on with",
            ),
        }
    }
}

impl std::error::Error for IdentityError {}
