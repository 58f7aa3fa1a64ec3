//! Whether this host is going down: for a command that began it, and ended before the host did.

use std::process::{Command, Stdio};

/// systemd's own word, and logind's, which may wait for others before it tells systemd. Each with what it says then.
const ASKED: [(&str, &[&str], &str); 2] = [
    ("systemctl", &["is-system-running"], "stopping"),
    (
        "busctl",
        &[
            "--timeout=2",
            "get-property",
            "org.freedesktop.login1",
            "/org/freedesktop/login1",
            "org.freedesktop.login1.Manager",
            "PreparingForShutdown",
        ],
        "b true",
    ),
];

/// Whether a shutdown or a reboot has begun. Where nobody can tell, none has.
#[must_use]
pub(crate) fn is_going_down() -> bool {
    let mut asked = ASKED.into_iter();
    asked.any(|(program, arguments, word)| says(program, arguments, word))
}

fn says(program: &str, arguments: &[&str], word: &str) -> bool {
    let mut command = Command::new(program);
    command.args(arguments);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let Ok(output) = command.output() else {
        return false;
    };
    String::from_utf8_lossy(&output.stdout).trim() == word
}
