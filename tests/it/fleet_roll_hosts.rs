//! `haroll --fleet` over real hosts: daemons that obey a real etcd, behind a real HAProxy, and by a real `ssh`.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};

use crate::support::daemon::Setup;
use crate::support::etcd::Etcd;
use crate::support::fleet::{FleetHost, down, give, paths};
use crate::support::haproxy::Haproxy;
use crate::support::load::Load;
use crate::support::process::{Process, bound_to_us, find};
use crate::support::root::succeed;
use crate::support::server::free_port;
use crate::support::upstream::{Upstream, http};
use crate::support::waiting::Waiting;
use crate::support::{
    BINARY, PATIENCE, Ran, TempDir, command, until_there, wait_until, write_program,
};

/// What stands for `ssh`: the command runs here, with the `haroll` of that host.
const VIA: &str = r#"#!/bin/sh
dir=$(dirname "$0")/$1
PATH="$dir:$PATH" HOST_DIR="$dir" exec sh -c "$2"
"#;

/// Tells the test that it has begun, and ends when the test says so.
const COMMAND: &str = concat!(
    r#"touch "$HOST_DIR/began"; "#,
    until_there!(r#""$HOST_DIR/end""#),
    r#"; exit $(cat "$HOST_DIR/end")"#
);

/// Lines of the `fleet.yml` of a host, or of the operator.
pub type Lines<'a> = dyn Fn(&str) -> String + 'a;

/// The operator's name among them.
pub const OPERATOR: &str = "fleet-ops";

/// A fleet of hosts, and who rolls them.
pub struct Fleet {
    pub etcd: Etcd,
    folder: TempDir,
    pub hosts: Vec<FleetHost>,
    /// What the operator's file says besides.
    more: String,
}

impl Fleet {
    fn start(names: &[&str]) -> Self {
        Self::start_on(Etcd::start(), names, &|_| String::new())
    }

    pub fn start_on(etcd: Etcd, names: &[&str], lines: &Lines<'_>) -> Self {
        let folder = TempDir::new();
        let mut hosts = Vec::new();
        for name in names {
            let more = format!("services: [web]\n{}", lines(name));
            let host = FleetHost::start_as(Setup::new(), &etcd, name, &more);
            host.wait_until_connected();
            fs::create_dir(folder.file(name)).unwrap();
            fs::create_dir(folder.file(name).join("real")).unwrap();
            let real = folder.file(name).join("real/haroll");
            symlink(BINARY, &real).unwrap();
            write_program(&folder.file(name).join("haroll"), &haroll_of(&host, &real));
            hosts.push(host);
        }
        let fleet = Self {
            etcd,
            folder,
            hosts,
            more: lines(OPERATOR),
        };
        write_program(&fleet.folder.file("via"), VIA);
        let via = format!("[{}, \"{{host}}\"]", fleet.folder.file("via").display());
        fleet.reach_by(&via);
        for host in &fleet.hosts {
            wait_until(PATIENCE, "the host is known", || {
                host.record(&fleet.etcd, 0)["services"] == serde_json::json!(["web"])
            });
        }
        fleet
    }

    fn reach_by(&self, via: &str) {
        let more = &self.more;
        let text = format!("host: ops1\ntimeout: 2\nvia: {via}\n{more}");
        fs::write(self.folder.file("ops.yml"), self.etcd.fleet_yml(&text)).unwrap();
    }

    pub fn of(&self, host: &str, file: &str) -> PathBuf {
        self.folder.file(host).join(file)
    }

    pub fn haroll(&self, args: &[&str]) -> Command {
        self.command("haroll", &[&["--fleet"], args].concat())
    }

    /// A command of the operator.
    pub fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = command(name);
        command.args(args).process_group(0);
        command.env("HACHECK_FLEET_FILE", self.folder.file("ops.yml"));
        command.env("SUDO_USER", "alice");
        command
    }

    pub fn run(&self, name: &str, args: &[&str]) -> Ran {
        self.command(name, args).output().unwrap().into()
    }

    /// A roll of `web` that the test leads.
    pub fn roll(&self, more: &[&str]) -> Waiting {
        let first = ["--max-down", "1", "--min-pollers", "0", "--force"];
        let last = ["web", "--", "sh", "-c", COMMAND];
        let haroll = self.haroll(&[&first, more, &last].concat());
        Waiting::of(haroll, self.folder.file("rolled"))
    }

    #[track_caller]
    pub fn begins(&self, host: &str, roll: &mut Waiting) {
        let began = self.of(host, "began");
        wait_until(PATIENCE, &format!("{host} begins"), || {
            assert!(!roll.has_ended(), "{}", roll.said());
            began.exists()
        });
    }

    pub fn ends(&self, host: &str, code: &str) {
        fs::write(self.of(host, "new"), code).unwrap();
        fs::rename(self.of(host, "new"), self.of(host, "end")).unwrap();
    }

    pub fn has_slot(&self, host: &str) -> bool {
        let path = format!("{}/slots/{host}/web", paths().root());
        self.etcd.value(0, &path).is_some()
    }
}

/// The `haroll` that is in the path of a host.
fn haroll_of(host: &FleetHost, real: &Path) -> String {
    let spool = &host.daemon.spool;
    let (root, file) = (spool.root(), spool.outside().join("fleet.yml"));
    let port = host.daemon.address.port();
    format!(
        "#!/bin/sh\nexec {} --spool-root={} -p{port} --fleet-file={} \"$@\"\n",
        real.display(),
        root.display(),
        file.display()
    )
}

fn service(name: &'static str, address: SocketAddr) -> Upstream {
    Upstream::start_on(address, move |_| Some(http("200 OK", name))).forgetful()
}

#[test]
fn three_hosts_behind_a_balancer_are_rolled_without_a_failed_request() {
    const NAMES: [&str; 3] = ["web01", "web02", "web03"];
    let fleet = Fleet::start(&NAMES);
    let mut services = Vec::new();
    let mut servers = String::new();
    for (number, (name, host)) in NAMES.iter().zip(&fleet.hosts).enumerate() {
        let address = format!("127.0.0.{}:0", number + 2).parse().unwrap();
        let up = service(name, address);
        let (address, port) = (up.address, host.daemon.address.port());
        servers += &format!(
            "  server {name} {address} check addr 127.0.0.1 port {port} inter 100ms fall 2 rise 2\n"
        );
        services.push(up);
    }
    let checked = services[0].address.port();
    let balancer = Haproxy::start_as(
        "lb1",
        &format!(
            "listen web\n  bind unix@front\n  timeout check 10s\n  balance roundrobin\n  option httpchk GET /http/web/{checked}/\n  \
             http-check send-state\n{servers}"
        ),
    );
    for (name, host) in NAMES.iter().zip(&fleet.hosts) {
        balancer.wait_for("web", name, "UP");
        host.daemon.knows_pollers(1);
    }
    let load = Load::on(&[&balancer]);
    let mut roll = fleet.roll(&[]);
    for (number, name) in NAMES.into_iter().enumerate() {
        fleet.begins(name, &mut roll);
        for other in NAMES {
            let expected = if other == name { "DOWN" } else { "UP" };
            assert_eq!(balancer.stat("web", other, "status"), expected, "{other}");
        }
        services[number].stop();
        load.wait_for_more(NAMES[(number + 1) % 3]);
        let address = services[number].address;
        services[number] = service(name, address);
        fleet.ends(name, "0");
    }
    let ran = roll.ends();
    ran.code_is(0);
    assert!(ran.err.contains(": done on 3 hosts after "), "{}", ran.err);
    for name in NAMES {
        for line in [
            format!("haroll: {name}: begins\n"),
            format!("{name}: haroll: web: drained after "),
            format!("{name}: haroll: web: seen up after "),
            format!("haroll: {name}: done after "),
        ] {
            assert!(ran.err.contains(&line), "{line:?} in {}", ran.err);
        }
        assert_eq!(balancer.stat("web", name, "status"), "UP");
        assert!(!fleet.has_slot(name), "{name}");
        load.wait_for_more(name);
    }
    load.has_no_failures();
}

#[test]
fn a_command_that_fails_on_a_host_stops_the_roll_and_is_repeated_when_that_is_resumed() {
    let fleet = Fleet::start(&["web01", "web02"]);
    let mut roll = fleet.roll(&["--force"]);
    let id = roll.roll_id();
    fleet.begins("web01", &mut roll);
    fleet.ends("web01", "7");
    let ran = roll.ends();
    ran.code_is(1);
    assert!(
        ran.err.contains("haroll: web01: failed after "),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("exit status: 7"), "{}", ran.err);
    assert!(
        ran.err.contains("failed: web01; not begun: web02\n"),
        "{}",
        ran.err
    );
    assert!(fleet.has_slot("web01") && !fleet.of("web02", "began").exists());
    fleet.ends("web01", "0");
    fleet.ends("web02", "0");
    let resumed = fleet.haroll(&["--resume", &id]).output().unwrap();
    let ran = Ran::from(resumed);
    ran.is_with(0, "", "; now out: web01 (");
    assert!(!fleet.has_slot("web01") && !fleet.has_slot("web02"));
}

#[test]
fn hosts_finish_by_themselves_when_the_operators_machine_dies() {
    let fleet = Fleet::start(&["web01", "web02"]);
    let mut roll = fleet.roll(&["--force"]);
    let id = roll.roll_id();
    fleet.begins("web01", &mut roll);
    drop(roll);
    fleet.ends("web01", "0");
    wait_until(PATIENCE, "web01 is done", || {
        let result = fleet
            .etcd
            .value(0, &format!("{}/rolls/{id}/web01", paths().root()));
        result.is_some_and(|text| text.contains("\"done\"")) && !fleet.has_slot("web01")
    });
    assert!(!fleet.of("web02", "began").exists());
    fleet.ends("web02", "0");
    // Its lock goes by itself.
    let mut ran = None;
    wait_until(PATIENCE, "the lock is free", || {
        let tried = Ran::from(fleet.haroll(&["--resume", &id]).output().unwrap());
        let is_held = tried.err.contains("is being rolled already");
        ran = Some(tried);
        !is_held
    });
    let ran = ran.unwrap();
    ran.is_with(0, "", "; 1 done before\n");
    assert!(fleet.of("web02", "began").exists());
}

/// For longer than the lock of a roll lives: no order can be given, hosts hold what they hold, and afterwards all goes on.
#[test]
fn a_majority_that_is_away_for_long_changes_nothing_and_all_goes_on_when_it_is_back() {
    const NAMES: [&str; 3] = ["web01", "web02", "web03"];
    let fleet = Fleet::start(&NAMES);
    give(&fleet.etcd, 0, &down(1, "api", "*"));
    let all_told = |text: &str| {
        let hosts = fleet.hosts.iter();
        hosts.for_each(|host| host.wait_until_told("api", text));
    };
    all_told("reason 1");
    let mut roll = fleet.roll(&[]);
    let id = roll.roll_id();
    fleet.begins("web01", &mut roll);
    let (leader, follower) = fleet.etcd.leader_and_follower();
    fleet.etcd.freeze(leader);
    fleet.etcd.freeze(follower);
    for name in ["hadown", "haup", "hastatus"] {
        let ran = fleet.run(name, &["--fleet", "api"]);
        ran.is_with(1, "", "etcd cannot be reached (");
        assert!(ran.err.contains("endpoints in fleet.yml"), "{}", ran.err);
    }
    roll.says("; until it answers no host begins\n");
    // After half a minute.
    roll.says("the lock of web is lost: ");
    all_told("reason 1");
    // The host needs etcd for its slot alone.
    fleet.ends("web01", "0");
    let entry = fleet.hosts[0].daemon.spool.path("web");
    wait_until(PATIENCE, "web01 is up again", || !entry.exists());
    for name in &NAMES[1..] {
        assert!(!fleet.of(name, "began").exists(), "{name}");
    }

    fleet.etcd.thaw(leader);
    fleet.etcd.thaw(follower);
    let ran = roll.ends();
    ran.is_with(
        1,
        &ran.out,
        "; 1 of 3 hosts done; not begun: web02, web03\n",
    );
    assert!(!fleet.has_slot("web01"));
    let up = fleet.run("haup", &["--fleet", "--timeout", "60", "api"]);
    up.is_with(0, "", "api: lifted on 3 hosts; 3 have done it");
    all_told("");
    // As half a minute without a sign would.
    fleet
        .etcd
        .delete(0, &format!("{}/rolls/lock/web", paths().root()));
    NAMES[1..].iter().for_each(|name| fleet.ends(name, "0"));
    let resumed = fleet.haroll(&["--resume", &id]).output().unwrap();
    Ran::from(resumed).is_with(0, &ran.out, "; 1 done before\n");
}

/// An `sshd` for each host, at loopback, for this user alone.
struct Ssh {
    folder: TempDir,
    daemons: Vec<Process>,
}

impl Ssh {
    fn start(fleet: &Fleet, names: &[&str]) -> Self {
        let sshd = find("sshd").expect("sshd is missing: apt-get install openssh-server");
        let mut ssh = Self {
            folder: TempDir::new(),
            daemons: Vec::new(),
        };
        for key in ["host", "own"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
            succeed(keygen.arg(ssh.folder.file(key)));
        }
        // Where sshd of Debian looks for its empty folder when it is started by root.
        if nix::unistd::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let known = fs::read_to_string(ssh.folder.file("host.pub")).unwrap();
        let (mut client, mut hosts) = (String::new(), String::new());
        for name in names {
            let port = free_port();
            client += &format!("Host {name}\n  HostName 127.0.0.1\n  Port {port}\n");
            hosts += &format!("[127.0.0.1]:{port} {known}");
            ssh.start_one(&sshd, fleet, name, port);
        }
        let own = ssh.folder.file("own");
        let known = ssh.folder.file("known");
        fs::write(&known, hosts).unwrap();
        client += &format!(
            "Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n",
            own.display(),
            known.display()
        );
        fs::write(ssh.folder.file("client"), client).unwrap();
        ssh
    }

    fn start_one(&mut self, sshd: &Path, fleet: &Fleet, name: &str, port: u16) {
        let dir = fleet.folder.file(name);
        let (dir, path) = (dir.display(), std::env::var("PATH").unwrap());
        let text = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nSetEnv PATH={dir}:{path} HOST_DIR={dir}\n",
            self.folder.file("host").display(),
            self.folder.file("own.pub").display()
        );
        let config = self.folder.file(&format!("{name}.conf"));
        fs::write(&config, text).unwrap();
        let mut command = bound_to_us(sshd.to_str().unwrap(), &[]);
        command.args(["-D", "-e", "-f"]).arg(config);
        let log = fs::File::create(self.folder.file(&format!("{name}.log"))).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.daemons.push(Process::spawn(&mut command));
        wait_until(PATIENCE, "sshd listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
    }

    fn via(&self) -> String {
        let client = self.folder.file("client");
        format!(
            "ssh -F {} -o BatchMode=yes -o ServerAliveInterval=15 -- {{host}}",
            client.display()
        )
    }
}

#[test]
fn hosts_are_reached_by_ssh_and_a_connection_that_breaks_ends_nothing() {
    let fleet = Fleet::start(&["web01", "web02"]);
    let ssh = Ssh::start(&fleet, &["web01", "web02"]);
    fleet.reach_by(&ssh.via());
    let mut roll = fleet.roll(&["--force", "-r", "it's \"time\" & $HOME"]);
    fleet.begins("web01", &mut roll);
    let reason = fleet.hosts[0].told("web");
    assert!(reason.ends_with(": it's \"time\" & $HOME"), "{reason}");
    // The network breaks: on this side ssh ends with an error, and the host goes on.
    let [ssh_to_host] = roll.children()[..] else {
        panic!("{:?}", roll.children());
    };
    kill(ssh_to_host, Signal::SIGKILL).unwrap();
    wait_until(PATIENCE, "ssh is gone", || roll.children().is_empty());
    assert!(fleet.has_slot("web01"));
    fleet.ends("web01", "0");
    fleet.begins("web02", &mut roll);
    fleet.ends("web02", "0");
    let ran = roll.ends();
    ran.code_is(0);
    assert!(
        ran.err.contains("haroll: web01: done after "),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("web02: haroll: web: command after "),
        "{}",
        ran.err
    );
}
