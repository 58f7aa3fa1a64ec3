//! The reason of a downtime for which none was given: who did it.

use std::fs;

use crate::os::users;

/// Names that stand for programs rather than people, one to a line, `#` begins a comment.
const NONHUMANS: &str = "/etc/nonhumans";

/// The user's name; `None` where that is no person's.
pub(crate) fn of_user() -> Option<String> {
    // The file is optional.
    let nonhumans = fs::read(NONHUMANS).unwrap_or_default();
    let user = user();
    if lists(&String::from_utf8_lossy(&nonhumans), &user) {
        None
    } else {
        Some(user)
    }
}

/// The user, person or not: who called sudo, else who came by ssh, else the effective user.
pub(crate) fn user() -> String {
    // Behind sudo the effective user is root, which tells nobody who it was.
    let caller = from_environment("SUDO_USER").or_else(|| from_environment("SSH_USER"));
    caller.unwrap_or_else(users::effective_user)
}

fn from_environment(variable: &str) -> Option<String> {
    let value = std::env::var_os(variable)?.to_string_lossy().into_owned();
    Some(value).filter(|user| !user.is_empty())
}

fn lists(nonhumans: &str, user: &str) -> bool {
    nonhumans.lines().any(|line| name_in(line) == user)
}

fn name_in(line: &str) -> &str {
    let before_comment = line.split('#').next().unwrap_or_default();
    before_comment.trim()
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
