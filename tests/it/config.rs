//! A corpus of configuration files, one mistake each, with the exact message beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hacheck::config::{self, Config};

use crate::support::server::certificate;
use crate::support::{TempDir, run};

/// The corpus, relative to the folder that tests run in: messages name the file as it was given.
fn corpus(folder: &str, least: usize) -> Vec<PathBuf> {
    let folder = Path::new("tests/data/config").join(folder);
    let files = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files: BTreeSet<_> = files
        .filter(|p| p.extension().is_some_and(|e| e == "yml"))
        .collect();
    assert!(
        files.len() >= least,
        "only {} files in {}",
        files.len(),
        folder.display()
    );
    files.into_iter().collect()
}

fn beside(file: &Path, extension: &str) -> String {
    let file = file.with_extension(extension);
    fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

#[test]
fn every_bad_file_is_refused_with_its_exact_message() {
    let mut wrong = String::new();
    for file in corpus("bad", 40) {
        let ran = run("hacheck", &["config", "-c", file.to_str().unwrap()]);
        let expected = beside(&file, "err");
        if ran.code != Some(1) || ran.err.trim_end() != expected.trim_end() || !ran.out.is_empty() {
            wrong += &format!(
                "{}\n expected: {expected} got:      {}\n",
                file.display(),
                ran.err
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_good_file_gives_its_settings_and_warnings() {
    let mut wrong = String::new();
    for file in corpus("good", 5) {
        let loaded = config::load(&file).unwrap_or_else(|faults| panic!("{faults}"));
        let mut got: String = loaded.warnings.iter().map(|w| format!("{w}\n")).collect();
        let shown = config::effective(&loaded.config);
        got.extend(
            shown
                .lines()
                .filter(|l| l.contains("# default"))
                .map(|l| format!("{l}\n")),
        );
        let expected = beside(&file, "out");
        if got != expected {
            wrong += &format!("{}\n expected:\n{expected} got:\n{got}", file.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_sentence() {
    let said = |path: &str| config::load(Path::new(path)).unwrap_err().to_string();
    assert_eq!(
        said("tests/data/none.yml"),
        "tests/data/none.yml: there is no such file; check the path given with -c"
    );
    assert_eq!(
        said("tests/data"),
        "tests/data: this is a folder; name a file in it"
    );
    assert_eq!(
        said("Cargo.toml/x"),
        "Cargo.toml/x: a part of the path is not a folder; check the path given with -c"
    );
    assert_eq!(
        said("/dev/zero"),
        "/dev/zero: the file is larger than 1 MiB; is it a configuration?"
    );
    assert_eq!(
        config::load(Path::new("/dev/null")).unwrap().config,
        Config::default()
    );
}

#[test]
fn the_applet_shows_settings_and_keeps_secrets() {
    let folder = TempDir::new();
    let file = folder.path().join("h.yml");
    fs::write(
        &file,
        "mysql_password: hunter2\nmysql_username: me\nmax_client: 5\ncache_time: 3\n",
    )
    .unwrap();
    let ran = run("hacheck", &["config", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.out.contains("cache_time: 3  # default 10\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .contains("mysql_password: \"***\"  # default null\n"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"));
    assert!(
        ran.err.contains(":3: max_client: there is no such setting")
            && ran.err.contains("max_clients"),
        "{}",
        ran.err
    );
}

#[test]
fn wrong_arguments_are_usage_errors() {
    for args in [
        &["config"][..],
        &["config", "-c"],
        &["config", "-c", "a", "b"],
        &["config", "a", "b"],
    ] {
        assert_eq!(run("hacheck", args).code, Some(2), "{args:?}");
    }
}

#[test]
fn secrets_from_credentials_and_the_environment_are_read_and_not_shown() {
    let folder = TempDir::new();
    let file = folder.path().join("h.yml");
    fs::write(folder.path().join("mysql"), "hunter2\n").unwrap();
    fs::write(
        &file,
        "mysql_username: \"${WHO}\"\nmysql_password_file: mysql\n",
    )
    .unwrap();
    let mut command = crate::support::command("hacheck");
    command
        .arg("config")
        .arg(&file)
        .env("CREDENTIALS_DIRECTORY", folder.path())
        .env("WHO", "checker");
    let ran = crate::support::Ran::from(command.output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(
        ran.out.contains("mysql_username: checker ") && ran.out.contains("mysql_password: \"***\""),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("hunter2"));
}

#[test]
fn files_and_programs_that_are_named_and_cannot_be_used_are_warned_about_with_their_lines() {
    let folder = TempDir::new();
    let gone = folder.path().join("gone");
    let gone = gone.display();
    let file = folder.path().join("h.yml");
    let named = [
        format!("tls_ca_file: {gone}/ca.pem"),
        format!("remote_spool_tokens: [{gone}/token]"),
        format!("log_path: {gone}/hacheck.log"),
        format!("listen_unix: {gone}/hacheck.sock"),
        format!("exec: {{zk: [{gone}/zk.sh]}}"),
        format!("services: {{db: {{tls: {{ca_file: {gone}/db.pem}}}}}}"),
        format!(
            "groups: {{node: {{checks: [tcp://localhost:1], every: 5, on_up: [{gone}/up.sh]}}}}"
        ),
    ];
    fs::write(&file, named.join("\n") + "\ntls_verify: true\n").unwrap();
    let ran = run("hacheck", &["config", "-q", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let name = file.display();
    for (line, says) in [
        (
            1,
            format!("tls_ca_file: cannot read {gone}/ca.pem: no such file"),
        ),
        (
            2,
            format!("remote_spool_tokens: cannot read {gone}/token: no such file"),
        ),
        (
            3,
            format!("log_path: cannot write {gone}/hacheck.log: its folder: no such file"),
        ),
        (
            4,
            format!("listen_unix: cannot make {gone}/hacheck.sock: its folder: no such file"),
        ),
        (5, format!("exec: zk: there is no program {gone}/zk.sh ")),
        (
            6,
            format!("services: db: cannot read {gone}/db.pem: no such file"),
        ),
        (
            7,
            format!("groups: node: there is no program {gone}/up.sh "),
        ),
    ] {
        let whole = format!("warning: {name}:{line}: {says}");
        assert!(ran.err.contains(&whole), "{whole}\n is not in\n{}", ran.err);
    }
    // A daemon that starts finds out for itself, and once.
    assert!(
        !config::load(&file)
            .unwrap()
            .warnings
            .iter()
            .any(|w| w.text.starts_with("cannot"))
    );
}

/// Each line, and what is said of it.
#[test]
fn certificates_and_keys_that_do_not_fit_are_warned_about_with_their_lines() {
    let (one, other) = (TempDir::new(), TempDir::new());
    let ((cert, key), (_, other_key)) = (certificate(one.path()), certificate(other.path()));
    let [cert, key, other_key] = [cert, key, other_key].map(|path| path.display().to_string());
    let web = |tls: String| format!("services: {{web: {{tls: {{{tls}}}}}}}");
    let listener =
        |key: &str| format!("tls_key_file: {key}\ntls_cert_file: {cert}\nlisten_tls: [3443]");
    for (lines, says) in [
        (
            web(format!("cert_file: {cert}, key_file: {key}")),
            String::new(),
        ),
        (
            web(format!("cert_file: {cert}, key_file: {other_key}")),
            format!(
                "services: web: cannot use {cert} as a client's certificate: its key is not the one in {other_key};"
            ),
        ),
        (
            web(format!("cert_file: {cert}, key_file: {cert}")),
            format!("services: web: cannot use {cert} as a client's certificate: "),
        ),
        (
            web(format!("cert_file: {key}, key_file: {key}")),
            format!(
                "services: web: cannot use {key} as a client's certificate: there is no certificate in it;"
            ),
        ),
        (
            web(format!("cert_file: {cert}")),
            format!(
                "services: web: cannot use {cert} as a client's certificate: it has no key_file beside it;"
            ),
        ),
        (
            web(format!("cert_file: {cert}, key_file: /nowhere/k.pem")),
            "services: web: cannot read /nowhere/k.pem: no such file".to_owned(),
        ),
        (
            web(format!("verify: true, ca_file: {key}")),
            format!("services: web: cannot read certificates from {key}: there is none in it;"),
        ),
        (
            format!("tls_verify: true\ntls_ca_file: {key}"),
            format!("tls_verify: cannot read certificates from {key}: there is none in it;"),
        ),
        (listener(&key), String::new()),
        (
            listener(&other_key),
            format!("tls_key_file: cannot use {other_key}: keys may not be consistent"),
        ),
    ] {
        let file = one.file("h.yml");
        fs::write(&file, lines + "\n").unwrap();
        let ran = run("hacheck", &["config", "-q", file.to_str().unwrap()]);
        let warning = match says.as_str() {
            "" => String::new(),
            says => format!("warning: {}:1: {says}", file.display()),
        };
        ran.code_is(0);
        assert!(
            ran.err.contains(&warning),
            "{warning}\n is not in\n{}",
            ran.err
        );
        assert_eq!(ran.err.is_empty(), warning.is_empty(), "{}", ran.err);
    }
}

#[test]
fn warnings_stand_beside_faults() {
    let folder = TempDir::new();
    let file = folder.path().join("h.yml");
    fs::write(&file, "cache_tiem: 1\nmax_clients: many\n").unwrap();
    let ran = run("hacheck", &["config", file.to_str().unwrap()]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    let name = file.display();
    assert!(
        ran.err
            .contains(&format!("warning: {name}:1: cache_tiem: ")),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains(&format!("\n{name}:2: max_clients: ")),
        "{}",
        ran.err
    );
}

#[test]
fn the_file_of_the_fleet_is_checked_alone_and_with_the_configuration_that_names_it() {
    let folder = TempDir::new();
    let (file, fleet) = (folder.path().join("h.yml"), folder.path().join("fleet.yml"));
    let (file, fleet) = (file.to_str().unwrap(), fleet.to_str().unwrap());
    fs::write(file, format!("cache_time: 3\nfleet_file: {fleet}\n")).unwrap();
    fs::write(fleet, "fleet: shop\nendpoints: [http://127.0.0.1:2379]\n").unwrap();
    let alone = run("hacheck", &["config", "--fleet-file", fleet]);
    assert_eq!(
        (alone.code, alone.err.as_str()),
        (Some(0), ""),
        "{}",
        alone.out
    );
    assert!(
        alone.out.starts_with("fleet: shop  # default"),
        "{}",
        alone.out
    );
    let both = run("hacheck", &["config", "-c", file]);
    assert_eq!((both.code, both.err.as_str()), (Some(0), ""));
    assert!(both.out.contains("cache_time: 3") && !both.out.contains("endpoints"));

    fs::write(file, format!("cache_time: x\nfleet_file: {fleet}\n")).unwrap();
    fs::write(fleet, "fleet: shop\ntags: a\nzone: b\n").unwrap();
    let both = run("hacheck", &["config", "-c", file]);
    assert_eq!((both.code, both.out.as_str()), (Some(1), ""));
    for said in [
        format!("{file}:1: cache_time: 'x' is not a number"),
        format!("{fleet}:1: endpoints: is missing"),
        format!("{fleet}:2: tags: 'a' is not a map"),
        format!("warning: {fleet}:3: zone: there is no such setting"),
    ] {
        assert!(both.err.contains(&said), "{said}: {}", both.err);
    }
    let quiet = run(
        "hacheck",
        &["config", "-q", "--fleet-file", "/nowhere/fleet.yml"],
    );
    quiet.is_with(
        1,
        "",
        "/nowhere/fleet.yml: there is no such file; check the path given with --fleet-file",
    );
    for two in [
        &["-c", file, "--fleet-file", fleet][..],
        &[file, "--fleet-file", fleet],
    ] {
        let ran = run("hacheck", &[&["config"], two].concat());
        ran.is_with(2, "", "several files are named");
    }
    run("hacheck", &["config", "-s", "web", "--fleet-file", fleet]).is_with(2, "", "--service");
}
