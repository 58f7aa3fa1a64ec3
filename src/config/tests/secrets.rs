//! Secrets that do not stand in the file.

use super::{good, warned};
use crate::config::{Config, parse, settings};
use crate::probe::Header;
use crate::settings::Secret;

fn password(config: &Config) -> Option<&str> {
    config.probe.mysql_password.as_ref().map(Secret::reveal)
}

#[test]
fn a_file_gives_a_secret_exactly_but_for_its_final_line_break() {
    let folder = std::env::temp_dir().join(format!("hacheck-secrets-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("secret");
    for (content, secret) in [
        ("s3cret\n", "s3cret"),
        (" a ${HOME}\r\n", " a ${HOME}"),
        ("a\n\n", "a\n"),
        ("007", "007"),
    ] {
        std::fs::write(&file, content).unwrap();
        let config = good(&format!(
            "mysql_username: u\nmysql_password_file: {}\n",
            file.display()
        ));
        assert_eq!(password(&config), Some(secret), "{content:?}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn variables_are_taken_from_the_environment_in_secrets_and_user_names() {
    let home = std::env::var("HOME").unwrap();
    let config =
        good("mysql_username: \"u${HOME}\"\nmysql_password: 'a${HOME}b$${HOME}$c${HOME}'\n");
    assert_eq!(config.probe.mysql_username, Some(format!("u{home}")));
    assert_eq!(
        password(&config),
        Some(format!("a{home}b${{HOME}}$c{home}").as_str())
    );
    assert_eq!(
        good("service_name_header: X-Service\n")
            .probe
            .service_name_header,
        Header::parse("X-Service")
    );
}

#[test]
fn what_only_looks_like_a_variable_stays_as_it_is_with_a_warning() {
    for written in [
        "a${", "${", "${}", "a${b-c}", "${A", "${A B}", "$${", "x${${}",
    ] {
        let text = format!("mysql_username: u\nmysql_password: '{written}'\n");
        let loaded = parse(text.as_bytes(), "f").unwrap();
        let expected = written.replace("$${", "${");
        assert_eq!(password(&loaded.config), Some(expected.as_str()));
        let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        let is_told = warnings.iter().any(|w| w.contains("is taken as it stands"));
        assert_eq!(is_told, written != "$${", "{warnings:?}");
    }
}

#[test]
fn every_secret_is_kept_from_programs_that_checks_run() {
    let secrets: Vec<_> = settings().iter().filter(|s| s.secret).collect();
    assert!(!secrets.is_empty());
    for setting in secrets {
        let text = format!("{}: hunter2\n", setting.name);
        let config = parse(text.as_bytes(), "f").unwrap().config;
        assert_eq!(config.probe.secrets(), ["hunter2"], "{}", setting.name);
    }
}

#[test]
fn a_secret_without_a_user_name_is_odd_wherever_it_stands() {
    let warnings = warned("mysql_password_file: /etc/hostname\n");
    assert!(
        warnings[0].contains("there is no mysql_username beside it"),
        "{warnings:?}"
    );
}
