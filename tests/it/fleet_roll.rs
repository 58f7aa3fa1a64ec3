//! `haroll --fleet` at a real etcd: its side alone. What `via` starts is a script, and the test plays the hosts: it ends
//! their commands, and writes what they say.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use hacheck::spool::Key;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::etcd::{Etcd, MEMBERS};
use crate::support::fleet::paths;
use crate::support::tmux::Tmux;
use crate::support::waiting::Waiting;
use crate::support::{
    PATIENCE, Ran, TempDir, command, run, until_there, wait_until, write_program,
};

/// What `via` starts: it tells the test what it was told, and waits for its end.
const SCRIPT: &str = concat!(
    r#"#!/bin/sh
dir=$(dirname "$0")
host=$1
echo "$host" >> "$dir/log"
printf '%s' "$2" > "$dir/$host.told"
echo "hello from $host"
echo "$host complains" >&2
touch "$dir/$host.began"
"#,
    until_there!(r#""$dir/$host.end""#),
    r#"
code=$(cat "$dir/$host.end")
rm -f "$dir/$host.end" "$dir/$host.began"
exit "$code"
"#
);

/// A fleet, its etcd, and the place from which it is rolled.
struct Stage {
    etcd: Etcd,
    folder: TempDir,
}

impl Stage {
    fn open(hosts: &[&str]) -> Self {
        Self::open_with(hosts, "")
    }

    /// `more` are further lines of the file of the fleet.
    fn open_with(hosts: &[&str], more: &str) -> Self {
        let stage = Self {
            etcd: Etcd::start(),
            folder: TempDir::new(),
        };
        let script = stage.file("via");
        write_program(&script, SCRIPT);
        let via = script.display();
        let text = format!("host: ops1\ntimeout: 2\nvia: [{via}, \"{{host}}\"]\n{more}");
        fs::write(stage.file("fleet.yml"), stage.etcd.fleet_yml(&text)).unwrap();
        for host in hosts {
            stage.host(host, "a");
        }
        stage
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.file(name)
    }

    fn haroll(&self, args: &[&str]) -> Command {
        let mut haroll = command("haroll");
        haroll.arg("--fleet").args(args);
        haroll.env("HACHECK_FLEET_FILE", self.file("fleet.yml"));
        haroll.env("SUDO_USER", "alice").process_group(0);
        haroll
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.haroll(args).output().unwrap().into()
    }

    /// A roll of `web`, at most so many down, that runs `true` on each host.
    fn begin(&self, max_down: &str, more: &[&str]) -> Waiting {
        let args = [&["--max-down", max_down], more, &["web", "--", "true"]].concat();
        Waiting::of(self.haroll(&args), self.file(&format!("out{}", more.len())))
    }

    fn resume(&self, id: &str) -> Waiting {
        Waiting::of(self.haroll(&["--resume", id]), self.file("resumed"))
    }

    fn put(&self, path: &str, value: &Value) {
        self.put_text(path, &value.to_string());
    }

    fn put_text(&self, path: &str, value: &str) {
        let path = format!("{}/{path}", paths().root());
        self.etcd.put(0, &path, value);
    }

    fn get(&self, path: &str) -> Option<Value> {
        let path = format!("{}/{path}", paths().root());
        serde_json::from_str(&self.etcd.value(0, &path)?).ok()
    }

    fn delete(&self, path: &str) {
        self.etcd
            .delete_under(0, &format!("{}/{path}/", paths().root()));
    }

    fn host(&self, name: &str, zone: &str) {
        let record = json!({"v": 1, "host": name, "tags": {"zone": zone}, "services": ["web"]});
        self.put(&format!("hosts/{name}"), &record);
        self.put(&format!("alive/{name}"), &json!({}));
    }

    #[track_caller]
    fn begins(&self, host: &str) {
        let began = self.file(&format!("{host}.began"));
        wait_until(PATIENCE, &format!("{host} begins"), || began.exists());
    }

    /// What a host says of its part.
    fn says(&self, id: &str, host: &str, state: &str, why: &str) {
        let code = u8::from(state == "failed");
        let result = json!({"v": 1, "state": state, "code": code, "at": 1, "why": why});
        self.put(&format!("rolls/{id}/{host}"), &result);
    }

    /// Ends the command on this side.
    fn ends(&self, host: &str, code: &str) {
        fs::write(self.file(&format!("{host}.new")), code).unwrap();
        fs::rename(
            self.file(&format!("{host}.new")),
            self.file(&format!("{host}.end")),
        )
        .unwrap();
    }

    /// A host's part ends well.
    #[track_caller]
    fn is_done(&self, id: &str, host: &str) {
        self.begins(host);
        self.says(id, host, "done", "");
        self.ends(host, "0");
    }

    /// The first of two hosts is done, and the roll ends without the other one.
    #[track_caller]
    fn ends_after_web01(&self, id: &str, roll: Waiting) -> Ran {
        self.is_done(id, "web01");
        let ran = roll.ends();
        ran.is_with(
            1,
            "web01: hello from web01\n",
            "; 1 of 2 hosts done; not begun: web02\n",
        );
        assert_eq!(self.began(), ["web01"]);
        ran
    }

    /// The hosts that have begun, in order.
    fn began(&self) -> Vec<String> {
        let log = fs::read_to_string(self.file("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// What a host was told.
    fn told(&self, host: &str) -> String {
        fs::read_to_string(self.file(&format!("{host}.told"))).unwrap()
    }

    fn lock(&self) -> Option<Value> {
        self.get("rolls/lock/web")
    }

    /// Ends the lease of the lock, as 30 s without a sign would.
    #[track_caller]
    fn end_lock(&self) {
        let key = BASE64.encode(format!("{}/rolls/lock/web", paths().root()));
        let found = self.etcd.post(0, "kv/range", &json!({"key": key})).unwrap();
        let lease = json!({"ID": found["kvs"][0]["lease"]});
        self.etcd.post(0, "lease/revoke", &lease).unwrap();
        assert_eq!(self.lock(), None);
    }

    fn slot(&self, id: &str, host: &str) {
        let slot = json!({"v": 1, "roll": id, "by": "alice", "from": "ops1", "since": 1e9, "phase": "command"});
        self.put(&format!("slots/{host}/web"), &slot);
    }
}

/// A roll over two hosts that has begun with the first one, and its id.
#[track_caller]
fn web01_of_two_begins() -> (Stage, Waiting, String) {
    let stage = Stage::open(&["web01", "web02"]);
    let roll = stage.begin("1", &[]);
    let id = roll.roll_id();
    stage.begins("web01");
    (stage, roll, id)
}

#[test]
fn hosts_are_rolled_one_after_the_other_and_their_output_bears_their_names() {
    let stage = Stage::open(&["web02", "web01"]);
    let roll = stage.begin("1", &["-r", "it's time", "--where", "zone=a"]);
    let id = roll.roll_id();
    stage.begins("web01");
    let told =
        format!("haroll --roll {id} --max-down 1 --where zone=a -r 'it'\\''s time' web -- true");
    assert_eq!(stage.told("web01"), told);
    let record = stage.get(&format!("rolls/{id}")).unwrap();
    let expected = json!({
        "v": 1, "id": id, "key": "web", "where": {"zone": ["a"]}, "max_down": "1", "per": null,
        "max_failed": 0, "options": ["-r", "it's time"], "command": ["true"], "by": "alice",
        "from": record["from"], "at": record["at"], "hosts": ["web01", "web02"],
    });
    assert_eq!(record, expected);
    let lock = stage.lock().unwrap();
    assert_eq!((&lock["roll"], &lock["by"]), (&json!(id), &json!("alice")));
    stage.is_done(&id, "web01");
    stage.is_done(&id, "web02");
    let ran = roll.ends();
    ran.is_with(0, "web01: hello from web01\nweb02: hello from web02\n", "");
    for line in [
        format!("haroll: roll {id}: web on 2 hosts, at most 1 down\n"),
        "haroll: web01: begins\n".to_owned(),
        "web01: web01 complains\n".to_owned(),
        "haroll: web01: done after ".to_owned(),
        "haroll: web02: begins\n".to_owned(),
        format!("haroll: roll {id}: done on 2 hosts after "),
    ] {
        assert!(ran.err.contains(&line), "{line:?} in {}", ran.err);
    }
    assert_eq!(stage.began(), ["web01", "web02"]);
    assert_eq!(stage.lock(), None);
}

#[test]
fn a_host_that_fails_stops_the_roll_which_can_be_resumed() {
    let stage = Stage::open(&["web01", "web02", "web03"]);
    let roll = stage.begin("1", &[]);
    let id = roll.roll_id();
    stage.is_done(&id, "web01");
    stage.begins("web02");
    stage.says(&id, "web02", "failed", "sh failed: exit status: 7");
    stage.slot(&id, "web02");
    stage.ends("web02", "7");
    let ran = roll.ends();
    ran.is_with(1, "web01: hello from web01\nweb02: hello from web02\n", "");
    assert!(
        ran.err.contains("haroll: web02: failed after "),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains(" s: sh failed: exit status: 7\n"),
        "{}",
        ran.err
    );
    let last = format!(
        "haroll: roll {id}: stopped, since 1 failed (--max-failed 0); 1 of 3 hosts done; failed: web02; not begun: web03\n\
         haroll: 'haroll --fleet --resume {id}' goes on with those that are not done\n"
    );
    assert!(ran.err.ends_with(&last), "{}", ran.err);
    assert_eq!(stage.lock(), None);

    // web02 is out, so it comes first; its old result does not count.
    let again = stage.resume(&id);
    again.says("goes on: true\n");
    stage.begins("web02");
    let told = format!("haroll --roll {id} --max-down 1 -r 'alice: true' web -- true");
    assert_eq!(stage.told("web02"), told);
    stage.says(&id, "web02", "done", "");
    stage.delete("slots/web02");
    stage.ends("web02", "0");
    stage.is_done(&id, "web03");
    let ran = again.ends();
    ran.code_is(0);
    assert!(
        ran.err.contains("; 1 done before; now out: web02 (roll "),
        "{}",
        ran.err
    );
    assert_eq!(stage.began(), ["web01", "web02", "web02", "web03"]);
    // Nothing is left to do.
    let nothing = stage.resume(&id).ends();
    nothing.code_is(0);
    assert_eq!(stage.began().len(), 4);
}

#[test]
fn as_many_hosts_as_may_be_down_are_under_way_at_once_and_more_may_fail_when_told_so() {
    let stage = Stage::open(&["web01", "web02", "web03", "web04"]);
    let roll = stage.begin("50%", &["--max-failed", "1", "-o", "json"]);
    let id = roll.roll_id();
    stage.begins("web01");
    stage.begins("web02");
    assert_eq!(stage.began().len(), 2);
    // ssh's own failure: the host never heard of it.
    stage.ends("web01", "255");
    stage.begins("web03");
    stage.is_done(&id, "web02");
    stage.is_done(&id, "web03");
    stage.is_done(&id, "web04");
    let ran = roll.ends();
    ran.code_is(1);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["done"], json!(false));
    assert_eq!(
        (&document["roll"], &document["service"]),
        (&json!(id), &json!("web"))
    );
    let states: Vec<&str> = document["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| host["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["failed", "done", "done", "done"]);
    assert_eq!(
        document["hosts"][0]["why"],
        json!("no result came; exit status: 255")
    );
    // What hosts say stays away from what a program reads.
    assert!(ran.err.contains("web01: hello from web01\n"), "{}", ran.err);
}

#[test]
fn the_limit_counts_per_zone() {
    let stage = Stage::open(&["web01", "web02"]);
    stage.host("web03", "b");
    let roll = stage.begin("1", &["--per", "zone"]);
    let id = roll.roll_id();
    stage.begins("web01");
    stage.begins("web03");
    assert!(
        stage.told("web03").contains(" --per zone "),
        "{}",
        stage.told("web03")
    );
    assert_eq!(stage.began().len(), 2);
    for host in ["web01", "web03", "web02"] {
        stage.is_done(&id, host);
    }
    roll.ends().code_is(0);
}

#[test]
fn a_second_operator_is_told_who_rolls_and_since_when() {
    let stage = Stage::open(&["web01"]);
    let roll = stage.begin("1", &[]);
    let id = roll.roll_id();
    let second = stage.run(&["--max-down", "1", "web", "--", "true"]);
    second.is_with(
        1,
        "",
        &format!("haroll: web is being rolled already: roll {id} by alice@"),
    );
    assert!(second.err.contains(" since "), "{}", second.err);
    let resumed = stage.run(&["--resume", &id]);
    resumed.is_with(1, "", "haroll: web is being rolled already: ");
    stage.is_done(&id, "web01");
    roll.ends().code_is(0);
    assert_eq!(stage.began(), ["web01"]);
}

#[test]
fn a_lock_that_nobody_can_read_holds_and_says_how_it_goes() {
    let stage = Stage::open(&["web01"]);
    let path = paths().roll_lock(&Key::parse("web").unwrap());
    stage.etcd.put(0, &path, "nonsense");
    let ran = stage.run(&["--max-down", "1", "web", "--", "true"]);
    let told = format!("nothing was begun; 'etcdctl del {path}' if nobody rolls it\n");
    ran.is_with(1, "", &told);
}

#[test]
fn a_roll_whose_lock_is_lost_begins_no_other_host() {
    let (stage, roll, id) = web01_of_two_begins();
    stage.etcd.revoke_leases(0);
    roll.says(
        "the lock of web is lost: its lease has ended, or somebody took it: no other host begins",
    );
    stage.ends_after_web01(&id, roll);
}

#[test]
fn after_ctrl_c_no_host_begins_and_those_under_way_are_waited_for() {
    let (stage, roll, id) = web01_of_two_begins();
    roll.signal(Signal::SIGINT);
    roll.says("haroll: interrupted (SIGINT): no other host begins\nharoll: waiting for web01, which would finish without this haroll too; SIGINT once more ends it\n");
    let ran = stage.ends_after_web01(&id, roll);
    let last =
        format!("haroll: roll {id}: interrupted (SIGINT); 1 of 2 hosts done; not begun: web02\n");
    assert!(ran.err.contains(&last), "{}", ran.err);
    assert_eq!(stage.lock(), None);
}

#[test]
fn the_first_ctrl_c_waits_for_hosts_under_way_also_where_the_lock_was_lost_before() {
    let (stage, roll, id) = web01_of_two_begins();
    stage.end_lock();
    roll.says(": no other host begins\n");
    roll.signal(Signal::SIGINT);
    roll.says("haroll: waiting for web01, which would finish without this haroll too; SIGINT once more ends it\n");
    let ran = stage.ends_after_web01(&id, roll);
    assert!(
        ran.err.contains("haroll: web01: done after "),
        "{}",
        ran.err
    );
}

/// Whoever takes the lock then may be told of hosts that nobody else knows.
#[test]
fn a_lock_that_somebody_deleted_is_missed_before_the_next_host_begins() {
    let (stage, roll, id) = web01_of_two_begins();
    // Its lease lives on.
    let lock = format!("{}/rolls/lock/web", paths().root());
    stage.etcd.delete(0, &lock);
    stage.ends_after_web01(&id, roll);
}

/// However long one of them may take by the file of the fleet.
#[test]
fn members_that_all_hang_end_the_lock_and_not_in_silence() {
    let stage = Stage::open(&["web01", "web02"]);
    let text = fs::read_to_string(stage.file("fleet.yml")).unwrap();
    let text = text.replace("timeout: 2\n", "timeout: 60\n");
    fs::write(stage.file("fleet.yml"), text).unwrap();
    let roll = stage.begin("1", &[]);
    stage.begins("web01");
    (0..MEMBERS).for_each(|member| stage.etcd.freeze(member));
    roll.says("the lock of web is lost: etcd does not answer within 5s: no other host begins\n");
    roll.signal(Signal::SIGINT);
    roll.says("waiting for web01");
    roll.signal(Signal::SIGINT);
    roll.ends().code_is(1);
    assert_eq!(stage.began(), ["web01"]);
}

#[test]
fn a_second_ctrl_c_ends_haroll_and_not_the_hosts() {
    let (stage, roll, id) = web01_of_two_begins();
    roll.signal(Signal::SIGTERM);
    roll.says("interrupted (SIGTERM)");
    roll.signal(Signal::SIGTERM);
    let ran = roll.ends();
    ran.code_is(1);
    assert!(
        ran.err
            .contains("ended; still under way, by themselves: web01\n"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("under way: web01; not begun: web02\n"),
        "{}",
        ran.err
    );
    // The command for it still runs, and takes its end.
    stage.is_done(&id, "web01");
    let began = stage.file("web01.began");
    wait_until(PATIENCE, "it ends by itself", || !began.exists());
    let again = stage.resume(&id);
    stage.is_done(&id, "web02");
    again.ends().code_is(0);
}

#[test]
fn a_host_that_never_stops_writing_keeps_nobody_from_ending_the_roll() {
    let stage = Stage::open(&["web01", "web02"]);
    let script = "#!/bin/sh\nexec yes\n";
    fs::write(stage.file("via"), script).unwrap();
    let (mut lines, output) = std::io::pipe().unwrap();
    let haroll = stage.haroll(&["--max-down", "1", "web", "--", "true"]);
    fs::write(stage.file("roll.out"), "").unwrap();
    let roll = Waiting::of_into(haroll, output.into(), stage.file("roll"));
    let mut first = vec![0; 1 << 20];
    lines.read_exact(&mut first).unwrap();
    assert!(first.starts_with(b"web01: y\nweb01: y\n"));
    // As a slow terminal: from here on there is always a line that waits.
    let reader = thread::spawn(move || {
        let mut part = [0; 64];
        while matches!(lines.read(&mut part), Ok(1..)) {
            thread::sleep(Duration::from_millis(1));
        }
    });
    roll.signal(Signal::SIGINT);
    roll.says("interrupted (SIGINT): no other host begins\n");
    roll.signal(Signal::SIGINT);
    roll.ends().code_is(1);
    reader.join().unwrap();
}

/// As `haroll --fleet | less` does while somebody looks at the first page.
#[test]
fn a_reader_that_pauses_stops_neither_the_roll_nor_the_hosts() {
    let stage = Stage::open(&["web01", "web02"]);
    let flood = SCRIPT.replace("touch", "yes | head -n 300000\ntouch");
    fs::write(stage.file("via"), flood).unwrap();
    let (mut lines, output) = std::io::pipe().unwrap();
    let haroll = stage.haroll(&["--max-down", "1", "web", "--", "true"]);
    fs::write(stage.file("roll.out"), "").unwrap();
    let roll = Waiting::of_into(haroll, output.into(), stage.file("roll"));
    let id = roll.roll_id();
    for host in ["web01", "web02"] {
        stage.is_done(&id, host);
    }
    wait_until(PATIENCE, "the lock is given back", || {
        stage.lock().is_none()
    });
    let reader = thread::spawn(move || {
        let mut said = String::new();
        lines.read_to_string(&mut said).unwrap();
        said
    });
    let ran = roll.ends();
    ran.code_is(0);
    let said = reader.join().unwrap();
    assert!(said.starts_with("web01: hello from web01\nweb01: y\n"));
    let kept = said.lines().count();
    let (mut begin, mut missing) = (0, 0);
    for text in [
        "haroll: web01: begins\n",
        "haroll: lines of hosts that are dropped here, as nobody read them: ",
        "haroll: web01: done after ",
        "haroll: web02: begins\n",
        "haroll: web02: done after ",
        "done on 2 hosts after ",
    ] {
        let found = ran.err[begin..].find(text);
        begin += found.unwrap_or_else(|| panic!("{text:?} in {}", ran.err));
    }
    for line in ran.err.lines() {
        let count = line.split_once("as nobody read them: ");
        missing += count.map_or(0, |(_, count)| count.parse::<usize>().unwrap());
        missing += usize::from(line.ends_with(" complains"));
    }
    assert_eq!(kept + missing, 2 * (300_000 + 2));
}

/// The operator's machine dies at each step: hosts finish by themselves, no other one begins, and the roll goes on later.
#[test]
fn a_roll_whose_operator_was_killed_goes_on_where_it_was() {
    let stage = Stage::open(&["web01", "web02", "web03"]);
    // Before the first host begins: nothing can, as one is out.
    stage.put("down/web09/web", &json!({"v": 1, "since": 1e9}));
    stage.put(
        "hosts/web09",
        &json!({"v": 1, "host": "web09", "services": ["web"]}),
    );
    let roll = stage.begin("1", &[]);
    let id = roll.roll_id();
    roll.says("so nothing can begin\n");
    drop(roll);
    stage.run(&["--resume", &id]).is_with(
        1,
        "",
        "(the lock of a haroll that is dead goes after 30 s)",
    );
    stage.end_lock();
    stage.put("alive/web09", &json!({}));

    // While the first one is under way, which ends while nobody looks.
    let roll = stage.resume(&id);
    stage.begins("web09");
    stage.slot(&id, "web09");
    drop(roll);
    stage.delete("down/web09");
    stage.says(&id, "web09", "done", "");
    stage.delete("slots/web09");
    stage.ends("web09", "0");
    let began = stage.file("web09.began");
    wait_until(PATIENCE, "it ends by itself", || !began.exists());
    assert_eq!(stage.began(), ["web09"]);
    stage.end_lock();

    // While another one is under way, which ends while the next haroll waits for it.
    let roll = stage.resume(&id);
    roll.says("; 1 done before\n");
    stage.begins("web01");
    stage.slot(&id, "web01");
    drop(roll);
    stage.end_lock();
    let roll = stage.resume(&id);
    roll.says("haroll: web01: has begun and is waited for (command); 'hacheck fleet release web01 -r WHY'");
    stage.says(&id, "web01", "done", "");
    stage.delete("slots/web01");
    stage.ends("web01", "0");
    roll.says("haroll: web01: done after ");

    // While one is under way that has no slot yet, and never got one.
    stage.begins("web02");
    drop(roll);
    stage.ends("web02", "255");
    let began = stage.file("web02.began");
    wait_until(PATIENCE, "it ends by itself", || !began.exists());
    stage.end_lock();
    let roll = stage.resume(&id);
    stage.is_done(&id, "web02");
    stage.is_done(&id, "web03");
    roll.ends().code_is(0);
    assert_eq!(stage.began(), ["web09", "web01", "web02", "web02", "web03"]);
    assert_eq!(stage.lock(), None);
}

/// The connection to a host is not what it does: it goes on, and its result counts.
#[test]
fn a_host_whose_connection_broke_is_waited_for_by_what_etcd_says() {
    let (stage, roll, id) = web01_of_two_begins();
    stage.slot(&id, "web01");
    stage.ends("web01", "255");
    let began = stage.file("web01.began");
    wait_until(PATIENCE, "the connection is gone", || !began.exists());
    stage.says(&id, "web01", "done", "");
    stage.delete("slots/web01");
    stage.is_done(&id, "web02");
    roll.ends().code_is(0);
    // It may be silent meanwhile, as one that boots is.
    let roll = stage.begin("1", &[]);
    let id = roll.roll_id();
    stage.begins("web01");
    stage.slot(&id, "web01");
    stage.delete("alive");
    stage.ends("web01", "255");
    wait_until(PATIENCE, "the connection is gone", || !began.exists());
    stage.put("alive/web01", &json!({}));
    stage.put("alive/web02", &json!({}));
    stage.says(&id, "web01", "done", "");
    stage.delete("slots/web01");
    stage.is_done(&id, "web02");
    roll.ends().code_is(0);
}

#[test]
fn a_host_that_is_lost_takes_a_place_and_keeps_the_others_from_beginning() {
    let stage = Stage::open(&["web01", "web02"]);
    let record = json!({"v": 1, "host": "web07", "services": ["web"]});
    stage.put("hosts/web07", &record);
    let roll = stage.begin("1", &[]);
    let id = roll.roll_id();
    let first = format!(
        "haroll: roll {id}: web on 3 hosts, at most 1 down; now out: web07 (lost), so nothing can begin\n\
         haroll: 'hacheck fleet forget web07' if it is gone for good, or --max-down 2\n"
    );
    roll.says(&first);
    assert_eq!(stage.began().len(), 0);
    // It is back.
    stage.put("alive/web07", &json!({}));
    for host in ["web01", "web02", "web07"] {
        stage.is_done(&id, host);
    }
    roll.ends().code_is(0);
    // Two may be out: the others are done, and it is named.
    stage.delete("alive");
    stage.put("alive/web01", &json!({}));
    stage.put("alive/web02", &json!({}));
    let roll = stage.begin("2", &["--max-failed", "5"]);
    let id = roll.roll_id();
    stage.is_done(&id, "web01");
    stage.is_done(&id, "web02");
    let ran = roll.ends();
    ran.code_is(1);
    assert!(ran.err.contains("; now out: web07 (lost)\n"), "{}", ran.err);
    let last = ": those that are left are lost; 2 of 3 hosts done; not begun: web07\n";
    assert!(ran.err.contains(last), "{}", ran.err);
}

#[test]
fn a_host_that_was_taken_down_is_named_and_comes_first() {
    let stage = Stage::open(&["web01", "web02"]);
    let report =
        json!({"v": 1, "since": 1e9, "origin": "local", "by": "carol", "reason": "bad RAM"});
    stage.put("down/web02/web", &report);
    let dry = stage.run(&["--max-down", "1", "-n", "-o", "tsv", "web", "--", "true"]);
    dry.is(0, "web02\t\tout: local by carol: bad RAM\nweb01\t\tup\n");
    assert_eq!(stage.lock(), None);
    let roll = stage.begin("1", &[]);
    let id = roll.roll_id();
    roll.says("; now out: web02 (local by carol: bad RAM)\n");
    stage.begins("web02");
    stage.delete("down/web02");
    stage.is_done(&id, "web02");
    stage.is_done(&id, "web01");
    roll.ends().code_is(0);
    assert_eq!(stage.began(), ["web02", "web01"]);
}

/// What stands in etcd is not trusted: no name of it becomes an option, a path or another host.
#[test]
fn names_of_hosts_that_are_none_are_refused_and_named() {
    let stage = Stage::open(&["web01"]);
    let record = json!({"v": 1, "host": "x", "services": ["web"]});
    for name in [
        "-oProxyCommand=touch pwned",
        "a;touch pwned",
        "..",
        "web 9",
        "$(touch pwned)",
    ] {
        stage.put(&format!("hosts/{name}"), &record);
        stage.put(&format!("alive/{name}"), &json!({}));
    }
    // A host that says to be another one.
    stage.put(
        "hosts/web02",
        &json!({"v": 1, "host": "-oProxyCommand=id", "services": ["web"]}),
    );
    stage.put("alive/web02", &json!({}));
    stage.put_text("hosts/web03", "no JSON");
    let roll = stage.begin("1", &[]);
    let id = roll.roll_id();
    stage.is_done(&id, "web01");
    let ran = roll.ends();
    ran.code_is(1);
    let refused = "haroll: note: refused, since etcd has no sound record of a host of that name: \"$(touch pwned)\", \
                   \"-oProxyCommand=touch pwned\", \"..\", \"a;touch pwned\", \"web 9\" and 2 more; remove what stands there\n";
    assert!(ran.err.contains(refused), "{}", ran.err);
    assert!(
        ran.err.contains("1 of 1 host done; refused: "),
        "{}",
        ran.err
    );
    assert_eq!(stage.began(), ["web01"]);
    assert!(!stage.file("pwned").exists());
}

/// Whoever can write to etcd must not choose what an operator's machine runs.
#[test]
fn a_roll_whose_record_was_changed_cannot_be_resumed() {
    let stage = Stage::open(&["web01"]);
    let roll = stage.begin("1", &[]);
    let id = roll.roll_id();
    stage.begins("web01");
    roll.signal(Signal::SIGINT);
    roll.says("waiting for web01");
    stage.ends("web01", "1");
    roll.ends().code_is(1);
    let path = format!("rolls/{id}");
    let mut record = stage.get(&path).unwrap();
    record["command"] = json!(["touch", "pwned"]);
    stage.put(&path, &record);
    let resumed = stage.run(&["--resume", &id]);
    resumed.is_with(
        1,
        "",
        &format!("haroll: roll {id} cannot be resumed: it was changed since the roll began; begin another one\n"),
    );
    stage
        .run(&["--resume", "r-5k2"])
        .is_with(1, "", "haroll: there is no roll r-5k2 (any more)");
    assert_eq!(stage.began(), ["web01"]);
}

#[test]
fn while_etcd_has_lost_its_majority_no_host_begins() {
    let mut stage = Stage::open(&["web01", "web02"]);
    let roll = stage.begin("1", &[]);
    let id = roll.roll_id();
    stage.begins("web01");
    stage.says(&id, "web01", "done", "");
    stage.etcd.kill(1);
    stage.etcd.kill(2);
    stage.ends("web01", "0");
    roll.says("; until it answers no host begins\n");
    assert_eq!(stage.began(), ["web01"]);
    stage.etcd.start_member(1);
    stage.etcd.start_member(2);
    stage.etcd.wait_until_it_answers();
    // Where it was away for too long the lock is lost; else the roll goes on.
    wait_until(PATIENCE, "it goes on or ends", || {
        stage.began().len() == 2 || roll.said().contains("no other host begins")
    });
    if stage.began().len() == 2 {
        stage.is_done(&id, "web02");
    }
    let ran = roll.ends();
    assert!(
        ran.err.contains("haroll: web01: done after "),
        "{}",
        ran.err
    );
}

#[test]
fn a_terminal_shows_who_is_under_way_below_what_was_said() {
    let stage = Stage::open(&["web01", "web02"]);
    let daemon = Daemon::start();
    let tmux = Tmux::start(80, 24, &daemon);
    let file = stage.file("fleet.yml");
    let file = file.display();
    tmux.type_line(&format!(
        "export HACHECK_FLEET_FILE={file}; clear; haroll --fleet --max-down 1 web -- true"
    ));
    stage.begins("web01");
    tmux.wait_for("web: 0 of 2 done, 1 waiting");
    tmux.wait_for("  web01  begun, ");
    tmux.wait_for("web01 complains");
    let id = stage.lock().unwrap()["roll"].as_str().unwrap().to_owned();
    stage.slot(&id, "web01");
    tmux.wait_for("  web01  command, ");
    stage.delete("slots/web01");
    stage.is_done(&id, "web01");
    tmux.wait_for("web: 1 of 2 done, 0 waiting");
    stage.is_done(&id, "web02");
    tmux.wait_for(": done on 2 hosts after ");
    tmux.wait_for_prompt();
    // Lines that stay, and no table among them.
    let screen = tmux.screen();
    for text in [
        "web01: hello from web01",
        "web02: hello from web02",
        "haroll: web02: done after ",
    ] {
        let lines = screen.iter().filter(|line| line.starts_with(text));
        assert_eq!(lines.count(), 1, "{text}: {screen:#?}");
    }
    assert!(
        !screen.iter().any(|line| line.contains("waiting")),
        "{screen:#?}"
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let stage = Stage::open(&["web01"]);
    for (args, said) in [
        (
            &["web", "--", "true"][..],
            "say how many hosts may be down at once: --max-down 1",
        ),
        (
            &["--max-down", "0", "web", "--", "true"],
            "\"0\" is no number of hosts",
        ),
        (
            &["--max-down", "1", "web", "api", "--", "true"],
            "name one service",
        ),
        (
            &["--max-down", "1", "web"],
            "give services, two dashes, and a command",
        ),
        (
            &["--max-down", "1", "--per", "a/b", "web", "--", "true"],
            "is no tag that groups hosts",
        ),
        (
            &["--max-down", "1", "--where", "zone", "web", "--", "true"],
            "--where: 'zone' selects no hosts",
        ),
        (
            &["--max-down", "1", "--max-failed", "-1", "web", "--", "true"],
            "is not a whole number",
        ),
        (
            &["--max-down", "1", "-o", "uber", "web", "--", "true"],
            "-o: \"uber\" is not a format",
        ),
        (
            &["--max-down", "1", "--timeout", "soon", "web", "--", "true"],
            "--timeout: ",
        ),
        (
            &["--roll", "r-5k2", "web"],
            "--roll is what each host is told",
        ),
        (&["--resume", "../x"], "is not the id of a roll"),
        (
            &["--resume", "r-5k2", "web"],
            "so a command has no place here",
        ),
        (
            &["--resume", "r-5k2", "-r", "x"],
            "so an option for the hosts has no place here",
        ),
    ] {
        let ran = stage.run(args);
        ran.is_with(2, "", said);
    }
    for (args, said) in [
        (
            &["--max-down", "1", "wbe", "--", "true"][..],
            "no host of the fleet test serves wbe (did you mean web?)",
        ),
        (
            &["--max-down", "1", "--where", "zone=b", "web", "--", "true"],
            "zone is never b",
        ),
        (
            &["--max-down", "1", "--per", "rack", "web", "--", "true"],
            "no tag rack, for --per, on web01; set tags",
        ),
    ] {
        stage.run(args).is_with(1, "", said);
    }
    for (option, value, said) in [
        (
            "--max-failed",
            "1",
            "--max-failed is for all hosts: give it with --fleet",
        ),
        (
            "--resume",
            "r-5k2",
            "--resume is for all hosts: give it with --fleet",
        ),
        (
            "--hosts",
            "a",
            "--hosts is about the hosts of a fleet: give it with --max-down",
        ),
    ] {
        let args = [option, value, "web", "--", "true"];
        run("haroll", &args).is_with(2, "", said);
    }
    assert_eq!(stage.lock(), None);
    let missing = Stage::open_with(&["web01"], "");
    let text = missing.etcd.fleet_yml("via: [\"/no/such\", \"{host}\"]\n");
    fs::write(missing.file("fleet.yml"), text).unwrap();
    let ran = missing.run(&["--max-down", "1", "web", "--", "true"]);
    ran.is_with(
        1,
        "",
        "haroll: cannot start /no/such: there is no such program",
    );
}
