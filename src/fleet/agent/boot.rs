//! What tells a machine, and one of its boots, from others.

use std::path::Path;

use nix::sys::sysinfo::sysinfo;

use crate::fleet::Alive;
use crate::os::reading::read_regular;
use crate::spool::unix_now;

/// Most bytes of a file with an id.
const ID_MAX: u64 = 4096;

/// What this process says of itself.
pub(super) fn alive() -> Alive {
    let boot = match id("/proc/sys/kernel/random/boot_id") {
        Some(boot) => boot,
        // Hidden by ProcSubset=pid.
        None => booted_at(),
    };

    Alive {
        machine: id("/etc/machine-id").unwrap_or_default(),
        boot,
        pid: std::process::id(),
    }
}

fn id(path: &str) -> Option<String> {
    let content = read_regular(Path::new(path), ID_MAX).ok()?;
    let text = String::from_utf8(content).ok()?;
    match text.trim() {
        // As in images of containers, which get their own at the first boot.
        "" => None,
        id => Some(id.to_owned()),
    }
}

/// When this host was booted, to ten minutes: the clock may be set meanwhile.
fn booted_at() -> String {
    // A clock that is set meanwhile would else look like a boot, and with `boot_wait` take the host down.
    const STEP: f64 = 600.0;
    let up = sysinfo().map_or(0.0, |info| info.uptime().as_secs_f64());
    format!("{:.0}", (unix_now() - up) / STEP)
}
