//! The reason of a downtime for which none was given: who did it.

use std::fs;

use crate::os::sys;

/// Names that stand for programs rather than people, one to a line, `#` begins a comment.
const NONHUMANS: &str = "/etc/nonhumans";

/// The user's name: who called sudo, else who came by ssh, else the effective user. `None` when that is no person.
pub(crate) fn of_user() -> Option<String> {
    // The file is optional.
    let nonhumans = fs::read(NONHUMANS).unwrap_or_default();
    Some(user()).filter(|user| !lists(&String::from_utf8_lossy(&nonhumans), user))
}

/// The user, person or not.
pub(crate) fn user() -> String {
    let from = |name| {
        std::env::var_os(name)
            .map(|v| v.to_string_lossy().into_owned())
            .filter(|v| !v.is_empty())
    };
    from("SUDO_USER")
        .or_else(|| from("SSH_USER"))
        .unwrap_or_else(sys::effective_user)
}

fn lists(nonhumans: &str, user: &str) -> bool {
    nonhumans.lines().any(|line| {
        line.split('#')
            .next()
            .is_some_and(|name| name.trim() == user)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonhumans_are_read_without_comments_and_spaces() {
        let file = "# robots\njenkins\n  deploy # the cron job\n#alice\n\n";
        for (user, listed) in [
            ("jenkins", true),
            ("deploy", true),
            ("alice", false),
            ("robots", false),
            ("jen", false),
        ] {
            assert_eq!(lists(file, user), listed, "{user}");
        }
    }
}
