//! What `fleet.yml` takes, and what it says of mistakes.

use super::*;

const SMALLEST: &str = "fleet: shop\nendpoints: [https://etcd1:2379]\n";

fn good(text: &str) -> FleetSettings {
    let (settings, warnings) = parse(text.as_bytes(), "f").unwrap_or_else(|e| panic!("{e}"));
    assert!(warnings.is_empty(), "{text}: {warnings:?}");
    settings
}

fn faults(text: &str) -> String {
    parse(text.as_bytes(), "f").unwrap_err().to_string()
}

fn warnings(text: &str) -> Vec<String> {
    let (_, warnings) = parse(text.as_bytes(), "f").unwrap_or_else(|e| panic!("{e}"));
    warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_fleet_and_an_endpoint_are_enough() {
    let settings = good(SMALLEST);
    assert_eq!(settings.paths().root(), "/hacheck/v1/shop");
    assert_eq!(settings.endpoints[0].to_string(), "https://etcd1:2379");
    assert_eq!(settings.lease, Duration::from_secs(60));
    assert_eq!(settings.via.words().last().unwrap(), "{host}");
    assert_eq!(settings.boot_wait, Duration::ZERO);
    assert!(
        is_host_name(&settings.host_name()),
        "{}",
        settings.host_name()
    );
}

#[test]
fn every_setting_is_read_and_shown_as_it_is_read() {
    let text = "fleet: shop\nendpoints: [http://127.0.0.1:12379, 'https://[::1]', https://etcd3:2380/]\nprefix: /x/y\nca_file: /a\n\
        cert_file: /b\nkey_file: /c\nops_cert_file: /d\nops_key_file: /e\nusername: u\npassword_file: /p\nhost: web01\n\
        tags: {zone: a, cluster: blue}\nservices: [web, api]\nstate_dir: /var/tmp/f\nlease: 6\ntimeout: 0.5\nreconcile: 15\n\
        boot_wait: 20\nvia: pdsh -w {host}\n";
    let settings = good(text);
    let shown = settings.effective();
    assert_eq!(good(&shown), settings, "{shown}");
    for setting in FleetSettings::table() {
        let line = format!("{}: ", setting.name);
        assert!(text.contains(&line), "{} is not tried", setting.name);
        assert_ne!(
            setting.show(&settings),
            setting.show(&FleetSettings::default())
        );
        assert!(setting.doc.ends_with('.'), "{}", setting.name);
    }
    assert_eq!(settings.endpoints[1].to_string(), "https://[::1]:2379");
    assert_eq!(settings.tags["zone"], "a");
}

#[test]
fn all_faults_are_told_at_once_each_with_line_and_remedy() {
    let text = "fleet: 'a/b'\nendpoints:\n  - etcd1:2379\n  - https://etcd1:0\n  - https://u:secret@etcd1\nprefix: hacheck/\nhost: -web\n\
        tags:\n  host: web01\n  'a b': c\n  zone: ''\nservices: ['../x']\nlease: 0\nvia: ssh host\n";
    assert_eq!(
        faults(text),
        "f:1: fleet: 'a/b' is not a name for a fleet; use up to 64 letters, digits, '.', '_' and '-', a letter or digit first\n\
         f:3: endpoints: 'etcd1:2379' is not an endpoint of etcd; write one such as https://etcd1:2379\n\
         f:4: endpoints: 'https://etcd1:0' is not an endpoint of etcd; write one such as https://etcd1:2379\n\
         f:5: endpoints: 'https://***@etcd1' is not an endpoint of etcd; write one such as https://etcd1:2379\n\
         f:6: prefix: 'hacheck/' is not a prefix of keys; write one such as /hacheck/v1, without a slash at the end\n\
         f:7: host: '-web' is not the name of a host; use letters, digits, '.' and '-', a letter or digit first\n\
         f:9: tags.host: 'host' is a tag that every host has; set host: instead\n\
         f:10: tags.a b: 'a b' is not a name for a tag; use letters, digits, '.', '_' and '-'\n\
         f:11: tags.zone: '' is not a value of a tag; write one text of up to 64 characters\n\
         f:12: services: '../x' is not the name of a service; use letters, digits, '.', '_' and '-'\n\
         f:13: lease: '0' is out of range; write a number of seconds from 2 to 3600\n\
         f:14: via: 'via' names no host; write {host} where its name belongs"
    );
}

#[test]
fn what_is_required_is_missed_in_an_empty_file_too() {
    let both = "f:1: fleet: is missing; write 'fleet: shop'\n\
                f:1: endpoints: is missing; write 'endpoints: [https://etcd1:2379]'";
    for empty in ["", "{}", "fleet:\nendpoints: ~\n"] {
        assert_eq!(faults(empty), both, "{empty:?}");
    }
    let none = faults("fleet: a\nendpoints: []");
    assert!(none.contains("'endpoints' has no endpoint"), "{none}");
    let list = faults("- a");
    assert!(
        list.contains("the file holds a list, not settings"),
        "{list}"
    );
}

#[test]
fn settings_that_belong_together_are_missed_when_one_stands_alone() {
    for (one, other) in [
        ("cert_file", "key_file"),
        ("key_file", "cert_file"),
        ("ops_cert_file", "ops_key_file"),
        ("ops_key_file", "ops_cert_file"),
        ("username", "password_file"),
        ("password_file", "username"),
    ] {
        let text = format!("{SMALLEST}{one}: /x\n");
        let expected = format!("f:3: {one}: '{one}' has no {other} beside it; set both");
        assert_eq!(faults(&text), expected);
    }
}

#[test]
fn clear_text_is_fine_on_this_host_only() {
    for here in [
        "127.0.0.1:2379",
        "127.0.0.2",
        "localhost:2379",
        "[::1]:2379",
    ] {
        good(&format!("fleet: a\nendpoints: ['http://{here}']\n"));
    }
    for afar in ["etcd1:2379", "10.0.0.1:2379", "[2001:db8::1]:2379"] {
        let said = warnings(&format!(
            "fleet: a\nendpoints: ['http://{afar}', 'https://b']\n"
        ));
        assert!(
            said.len() == 1 && said[0].contains("in clear text"),
            "{said:?}"
        );
    }
    let said = warnings("fleet: a\nendpoints: [http://127.0.0.1]\nca_file: /a\n");
    assert!(
        said[0].contains("no endpoint begins with https://"),
        "{said:?}"
    );
}

#[test]
fn unknown_keys_are_warned_of_and_a_password_has_no_place_here() {
    let said = warnings(&format!("{SMALLEST}tag: {{zone: a}}\npassword: hunter2\n"));
    assert!(said[0].contains("did you mean tags?"), "{said:?}");
    assert!(said[1].contains("name that with password_file"), "{said:?}");
    assert!(!said[1].contains("hunter2"), "{said:?}");
}

#[test]
fn a_file_that_cannot_be_read_names_the_option() {
    let said = load(Path::new("tests/data/none.yml"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        said,
        "tests/data/none.yml: there is no such file; check the path given with --fleet-file"
    );
}
