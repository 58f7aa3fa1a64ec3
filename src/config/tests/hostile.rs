//! Files that are no settings, that would show a secret, or that would harm.

use super::super::*;
use super::{bad, warned};

#[test]
fn secrets_are_never_shown() {
    let secret = "hunter2";
    for text in [
        format!("mysql_password: [{secret}]"),
        format!("mysql_password: {{{secret}: 1}}"),
        format!("mysql_password: {{{secret}: 1, {secret}: 2}}"),
        format!("mysql_password: !!int {secret}"),
        format!("mysql_password: !{secret} x"),
        format!("mysql_password: *{secret}"),
        format!("mysql_password: {secret}: x"),
        format!("mysql_password: \"{secret}"),
        secret.to_owned(),
    ] {
        let said = bad(&text);
        assert!(!said.contains(secret), "{text:?}: {said}");
    }
    let text = format!(
        "mysql_username: u\nmysql_password: {secret}\nmysql_password: 010{secret}${{\nmysql_pasword: {secret}"
    );
    let loaded = parse(text.as_bytes(), "f");
    assert_eq!(loaded.as_ref().unwrap().warnings.len(), 3);
    let shown = format!("{loaded:?}{}", effective(&loaded.as_ref().unwrap().config));
    assert!(!shown.contains(secret), "{shown}");
}

#[test]
fn the_userinfo_of_a_url_is_refused_and_never_shown() {
    let url = "http://guest:hunter2@localhost:15672/api/health";
    let group = |check: &str| format!("groups: {{queue: {{checks: [\"{check}\"]}}}}");
    assert_eq!(
        bad(&group(url)),
        "f:1: groups.queue.checks: 'http://***@localhost:15672/api/health' has a user name or a password in it; \
         take out all up to the '@': credentials have settings of their own"
    );
    for text in [
        group("http://guest:hunter2/@localhost"),
        group("htpp://guest:hunter2@localhost"),
        group("redis:guest:hunter2@localhost"),
        group("exec://guest:hunter2@localhost"),
        format!("groups: {{queue: {{checks: {{\"{url}\": 1}}}}}}"),
        format!("groups: {{queue: {{checks: [tcp://a:1], \"{url}\": 1, \"{url}\": 2}}}}"),
        format!("groups: {{\"{url}\": {{checks: [x]}}}}"),
        format!("cache_time: \"{url}\""),
        format!("cache_time: x\n\"{url}\": 1"),
    ] {
        let said = match parse(text.as_bytes(), "f") {
            Ok(loaded) => format!("{:?}", loaded.warnings),
            Err(faults) => faults.to_string(),
        };
        assert!(
            !said.contains("hunter2") && !said.is_empty(),
            "{text:?}: {said}"
        );
    }
}

#[test]
fn files_that_are_not_settings_are_refused_in_one_line() {
    for (text, said) in [
        (
            "- a\n- b\n",
            "f:1: the file holds a list, not settings; write lines such as 'cache_time: 10'",
        ),
        (
            "hello",
            "f:1: the file holds a single word or text, not settings; write lines such as 'cache_time: 10'",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "f: the file holds several YAML documents; keep one, and remove the '---' between them",
        ),
        (
            "[a]: 1",
            "f:1: a list or map stands where a key is needed; write a word before the colon",
        ),
    ] {
        assert_eq!(bad(text), said);
    }
    assert!(bad("a:\n\t- b\n").contains("indent with spaces, not tabs"));
}

#[test]
fn aliases_cannot_fill_the_memory() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for i in 1..9 {
        let last = vec![format!("*a{}", i - 1); 10].join(",");
        bomb += &format!("a{i}: &a{i} [{last}]\n");
    }
    bad(&bomb);
    bad(&format!(
        "a: &a [{}]\nb: [{}]\n",
        vec!["x"; 20_000].join(","),
        vec!["*a"; 20_000].join(",")
    ));
    bad(&format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(300_000),
        vec!["*a"; 100].join(",")
    ));
    assert!(bad(&format!("a: {}{}", "[".repeat(100), "]".repeat(100))).contains("64 levels"));
    assert!(bad("a: &a [*a]").contains("levels"));
    assert_eq!(
        bad(&format!("a: {}", "[".repeat(1 << 19))),
        "f:1:260: 257 brackets are open here; close them"
    );
    assert!(bad(&"- ".repeat(1 << 15)).contains("64 levels"));
    bad(&format!("a: [{}]", "[{? a: b},".repeat(1 << 12)));
    let faults = bad(&format!("check_hosts: [{}]", "x,\n".repeat(1 << 15)));
    assert_eq!(faults.lines().count(), 11);
    // Each line of a message is a walk through the file.
    assert_eq!(warned(&"a:\n".repeat(1 << 15)).len(), 10);
}

/// Random bytes, and good files with random changes, from a fixed seed (xorshift64).
#[test]
fn no_input_makes_the_parser_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let alphabet = b"aA0-:,[]{}&*!|>'\"%@`#?~.\\ \t\r\n\x00\xff\xc3\xa9\xef\xbb\xbf<=_+";
    let seeds = [
        effective(&Config::default()),
        "{\"a\": &x [1, 'b', \"\\u0041\"], <<: *x, ? y : |\n  z\n}".into(),
        "check_hosts:\n- &p private\n- *p\nmysql_password: !!str 007\n<<: {max_clients: 0}\n"
            .into(),
    ];
    for round in 0..4000 {
        let mut text = if round % 2 == 0 {
            seeds[random(seeds.len())].clone().into_bytes()
        } else {
            Vec::new()
        };
        for _ in 0..random(if round % 2 == 0 { 12 } else { 60 }) {
            let at = random(text.len() + 1);
            match random(4) {
                0 if at < text.len() => drop(text.remove(at)),
                1 => text.insert(at, u8::try_from(random(256)).unwrap()),
                _ => text.insert(at, alphabet[random(alphabet.len())]),
            }
        }
        match parse(&text, "f") {
            Ok(loaded) => drop(effective(&loaded.config)),
            Err(faults) => {
                let said = faults.to_string();
                assert!(
                    !said.is_empty() && !said.contains("\n\n"),
                    "{:?}: {said}",
                    String::from_utf8_lossy(&text)
                );
                assert!(
                    said.lines().all(|l| l.starts_with("f:")),
                    "{:?}: {said}",
                    String::from_utf8_lossy(&text)
                );
            }
        }
    }
}
