//! The links that the package installs, kept in git as links: one for each name in APPLETS, for the binary and for its
//! completion.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{holds_only, names, writing};
use crate::support::{TempDir, run};

#[test]
fn the_package_has_a_link_for_every_name() {
    for (folder, ending, has_file) in [
        ("packaging/links", "", false),
        ("packaging/bash-completion", "", true),
        ("packaging/fish-completion", ".fish", true),
    ] {
        let file = format!("hacheck{ending}");
        let links = names().into_iter().skip(1);
        let links: Vec<String> = links.map(|name| format!("{name}{ending}")).collect();
        for name in &links {
            let path = Path::new(folder).join(name);
            let found = fs::read_link(&path);
            if writing() && found.is_err() {
                fs::create_dir_all(folder).unwrap();
                symlink(&file, &path).unwrap();
            } else {
                let remedy = "run HACHECK_WRITE_DOCS=1 cargo test docs";
                let found = found.unwrap_or_else(|e| panic!("{}: {e}; {remedy}", path.display()));
                assert_eq!(found, Path::new(&file), "{}", path.display());
            }
        }
        let kept = has_file.then_some(file);
        let all: Vec<String> = links.into_iter().chain(kept).collect();
        holds_only(folder, &all);
    }
}

#[test]
fn hacheck_install_makes_the_links_that_the_package_has() {
    let folder = TempDir::new();
    let ran = run("hacheck", &["install", folder.path().to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(
        in_folder(folder.path()),
        in_folder(Path::new("packaging/links"))
    );
}

fn in_folder(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect()
}
