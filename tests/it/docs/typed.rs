//! Commands of a document, typed as they stand there but for where things are here.

use std::process::Command;

use crate::support::BINARY;

/// A text with the ports of a test in place of those that it shows.
pub fn at_ports(text: &str, ports: &[(&str, u16)]) -> String {
    let mut text = text.to_owned();
    for (shown, port) in ports {
        text = text.replace(&format!(":{shown}"), &format!(":{port}"));
    }
    text
}

/// Whether a line ends well with the binary that is tested, and what it prints.
pub fn typed(line: &str) -> (bool, String) {
    let line = line.replace("target/release/hacheck", BINARY);
    let ran = Command::new("sh").args(["-c", &line]).output().unwrap();
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.success(), String::from_utf8(text).unwrap())
}
