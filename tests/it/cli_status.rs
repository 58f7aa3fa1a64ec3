//! `hastatus` and `hashowdowned`.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use hacheck::os::users::user_name;

use crate::support::terminal::Terminal;
use crate::support::{BINARY, PATIENCE, Ran, Spool, wait_until};

#[test]
fn status_prints_a_line_for_each_service_and_exits_1_when_one_is_down() {
    let spool = Spool::new();
    spool.put(
        "web",
        r#"{"reason": "why", "creation": 1.0, "expiration": 4e9}"#,
    );
    spool.put("mail", "plain");
    spool.put("empty", "");
    let expected =
        "DOWN\t4000000000.000000\tweb\twhy\nUP\tapi\nDOWN\tinf\tmail\tplain\nDOWN\tinf\tempty\t\n";
    let ran = spool.run("hastatus", &["web", "api", "mail", "empty"]);
    ran.is_with(
        1,
        expected,
        "hastatus: note: the downtime of 'web' ends at 2096-10-02 07:06:40 +00:00\n",
    );
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    spool
        .run("hastatus", &["api", "db"])
        .is(0, "UP\tapi\nUP\tdb\n");
}

#[test]
fn instances_are_shown_with_host_and_port_when_down() {
    let spool = Spool::new();
    for name in ["web:80", "web:10.1.2.3:80", "web:::1:80"] {
        spool.put(name, "r");
    }
    spool
        .run("hastatus", &["-P", "80", "web"])
        .is(1, "DOWN\tinf\tweb::80\tr\n");
    spool
        .run("hastatus", &["-P", "80", "-H", "10.1.2.3", "web"])
        .is(1, "DOWN\tinf\tweb:10.1.2.3:80\tr\n");
    spool
        .run("hastatus", &["-P", "80", "-H", "127.0.0.1", "web"])
        .is(1, "DOWN\tinf\tweb:127.0.0.1:80\tr\n");
    let both = "DOWN\tinf\tweb::80\tr\nDOWN\tinf\tweb:::1:80\tr\nUP\tweb:81\n";
    spool
        .run("hastatus", &["web:80", "web:::1:80", "web:81"])
        .is(1, both);
    // Where options name the port, an UP line leaves it out, as in Yelp hacheck.
    spool
        .run("hastatus", &["-P", "81", "web"])
        .is(0, "UP\tweb\n");
    spool
        .run("hastatus", &["web:10.0.0.9:80", "web:::2:80"])
        .is(0, "UP\tweb:10.0.0.9:80\nUP\tweb:::2:80\n");
}

#[test]
fn a_reason_stays_on_its_line() {
    let spool = Spool::new();
    spool.put("web", "a\tb\r\nc\u{2028}d\x1b[31m\n");
    spool
        .run("hastatus", &["web"])
        .is(1, "DOWN\tinf\tweb\ta b  c d [31m\n");
}

#[test]
fn an_expired_downtime_is_up() {
    let spool = Spool::new();
    spool.put("web", r#"{"reason": "r", "expiration": 1000}"#);
    spool.run("hastatus", &["web"]).is(0, "UP\tweb\n");
}

#[test]
fn a_wider_downtime_is_a_note_beside_an_up_line() {
    let spool = Spool::new();
    spool.put("all", "re\nboot");
    spool.run("hastatus", &["web"]).is_with(
        0,
        "UP\tweb\n",
        "note: 'all' is down, and with it everything on this host: re boot\n",
    );
    spool
        .run("hastatus", &["all"])
        .is(1, "DOWN\tinf\tall\tre boot\n");
    spool.put("web", "deploy");
    spool
        .run("hastatus", &["web"])
        .is(1, "DOWN\tinf\tweb\tdeploy\n");
    fs::remove_file(spool.path("all")).unwrap();
    let ran = spool.run("hastatus", &["web:80", "web:81"]);
    ran.is_with(
        0,
        "UP\tweb:80\nUP\tweb:81\n",
        "note: 'web' is down, and with it every instance of it: deploy\n",
    );
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
}

#[test]
fn status_never_says_up_for_what_it_cannot_read() {
    let spool = Spool::new();
    fs::create_dir(spool.path("web")).unwrap();
    spool
        .run("hastatus", &["web", "mail"])
        .is_with(1, "UP\tmail\n", "hastatus: cannot read");
    let spool = Spool::missing();
    fs::write(spool.root(), "a file").unwrap();
    spool
        .run("hastatus", &["web"])
        .is_with(1, "", "hastatus: cannot read");
}

#[test]
fn a_missing_root_is_up_with_a_note_and_is_not_made() {
    let spool = Spool::missing();
    spool
        .run("hastatus", &["web"])
        .is_with(0, "UP\tweb\n", "note: there is no spool folder");
    spool
        .run("hashowdowned", &[])
        .is_with(0, "", "note: there is no spool folder");
    assert!(!spool.root().exists());
}

#[test]
fn showdowned_lists_everything_sorted() {
    let spool = Spool::new();
    for (name, content) in [
        ("c", "rc"),
        ("a:80", "r1"),
        ("all", ""),
        ("b", r#"{"expiration": 4e9, "reason": "rb"}"#),
    ] {
        spool.put(name, content);
    }
    spool.put("gone", r#"{"expiration": 1}"#);
    let expected = "DOWN\tinf\ta::80\tr1\nDOWN\tinf\tall\t\nDOWN\t4000000000.000000\tb\trb\nDOWN\tinf\tc\trc\n";
    spool.run("hashowdowned", &[]).is(0, expected);
    spool
        .run("hashowdowned", &["web"])
        .is_with(2, "", "usage: hashowdowned");
}

#[test]
fn showdowned_tells_odd_entries_and_lists_the_others() {
    let spool = Spool::new();
    spool.put("foo:bar", "x");
    spool.put("web", "x");
    spool.put("~hacheck", "half");
    fs::create_dir(spool.path("sub")).unwrap();
    let ran = spool.run("hashowdowned", &[]);
    ran.is_with(0, "DOWN\tinf\tweb\tx\n", "note: \"foo:bar\" in");
    assert!(
        ran.err.contains("\"sub\"") && !ran.err.contains('~'),
        "{}",
        ran.err
    );
}

#[test]
fn showdowned_fails_when_it_cannot_list() {
    let spool = Spool::missing();
    fs::write(spool.root(), "a file").unwrap();
    spool
        .run("hashowdowned", &[])
        .is_with(1, "", "hashowdowned: cannot list");
}

#[test]
fn the_original_format_has_no_expiration() {
    let spool = Spool::new();
    spool.put("web", r#"{"reason": "why", "expiration": 4e9}"#);
    let ran = spool.run("hastatus", &["-o", "uber", "web", "api"]);
    ran.is_with(1, "DOWN\tweb\twhy\nUP\tapi\n", "ends at 2096-10-02");
    spool
        .run("hashowdowned", &["--output=uber"])
        .is(0, "DOWN\tweb\twhy\n");
    spool
        .run("hastatus", &["-o", "xml", "web"])
        .is_with(2, "", "give tsv, uber, json or table");
}

#[test]
fn json_tells_everything() {
    let spool = Spool::new();
    spool.put(
        "web:10.1.2.3:80",
        r#"{"reason": "a\nb", "creation": 1.5, "expiration": 4e9}"#,
    );
    spool.put("web", "");
    let ran = spool.run("hastatus", &["-ojson", "web:10.1.2.3:80", "web", "api"]);
    // Nothing in these files says who wrote them.
    let owner = user_name(nix::unistd::geteuid().as_raw());
    let expected = serde_json::json!([
        {"service": "web", "host": "10.1.2.3", "port": 80, "state": "down", "reason": "a\nb", "creation": 1.5,
         "expiration": 4e9, "owner": owner},
        {"service": "web", "host": null, "port": null, "state": "down", "reason": null, "creation": null,
         "expiration": null, "owner": owner},
        {"service": "api", "host": null, "port": null, "state": "up", "reason": null, "creation": null,
         "expiration": null},
    ]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&ran.out).unwrap(),
        expected
    );
    let listed = spool.run("hashowdowned", &["-o", "json"]).out;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["owner"], serde_json::json!(owner));
    fs::remove_dir_all(spool.root()).unwrap();
    fs::create_dir(spool.root()).unwrap();
    spool.run("hashowdowned", &["-o", "json"]).is(0, "[]\n");
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let spool = Spool::new();
    spool.put("web", "x".repeat(1 << 19));
    for (name, args, code) in [
        ("hashowdowned", &[][..], 0),
        ("hastatus", &["web"], 1),
        ("hastatus", &["--help"], 0),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = spool
            .command(name, args)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        Ran::from(output).is(code, "");
    }
    let closed = "exec \"$0\" downed --spool-root \"$1\" >&-";
    let output = Command::new("sh")
        .args(["-c", closed, BINARY])
        .arg(spool.root())
        .output()
        .unwrap();
    Ran::from(output).is(0, "");
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let spool = Spool::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = spool
        .command("hastatus", &["web"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    Ran::from(output).is_with(1, "", "cannot write to standard output");
}

#[test]
fn a_closed_standard_error_breaks_nothing() {
    let spool = Spool::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = spool
        .command("hastatus", &["--nonsense"])
        .stderr(writer)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// Texts that clear a screen, begin another line, and turn the direction of writing.
const STEERING: &str = "a\u{1b}[2Jb\u{9b}1mc\u{202e}d\u{2066}e\rf";

#[track_caller]
fn steers_no_terminal(ran: &Ran) {
    let steers = |c: char| {
        let turns = matches!(c, '\u{202e}' | '\u{2066}');
        turns || (c.is_control() && !matches!(c, '\t' | '\n'))
    };
    assert!(!ran.out.contains(steers), "{ran:?}");
    assert!(!ran.err.contains(steers), "{ran:?}");
}

#[test]
fn no_text_of_others_steers_a_terminal() {
    let spool = Spool::new();
    let entry = serde_json::json!({"reason": STEERING, "by": STEERING, "expiration": 4e9});
    let service = "web\u{202e}bew";
    spool.put(service, entry.to_string());
    spool.put("mail\u{1b}[2J\u{202e}", "x");
    for (name, args) in [
        ("hastatus", vec![service]),
        ("hastatus", vec!["-o", "json", service]),
        ("hastatus", vec!["-o", "uber", service]),
        ("hastatus", vec!["-P", "80", service]),
        ("hastatus", vec!["no\u{202e}/such"]),
        ("hashowdowned", vec![]),
        ("hashowdowned", vec!["-o", "json"]),
        ("hadown", vec!["-r", "other", "--if-up", service]),
        ("hadown", vec!["-r", "other", service]),
    ] {
        let ran = spool.run(name, &args);
        steers_no_terminal(&ran);
    }
    spool.put(service, entry.to_string());
    let ran = spool.run("hastatus", &["-o", "json", service]);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json[0]["reason"], STEERING, "the same JSON");
    let ran = spool.run("hastatus", &[service]);
    let shown = "web\\u202ebew\ta [2Jb 1mc\\u202ed\\u2066e f\n";
    assert!(ran.out.ends_with(shown), "{ran:?}");
}

#[test]
fn people_on_a_terminal_see_who_took_down_what_until_when_and_pipes_get_lines() {
    let spool = Spool::new();
    let end = r#""creation": 1.0, "expiration": 4e9"#;
    let text = format!(r#"{{"reason": "new\ndisk", "by": "alice", "soft": true, {end}}}"#);
    spool.put("web:8080", text);
    let root = spool.root();
    let root = root.to_str().unwrap();
    let args = ["downed", "--spool-root", root];
    let mut terminal = Terminal::run(&args);
    assert_eq!(terminal.ended(), Some(0));
    let says = "DOWN   web:8080  1970-01-01 00:00  2096-10-02 07:06  alice  soft     new disk";
    wait_until(PATIENCE, "the table", || terminal.output().contains(says));
    let heads = "STATE  SERVICE   SINCE             UNTIL             BY     TOLD AS  REASON";
    assert!(terminal.output().contains(heads), "{}", terminal.output());
    let lines = "DOWN\t4000000000.000000\tweb::8080\tnew disk\n";
    spool.run("hashowdowned", &[]).is(0, lines);
    let json = spool.run("hashowdowned", &["-o", "json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json[0]["by"], &json[0]["mark"]),
        (&"alice".into(), &"soft".into())
    );
    std::fs::remove_file(spool.path("web:8080")).unwrap();
    let empty = spool.run("hashowdowned", &["-o", "table"]);
    empty.is_with(0, "", "note: nothing is down");
}
