//! The commands that documents and help show: those of hacheck are understood, those of `curl` are answered, and of all
//! others it is said why no test runs them.

use std::fs;
use std::path::PathBuf;

use hacheck::cli::{APPLETS, Applet};

use super::{names, section};
use crate::support::daemon::Daemon;
use crate::support::server::free_port;
use crate::support::{Ran, Spool, command};

/// Commands that are not run here, by how they begin: which test runs them instead, or why none does.
const NOT_RUN: [(&str, &str); 29] = [
    ("cargo run", "the tests run the same binary; see story.rs"),
    ("haproxy -f packaging/haproxy/try.cfg", "story.rs"),
    ("packaging/fleet/try", "fleet_story.rs"),
    ("export HACHECK_FLEET_FILE", "fleet_story.rs"),
    ("curl http://127.0.0.1:3341/", "fleet_story.rs"),
    ("target/release/hacheck fleet", "fleet_story.rs"),
    ("tests/run", "it runs this test"),
    ("packaging/build-deb", "tests/it/the_package.rs"),
    ("packaging/build-rpm", "tests/it/the_rpm.rs"),
    ("apt install", "tests/it/the_package.rs, by dpkg"),
    ("adduser", "the_package.rs has a user in that group"),
    ("dnf", "needs Fedora"),
    ("usermod", "needs Fedora"),
    (
        "systemctl",
        "tests/it/systemd.rs, the_package.rs and boot.rs, under a real systemd",
    ),
    ("cp /usr/share/doc/hacheck/examples/", "tests/it/boot.rs"),
    ("cargo install", "builds the release once more"),
    ("hacheck install", "links.rs"),
    ("hacheck serve", "most tests"),
    ("hacheck -", "the same"),
    ("hacheck reload", "it signals a process"),
    (
        "docker",
        "needs a container engine; tests/it/container.rs does the same without",
    ),
    ("kubectl", "needs a cluster"),
    ("aws", "needs an account"),
    ("haroll --grace 60s web -- …", "its command is left out"),
    (
        "openssl",
        "tests/it/listen_tls.rs makes certificates the same way",
    ),
    (
        "health-checker -",
        "it serves until it is ended: tests/it/health_checker.rs",
    ),
    ("mysql", "needs an account on a server: tests/it/mariadb.rs"),
    ("patronictl", "needs a cluster of PostgreSQL"),
    ("chmod", "of a file that the test does not have"),
];

/// Where commands are shown in running text, too.
const FOR_OPERATORS: [&str; 2] = ["README.md", "docs/operating.md"];

/// Parts of a command that texts name, without what it is about.
const PARTS: [&str; 6] = [
    "hadown --wait",
    "hadown --wait=drained",
    "haup --when-healthy 3",
    "hadown --soft",
    "hadown --agent-only",
    "hadown --drain",
];

/// All documents for users.
fn documents() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("README.md")];
    for entry in fs::read_dir("docs").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "md") {
            files.push(path);
        }
    }
    files
}

/// The commands of a document: those of its blocks, and for operators those of the text.
fn commands(file: &str, text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut block = None;
    for line in text.lines().map(str::trim_start) {
        match (block, line.strip_prefix("```")) {
            (None, Some(language)) => block = Some(language),
            (Some(_), Some(_)) => block = None,
            (Some("sh"), None) => commands.push(line.to_owned()),
            (Some("console"), None) => {
                commands.extend(line.strip_prefix("$ ").map(str::to_owned));
            }
            (None, None) if FOR_OPERATORS.contains(&file) => {
                commands.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
            }
            _ => {}
        }
    }
    commands.retain(|c| !c.is_empty() && !c.starts_with('#'));
    commands
}

/// Whether a text of the documents is a command of hacheck, and not only its name.
fn is_ours(words: &[String]) -> bool {
    let name = words.first().map(String::as_str).unwrap_or_default();
    let least = if name == "hacheck" { 3 } else { 2 };
    words.len() >= least && names().contains(&name)
}

/// The words of a command, without a comment or another command behind it, and without the folder of the binary.
fn words(shown: &str) -> Vec<String> {
    let mut words = shell_words::split(shown).unwrap_or_default();
    let is_end = |word: &String| word.starts_with('#') || word == "|" || word == "&&";
    if let Some(end) = words.iter().position(is_end) {
        words.truncate(end);
    }
    if let Some(first) = words.first_mut() {
        *first = first.trim_start_matches("target/release/").to_owned();
    }
    words
}

/// Runs a command of hacheck with a spool of its own, and without a daemon.
fn run_alone(words: &[String]) -> Ran {
    let spool = Spool::new();
    for file in ["FILE", "hacheck.yml"] {
        fs::write(spool.outside().join(file), "").unwrap();
    }
    let own = own_options(words, &spool);
    let mut arguments = words[1..].to_vec();
    // What haroll would run is no business of this test.
    if let Some(end) = arguments.iter().position(|w| w == "--") {
        arguments.splice(end + 1.., ["true".to_owned()]);
    }
    let at = usize::from(words[0] == "hacheck");
    arguments.splice(at..at, own);
    let mut run = command(&words[0]);
    run.args(&arguments).current_dir(spool.outside());
    run.output().unwrap().into()
}

/// Options that keep a command from this host's daemon and spool, where it takes them.
fn own_options(words: &[String], spool: &Spool) -> Vec<String> {
    let name = match words[0].as_str() {
        "hacheck" => words[1].as_str(),
        name => name,
    };
    let is_it = |applet: &&Applet| applet.name == name || applet.alias == Some(name);
    let Some(applet) = APPLETS.iter().find(is_it) else {
        return vec![];
    };
    let own = [
        ("--spool-root", spool.root().display().to_string()),
        ("--port", free_port().to_string()),
    ];
    let takes = |option: &str| (applet.info)().flags.iter().any(|f| f.long == option);
    let own = own.into_iter().filter(|(option, _)| takes(option));
    own.map(|(option, value)| format!("{option}={value}"))
        .collect()
}

#[test]
fn each_command_that_is_shown_is_understood_or_named_as_not_run() {
    let daemon = Daemon::with_config("mysql_username: checker\nmysql_password: secret\n");
    for file in documents() {
        let name = file.to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        for shown in commands(name, &text) {
            check(&daemon, name, &shown);
        }
    }
}

#[test]
fn each_example_of_the_help_is_understood() {
    let daemon = Daemon::start();
    for applet in APPLETS {
        for example in applet.examples() {
            // What it does stands behind it, three blanks apart.
            let shown = example.split("   ").next().unwrap();
            check(&daemon, applet.name, shown);
        }
    }
}

#[track_caller]
fn check(daemon: &Daemon, file: &str, shown: &str) {
    let not_run = |(begin, _): &(&str, &str)| shown.starts_with(begin);
    if NOT_RUN.iter().any(not_run) || PARTS.contains(&shown) {
        return;
    }
    let words = words(shown);
    if words.first().is_some_and(|word| word == "curl") {
        return answers(daemon, file, shown, &words);
    }
    if is_ours(&words) {
        let ran = run_alone(&words);
        let is_understood = ran.code.is_some_and(|code| code != 2);
        return assert!(is_understood, "{file}: {shown}\n{ran:?}");
    }
    let is_command = words.len() > 1 && shown_in_a_block(file, shown);
    assert!(
        !is_command,
        "{file}: no test runs {shown}, and NOT_RUN does not say why"
    );
}

/// Whether a text stands in a block, as a command, and not within a line.
fn shown_in_a_block(file: &str, shown: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = |line: &str| line.trim_start().trim_start_matches("$ ") == shown;
    text.lines().any(line)
}

/// A request that is shown leads to a check or a page, not to 404.
#[track_caller]
fn answers(daemon: &Daemon, file: &str, shown: &str, words: &[String]) {
    for url in words.iter().filter(|word| word.contains("://")) {
        let Some((_, path)) = url.split_once(":3333") else {
            continue;
        };
        let status = daemon.get(path).status;
        assert!(status == 200 || status == 503, "{file}: {shown}: {status}");
    }
}

#[test]
fn the_file_of_heartbeat_that_is_shown_has_no_fault() {
    let spool = Spool::new();
    let lines = section::lines("docs/migrating.md", "heartbeat's file");
    let block = lines.iter().skip_while(|l| *l != "```ini").skip(1);
    let text: Vec<&str> = block
        .take_while(|l| *l != "```")
        .map(String::as_str)
        .collect();
    let file = spool.outside().join("heartbeat.conf");
    fs::write(&file, text.join("\n")).unwrap();
    let mut heartbeat = command("heartbeat");
    heartbeat.arg("-c").arg(&file).current_dir(spool.outside());
    let ran: Ran = heartbeat.output().unwrap().into();
    // Nothing listens there; a fault of the file would be named with its path.
    ran.code_is(1);
    assert!(!ran.err.contains("heartbeat.conf"), "{ran:?}");
}
