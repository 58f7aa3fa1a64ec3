//! What goes wrong with the engine, as a sentence with its remedy.

use std::fmt;
use std::path::PathBuf;

use crate::fleet::settings::Endpoint;
use crate::http::grpc_client::Failed;

/// Why the engine could not be asked, or did not do it.
#[derive(Debug, Clone)]
pub enum EngineError {
    /// A file with certificates, a key or a password cannot be used.
    File {
        /// Which.
        file: PathBuf,
        /// Why not.
        cause: String,
    },
    /// None of the members can be reached: each with the cause.
    Unreachable(Vec<(Endpoint, String)>),
    /// The connection broke, or no answer came in time.
    Lost {
        /// To which member.
        member: Endpoint,
        /// How.
        cause: String,
    },
    /// The engine answered, and refused.
    Refused {
        /// Which member.
        member: Endpoint,
        /// gRPC's status code.
        code: u32,
        /// What it says.
        message: String,
    },
    /// What changed since a revision is no longer there: everything is to be read again.
    Compacted,
}

/// gRPC's status codes by which a request certainly changed nothing, and would not at another member either:
/// INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED,
/// UNAUTHENTICATED (grpc/doc/statuscodes.md; etcd's api/v3rpc/rpctypes/error.go).
const CERTAIN: [u32; 8] = [3, 5, 7, 8, 9, 11, 12, 16];

/// NOT_FOUND, which etcd says of a lease alone: a key that is not there is no error.
const NOT_FOUND: u32 = 5;

/// PERMISSION_DENIED.
const DENIED: u32 = 7;

/// UNAUTHENTICATED.
const UNKNOWN_USER: u32 = 16;

/// INVALID_ARGUMENT, which etcd says of a wrong password, and of a client that has no user.
const INVALID: u32 = 3;

/// What etcd says of a token that was given out before users or roles were changed.
const OLD_LOGIN: &str = "auth store is old";

impl EngineError {
    pub(super) fn failed(member: &Endpoint, failed: Failed) -> Self {
        let code = failed.code.as_deref().and_then(|code| code.parse().ok());
        match code {
            // etcd's own word; without a code it is a proxy's or a broken connection's, and another member may do it.
            Some(code) => Self::Refused {
                member: member.clone(),
                code,
                message: failed.message,
            },
            None => Self::lost(member, failed.to_string()),
        }
    }

    pub(super) fn lost(member: &Endpoint, cause: String) -> Self {
        Self::Lost {
            member: member.clone(),
            cause,
        }
    }

    pub(super) fn malformed(member: &Endpoint) -> Self {
        Self::lost(member, "the answer is not etcd's".to_owned())
    }

    /// Notes what kept a member from answering, once for each member.
    pub(super) fn note(self, causes: &mut Vec<(Endpoint, String)>) {
        let (member, cause) = match self {
            Self::Lost { member, cause } => (member, cause),
            Self::Refused {
                member,
                code,
                message,
            } => (member, said(code, &message)),
            // Not about a member, and none that is tried again.
            Self::File { .. } | Self::Unreachable(_) | Self::Compacted => return,
        };

        if causes.iter().all(|(known, _)| *known != member) {
            causes.push((member, cause));
        }
    }

    /// Whether the proof of who we are no longer counts: a new session logs in anew.
    #[must_use]
    pub fn ends_login(&self) -> bool {
        match self {
            Self::Refused { code, message, .. } => {
                *code == UNKNOWN_USER || (*code == INVALID && message.contains(OLD_LOGIN))
            }
            _ => false,
        }
    }

    /// Whether a lease that the request named has ended.
    #[must_use]
    pub fn lacks_lease(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == NOT_FOUND)
    }

    /// What it is, in a word, for metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Unreachable(_) => "unreachable",
            Self::Lost { .. } => "lost",
            Self::Refused { .. } => "refused",
            Self::Compacted => "compacted",
        }
    }

    /// Whether the request certainly changed nothing, and asking another member would not help.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        match self {
            Self::File { .. } => true,
            Self::Refused { code, .. } => CERTAIN.contains(code),
            // It may have been applied before the answer was lost.
            Self::Unreachable(_) | Self::Lost { .. } | Self::Compacted => false,
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, cause } => {
                let file = file.display();
                write!(
                    f,
                    "cannot use {file}: {cause}; see the files that fleet.yml names"
                )
            }
            Self::Unreachable(members) => {
                let causes = causes(members);
                write!(
                    f,
                    "etcd cannot be reached ({causes}); see endpoints in fleet.yml, and whether etcd runs there"
                )
            }
            Self::Lost { member, cause } => write!(f, "etcd at {member}: {cause}"),
            Self::Refused {
                member,
                code,
                message,
            } => refusal(f, member, *code, message),
            Self::Compacted => f.write_str("etcd has forgotten the changes since then"),
        }
    }
}

/// Each member with what keeps it from being reached.
fn causes(members: &[(Endpoint, String)]) -> String {
    let mut causes = Vec::new();
    for (member, cause) in members {
        causes.push(format!("{member}: {cause}"));
    }

    causes.join("; ")
}

fn refusal(f: &mut fmt::Formatter<'_>, member: &Endpoint, code: u32, message: &str) -> fmt::Result {
    let said = said(code, message);
    let remedy = remedy(code, message);
    write!(f, "etcd at {member} refuses: {said}{remedy}")
}

fn said(code: u32, message: &str) -> String {
    // What stands in between may give a code alone.
    match message.is_empty() {
        true => format!("grpc-status {code}"),
        false => message.to_owned(),
    }
}

fn remedy(code: u32, message: &str) -> &'static str {
    let is_about_users = message.contains("user") || message.contains("auth");
    match code {
        DENIED => "; grant the role that 'hacheck fleet roles' prints",
        UNKNOWN_USER => "; see certificates, username and password_file in fleet.yml",
        INVALID if is_about_users => "; see certificates, username and password_file in fleet.yml",
        _ => "",
    }
}

impl std::error::Error for EngineError {}
