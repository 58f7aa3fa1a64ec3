//! The story of docs/fleet.md, typed as it stands there but for ports and folder: a fleet of two hosts on one machine.

use std::fs;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::support::process::{Process, bound_to_us};
use crate::support::server::free_port;
use crate::support::{BINARY, PATIENCE, TempDir, wait_until};

/// The ports of `packaging/fleet/try` that the text shows.
const SHOWN: [&str; 2] = ["3341", "3342"];

/// The script and where it is here.
struct Story {
    folder: TempDir,
    hosts: [u16; 2],
    script: Process,
}

impl Story {
    fn start() -> Self {
        let folder = TempDir::new();
        let etcd = [free_port(), free_port()];
        let hosts = [free_port(), free_port()];
        let ports = [etcd, hosts].concat();
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let mut script = bound_to_us("packaging/fleet/try", &[]);
        script.arg(folder.file("fleet")).env("HACHECK", BINARY);
        script.env("PORTS", ports.join(" "));
        script.stdin(Stdio::null()).stdout(Stdio::null());
        let script = Process::spawn(script.stderr(Stdio::null()));
        Self {
            folder,
            hosts,
            script,
        }
    }

    /// A text with the folder and the ports of this test.
    fn here(&self, text: &str) -> String {
        let folder = self.folder.file("fleet");
        let mut text = text
            .replace("/tmp/hacheck-fleet", folder.to_str().unwrap())
            .replace("target/release/hacheck", BINARY);
        for (shown, port) in SHOWN.iter().zip(self.hosts) {
            text = text.replace(&format!(":{shown}"), &format!(":{port}"));
        }
        text
    }

    /// Whether a command ends well, and what it prints.
    fn run(&self, shown: &str) -> (bool, String) {
        let line = self.here(shown);
        let ran = Command::new("sh").args(["-c", &line]).output().unwrap();
        let text = [ran.stdout, ran.stderr].concat();
        (ran.status.success(), String::from_utf8(text).unwrap())
    }
}

impl Drop for Story {
    /// The script ends etcd and both daemons, if it is not killed.
    fn drop(&mut self) {
        self.script.signal(Signal::SIGTERM);
        self.script.ends_within(PATIENCE);
    }
}

#[test]
fn the_story_of_the_fleet_goes_as_it_is_told() {
    let text = fs::read_to_string("docs/fleet.md").unwrap();
    let told = text.split("## ").find(|s| s.starts_with("Try it\n"));
    let told: Vec<&str> = told.unwrap().lines().collect();
    let story = Story::start();
    let export = told.iter().find(|l| l.starts_with("$ export ")).unwrap();
    let export = &export[2..];

    let hosts = format!("{export}; target/release/hacheck fleet -o tsv");
    wait_until(PATIENCE, "both hosts are known", || {
        let (_, table) = story.run(&hosts);
        table.lines().filter(|l| l.starts_with("up\t")).count() == 2
    });
    for (at, line) in told.iter().enumerate() {
        let Some(shown) = line.strip_prefix("$ ") else {
            continue;
        };
        let (well, said) = story.run(&format!("{export}; {shown}"));
        assert!(well, "{shown}\n{said}");
        let expected = told[at + 1..].iter();
        for expected in expected.take_while(|l| !l.starts_with(['$', '`'])) {
            let expected = until_a_time(expected);
            assert!(said.contains(expected), "{shown}\n{said}\n{expected}");
        }
    }
}

/// What a line says before the first time in it, which is another one each time.
fn until_a_time(line: &str) -> &str {
    let end = line.find(" since ").or_else(|| line.find(" after "));
    &line[..end.unwrap_or(line.len())]
}
