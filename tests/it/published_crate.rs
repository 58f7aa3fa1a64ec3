//! The crate as `cargo publish` packs it: what building needs and what its users read, and no more.

use std::process::Command;

use crate::support::root::succeed;

/// What each packed file's path begins with, or is.
const PACKED: [&str; 9] = [
    "src/",
    "docs/",
    "Cargo.toml",
    "Cargo.lock",
    ".cargo_vcs_info.json",
    "CHANGELOG.md",
    "LICENSE.txt",
    "README.md",
    "SECURITY.md",
];

#[test]
fn the_crate_packs_what_is_needed_and_no_more() {
    let mut list = Command::new(env!("CARGO"));
    list.args(["package", "--list", "--allow-dirty", "--offline"]);
    let list = succeed(&mut list);
    for path in list.lines() {
        let is_known = PACKED.iter().any(|known| path.starts_with(known));
        assert!(is_known, "{path} is packed; see include in Cargo.toml");
    }
    for path in ["src/main.rs", "src/daemon/pages/ui/ui.html", "README.md"] {
        assert!(list.lines().any(|packed| packed == path), "no {path}");
    }
}
