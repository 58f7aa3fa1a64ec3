//! The completion in a real bash, fish and zsh.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use hacheck::cli::APPLETS;

use crate::support::daemon::Daemon;
use crate::support::process::find;
use crate::support::root::succeed;
use crate::support::tmux::Tmux;
use crate::support::{BINARY, Spool, TempDir};

/// What bash would offer for a line, sorted. `@` stands for the names' folder, `%` for the spool.
fn offers(spool: &Spool, line: &str) -> Vec<String> {
    let folder = TempDir::new();
    for name in ["hacheck"]
        .into_iter()
        .chain(APPLETS.iter().filter_map(|a| a.alias))
    {
        symlink(BINARY, folder.path().join(name)).unwrap();
    }
    let line = line.replace('%', spool.root().to_str().unwrap());
    // What readline does: it sets the line and the cursor, calls the function that `complete` registered for the
    // command, and takes COMPREPLY.
    let script = "source packaging/bash-completion/hacheck
        COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9
        read -ra COMP_WORDS <<<\"$1\"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        spec=$(complete -p \"${COMP_WORDS[0]}\") || exit 3
        [[ $spec =~ -F\\ ([^ ]+) ]] || exit 4
        \"${BASH_REMATCH[1]}\" \"${COMP_WORDS[0]}\" \"${COMP_WORDS[COMP_CWORD]}\" ''
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let path = format!(
        "{}:{}",
        folder.path().display(),
        std::env::var("PATH").unwrap()
    );
    let mut bash = Command::new("bash");
    let out = succeed(
        bash.args(["--norc", "--noprofile", "-c", script, "bash", &line])
            .env("PATH", path),
    );
    let mut offers: Vec<String> = out
        .lines()
        .filter(|l| !l.is_empty())
        .map(str::to_owned)
        .collect();
    offers.sort();
    offers
}

#[test]
fn every_name_completes_its_own_options() {
    let spool = Spool::new();
    for applet in APPLETS {
        let call = applet.alias.map_or_else(
            || format!("hacheck {} ", applet.name),
            |alias| format!("{alias} "),
        );
        let offered = offers(&spool, &format!("{call}--"));
        for flag in applet.options() {
            assert!(
                offered.iter().any(|o| o == flag.long),
                "{call}: {} is not in {offered:?}",
                flag.long
            );
        }
    }
}

#[test]
fn hacheck_completes_its_subcommands() {
    let spool = Spool::new();
    let all = offers(&spool, "hacheck ");
    assert!(
        APPLETS.iter().all(|a| all.contains(&a.name.to_owned())),
        "{all:?}"
    );
    assert_eq!(offers(&spool, "hacheck do"), ["down", "downed"]);
}

#[test]
fn services_come_from_the_daemon_and_from_the_spool() {
    let daemon = Daemon::start();
    daemon.get("/spool/web/80").is(200, "");
    daemon.get("/spool/mail/25").is(200, "");
    let (spool, port) = (&daemon.spool, daemon.address.port());
    spool.put("web:8080", "");
    spool.put("disk", "");
    let line = |name: &str| format!("{name} --spool-root % -p {port} ");
    for name in ["hadown", "hastatus", "hacheck status"] {
        assert_eq!(
            offers(spool, &line(name)),
            ["all", "disk", "mail", "web", "web:8080"],
            "{name}"
        );
    }
    assert_eq!(
        offers(spool, &format!("{}web:80", line("hadown"))),
        ["8080"],
        "behind the colon that readline keeps"
    );
    assert_eq!(
        offers(spool, &line("haup")),
        ["disk", "web:8080"],
        "what is down"
    );
    assert_eq!(offers(spool, &format!("{}ma", line("hadown"))), ["mail"]);
    assert_eq!(offers(spool, "haup --spool-root=% d"), ["disk"]);
}

#[test]
fn values_of_options_complete() {
    let spool = Spool::new();
    fs::create_dir(spool.path("folder")).unwrap();
    assert_eq!(
        offers(&spool, "hastatus -o "),
        ["json", "table", "tsv", "uber"]
    );
    assert_eq!(offers(&spool, "hacheck top -o "), ["json", "text"]);
    let fleet = offers(&spool, "hacheck fleet hosts -o ");
    assert_eq!(fleet, ["json", "table", "tsv"]);
    assert_eq!(
        offers(&spool, "haup --action st"),
        ["status", "status_downed"]
    );
    assert_eq!(
        offers(&spool, "haup --spool-root %/f"),
        [spool.path("folder").to_str().unwrap()]
    );
    assert!(offers(&spool, "hacheck probe t").contains(&"tcp".to_owned()));
    assert_eq!(
        offers(&spool, "hadown -r "),
        Vec::<String>::new(),
        "a reason is nobody's guess"
    );
}

#[test]
fn values_behind_the_sign_and_commands_behind_the_dashes_complete() {
    let spool = Spool::new();
    let all = ["json", "table", "tsv", "uber"];
    assert_eq!(offers(&spool, "hastatus --output="), all);
    assert_eq!(offers(&spool, "hashowdowned --output=j"), ["json"]);
    assert_eq!(offers(&spool, "hadown --wait="), ["drained", "seen"]);
    assert_eq!(offers(&spool, "haup --wait="), ["seen"]);
    assert!(offers(&spool, "hadown --reason=").is_empty());
    let commands = offers(&spool, "haroll web -- has");
    assert!(commands.contains(&"hastatus".to_owned()), "{commands:?}");
    std::fs::write(spool.path("unit"), "").unwrap();
    let path = spool.path("unit");
    let restart = "haroll web -- systemctl restart %/un";
    assert_eq!(offers(&spool, restart), [path.to_str().unwrap()]);
}

/// What fish would offer for a line, without its descriptions. `%` stands for the spool.
fn fish_offers(spool: &Spool, line: &str) -> Vec<String> {
    let fish = find("fish").expect("fish is missing: apt-get install fish");
    let folder = TempDir::new();
    symlink(BINARY, folder.path().join("hacheck")).unwrap();
    let line = line.replace('%', spool.root().to_str().unwrap());
    let script = "source packaging/fish-completion/hacheck.fish; complete -C $argv[1]";
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(fish);
    command.args(["--no-config", "-c", script, &line]);
    command.env("PATH", format!("{}:{path}", folder.path().display()));
    let out = succeed(command.env("HOME", folder.path()));
    let mut words: Vec<String> = out
        .lines()
        .filter_map(|line| line.split('\t').next().map(str::to_owned))
        .collect();
    words.sort();
    words
}

#[test]
fn fish_offers_options_values_services_and_commands() {
    let daemon = Daemon::start();
    daemon.get("/spool/mail/25").is(200, "");
    let (spool, port) = (&daemon.spool, daemon.address.port());
    spool.put("web:8080", "");
    spool.put("disk", "");
    let line = |name: &str| format!("{name} --spool-root % -p {port} ");
    for name in ["hadown", "hacheck status"] {
        let offered = fish_offers(spool, &line(name));
        assert_eq!(offered, ["all", "disk", "mail", "web:8080"], "{name}");
    }
    assert_eq!(
        fish_offers(spool, "haup --spool-root=% "),
        ["disk", "web:8080"]
    );
    assert_eq!(fish_offers(spool, "hacheck do"), ["down", "downed"]);
    assert_eq!(fish_offers(spool, "hadown --so"), ["--soft"]);
    assert_eq!(fish_offers(spool, "hacheck top -o "), ["json", "text"]);
    let wait = fish_offers(spool, "hadown --wait=");
    assert_eq!(wait, ["--wait=drained", "--wait=seen"]);
    let commands = fish_offers(spool, "haroll web -- hache");
    assert_eq!(commands, ["hacheck"]);
    assert_eq!(
        fish_offers(spool, "haroll web -- cat Cargo.l"),
        ["Cargo.lock"]
    );
    for applet in APPLETS {
        let offered = fish_offers(spool, &format!("hacheck {} --", applet.name));
        for flag in applet.options() {
            let is_offered = offered.iter().any(|word| word == flag.long);
            assert!(
                is_offered,
                "{}: {} is not in {offered:?}",
                applet.name, flag.long
            );
        }
    }
}

#[test]
fn zsh_offers_options_values_services_and_commands() {
    assert!(find("zsh").is_some(), "zsh is missing: apt-get install zsh");
    let daemon = Daemon::start();
    daemon.get("/spool/mail/25").is(200, "");
    daemon.spool.put("web:8080", "");
    let tmux = Tmux::start(100, 30, &daemon);
    let folder = std::env::current_dir().unwrap();
    tmux.type_line(&format!("cd {} && exec zsh -f", folder.display()));
    let load = "fpath=(packaging/zsh-completion $fpath); autoload -U compinit; compinit -D -u; clear; echo load''ed";
    tmux.type_line(load);
    tmux.wait_for("loaded");
    for (line, shown) in [
        ("hadown --so", "hadown --soft"),
        ("hadown ma", "hadown mail"),
        ("haup we", "haup web:8080"),
        ("hacheck probe tc", "hacheck probe tcp"),
        ("hastatus -o ", "tsv    uber"),
        ("hadown --wait=", "drained  seen"),
        ("hacheck top -o ", "json  text"),
        ("hacheck do", "downed  -- list all downtimes in force"),
        ("haroll web -- hashow", "haroll web -- hashowdowned"),
        ("haroll web -- cat Cargo.l", "haroll web -- cat Cargo.lock"),
        ("hadown --fo", "--force  -- with --wait: even if"),
    ] {
        tmux.type_text(line);
        tmux.press("Tab");
        // The first one added what all have in common, the second shows them.
        if shown.contains(" -- ") && !shown.starts_with(line) {
            tmux.press("Tab");
        }
        tmux.wait_for(shown);
        // Not Ctrl-C, which may come while zsh still looks for more.
        tmux.press("C-u");
        tmux.press("Enter");
        tmux.wait_for_prompt();
    }
}
