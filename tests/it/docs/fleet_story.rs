//! The story of docs/fleet.md, typed as it stands there but for ports and folder: a fleet of two hosts on one machine.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;

use super::typed::{at_ports, typed};
use crate::support::process::{Process, bound_by};
use crate::support::server::free_port;
use crate::support::{BINARY, PATIENCE, TempDir, wait_until, write_program};

/// The script and where it is here.
struct Story {
    folder: TempDir,
    /// The ports that the text shows, and those that are here.
    hosts: [(&'static str, u16); 2],
    script: Process,
}

impl Story {
    fn start(hacheck: &Path) -> Self {
        let folder = TempDir::new();
        let etcd = [free_port(), free_port()];
        let hosts = ["3341", "3342"].map(|shown| (shown, free_port()));
        let ports = [etcd, hosts.map(|(_, port)| port)].concat();
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let mut script = bound_by("TERM", "packaging/fleet/try", &[]);
        script.arg(folder.file("fleet")).env("HACHECK", hacheck);
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
        let text = text.replace("/tmp/hacheck-fleet", folder.to_str().unwrap());
        at_ports(&text, &self.hosts)
    }

    /// Whether a command ends well, and what it prints.
    fn run(&self, shown: &str) -> (bool, String) {
        typed(&self.here(shown))
    }

    /// As Ctrl-C does: the script ends etcd and both daemons, if it is not killed.
    fn end(&mut self) -> bool {
        self.script.signal(Signal::SIGTERM);
        self.script.ends_within(PATIENCE)
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if self.script.ended().is_none() {
            self.end();
        }
    }
}

#[test]
fn the_story_of_the_fleet_goes_as_it_is_told() {
    let text = fs::read_to_string("docs/fleet.md").unwrap();
    let told = text.split("## ").find(|s| s.starts_with("Try it\n"));
    let told: Vec<&str> = told.unwrap().lines().collect();
    let story = Story::start(Path::new(BINARY));
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

#[test]
fn a_fleet_to_try_leaves_no_folder_though_a_daemon_has_ended_before() {
    let folder = TempDir::new();
    let (daemon, ended) = (folder.file("daemon"), folder.file("ended"));
    write_program(
        &daemon,
        &format!("#!/bin/sh\necho >> {}\n", ended.display()),
    );
    let mut story = Story::start(&daemon);
    wait_until(PATIENCE, "no daemon runs any more", || {
        let both = fs::read_to_string(&ended).is_ok_and(|text| text.lines().count() == 2);
        both && story.script.children().len() <= 1
    });
    assert!(story.end());
    assert!(!story.folder.file("fleet").exists());
}
