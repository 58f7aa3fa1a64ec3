//! The README's story, typed as it stands there but for the ports: the daemon, two servers behind HAProxy, one of them taken
//! out of traffic and put back.

use std::fs;
use std::process::Stdio;

use super::typed::{at_ports, typed};
use crate::support::daemon::Daemon;
use crate::support::process::{Process, bound_to_us};
use crate::support::server::free_port;
use crate::support::{PATIENCE, TempDir, wait_until};

/// What stands in the README and `try.cfg`, and here.
struct Story {
    daemon: Daemon,
    ports: [(&'static str, u16); 3],
}

impl Story {
    /// A text with the ports of this test.
    fn here(&self, text: &str) -> String {
        let text = text.replace("3333", &self.daemon.address.port().to_string());
        at_ports(&text, &self.ports)
    }

    /// What a command that the README shows prints.
    fn run(&self, shown: &str) -> String {
        let spool = self.daemon.spool.root();
        let mut line = self
            .here(shown)
            .replace("/tmp/hacheck-spool", spool.to_str().unwrap());
        if shown.contains("hacheck ") {
            // Half a minute after the start it needs no --min-pollers.
            let port = self.daemon.address.port();
            line += &format!(" -p {port} --min-pollers 1");
        }
        let (well, text) = typed(&line);
        assert!(well, "{line}\n{text}");
        text
    }

    /// The servers that answer two requests in a row.
    fn servers(&self) -> Vec<String> {
        let front = "curl -s http://127.0.0.1:8000/ http://127.0.0.1:8000/";
        let answers = self.run(front);
        let mut names: Vec<String> = answers.lines().map(str::to_owned).collect();
        names.sort();
        names
    }
}

#[test]
fn the_story_of_the_readme_goes_as_it_is_told() {
    let readme = fs::read_to_string("README.md").unwrap();
    let ports = ["8000", "8081", "8082"].map(|shown| (shown, free_port()));
    let daemon = Daemon::start();
    let story = Story { daemon, ports };

    let folder = TempDir::new();
    let config = fs::read_to_string("packaging/haproxy/try.cfg").unwrap();
    fs::write(folder.file("try.cfg"), story.here(&config)).unwrap();
    let mut haproxy = bound_to_us("haproxy", &[]);
    haproxy.arg("-f").arg(folder.file("try.cfg"));
    haproxy.stdin(Stdio::null()).stdout(Stdio::null());
    let _haproxy = Process::spawn(haproxy.stderr(Stdio::null()));
    wait_until(PATIENCE, "HAProxy polls both servers", || {
        let pollers = story.daemon.get("/pollers?service=web").body;
        pollers.contains("web/web01") && pollers.contains("web/web02")
    });

    let down = line_with(&readme, "hacheck down --spool-root");
    let up = line_with(&readme, "hacheck up --spool-root");
    assert_eq!(story.servers(), ["web01", "web02"]);
    let told = story.run(down);
    let last = story.here("hacheck down: web:8081 is out of rotation on lb1");
    assert!(told.contains(&last), "{told}");
    assert!(readme.contains("hacheck down: web:8081 is out of rotation on lb1"));
    assert_eq!(story.servers(), ["web02", "web02"]);
    story.run("curl -sf http://127.0.0.1:3333/ui");
    story.run(up);
    assert_eq!(story.servers(), ["web01", "web02"]);
}

/// The command of the README that has a text.
fn line_with<'a>(readme: &'a str, text: &str) -> &'a str {
    let line = readme.lines().find(|line| line.contains(text));
    let line = line.unwrap_or_else(|| panic!("README.md: no {text}"));
    line.trim_start_matches("$ ")
}
