//! The documentation says what the program does. `HACHECK_WRITE_DOCS=1 cargo test docs` rewrites what is generated.

use std::fs;
use std::process::Command;

use hacheck::applet::APPLETS;
use hacheck::config;
use hacheck::probe::PROTOCOLS;

const SETTINGS: (&str, &str) = ("<!-- settings -->\n", "<!-- end of settings -->\n");

#[test]
fn the_readme_lists_every_setting() {
    let readme = fs::read_to_string("README.md").unwrap();
    let (before, rest) = readme.split_once(SETTINGS.0).expect("README.md has the mark where settings begin");
    let (shown, after) = rest.split_once(SETTINGS.1).expect("README.md has the mark where settings end");
    let table = config::reference_markdown();
    if std::env::var_os("HACHECK_WRITE_DOCS").is_some() {
        fs::write("README.md", [before, SETTINGS.0, &table, SETTINGS.1, after].concat()).unwrap();
    } else {
        assert!(shown == table, "README.md: the settings are out of date; run HACHECK_WRITE_DOCS=1 cargo test docs");
    }
}

#[test]
fn the_readme_names_every_protocol_and_command() {
    let readme = fs::read_to_string("README.md").unwrap();
    for protocol in PROTOCOLS {
        assert!(readme.contains(&format!("| `{}` |", protocol.name)), "README.md: no row for {}", protocol.name);
    }
    for applet in APPLETS {
        let name = applet.alias.unwrap_or(applet.name);
        assert!(readme.contains(name), "README.md: no word of {name}");
    }
}

#[test]
fn the_haproxy_snippets_are_valid() {
    for entry in fs::read_dir("packaging/haproxy").unwrap() {
        let file = entry.unwrap().path();
        let ran = Command::new("haproxy").arg("-c").arg("-f").arg(&file).output();
        let ran = ran.unwrap_or_else(|e| panic!("cannot run haproxy: {e}; apt-get install haproxy"));
        assert!(ran.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&ran.stderr));
    }
}
