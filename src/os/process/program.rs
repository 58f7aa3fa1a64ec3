//! Whether a program is there, before something is done for it.

use std::env;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

/// Whether this user may run a program: a path, or a name that is looked for in `PATH` (execvp(3)).
#[must_use]
pub(crate) fn can_be_run(program: &str) -> bool {
    if program.contains('/') {
        return is_executable(Path::new(program));
    }

    // The default of execvp(3) without PATH.
    let folders = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let mut programs = env::split_paths(&folders).map(|folder| folder.join(program));
    programs.any(|path| is_executable(&path))
}

fn is_executable(path: &Path) -> bool {
    // Folders have the execute bit too.
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_path_and_by_name() {
        assert!(can_be_run("sh") && can_be_run("/bin/sh"));
        assert!(!can_be_run("no-such-program") && !can_be_run("/bin"));
        assert!(!can_be_run("/etc/passwd") && !can_be_run(""));
    }
}
