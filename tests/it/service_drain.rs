//! The drop-in of the examples that drains a service before systemd stops it: its very commands, before a real HAProxy.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::boot::{Booted, make_bootable};
use crate::support::haproxy::Haproxy;
use crate::support::package::Chroot;
use crate::support::upstream::{Upstream, http};
use crate::support::{BINARY, PATIENCE, Ran, TempDir, wait_until, write_program};
use crate::wait::Site;

const DROP_IN: &str = include_str!("../../packaging/examples/service-drain.conf");

const REASON: &str = "systemd restarts web.service";

/// How long a booted system may take for a step.
const BOOTED: Duration = Duration::from_secs(60);

/// A host whose `web.service` has the drop-in.
struct Unit {
    site: Site,
    programs: TempDir,
}

impl Unit {
    fn new() -> Self {
        let unit = Self {
            site: Site::start(),
            programs: TempDir::new(),
        };
        for name in ["hadown", "haup", "hastatus"] {
            unit.write_program(name);
        }
        unit
    }

    fn balancer(&self) -> Haproxy {
        let balancer = self.site.balancer("lb1", "", "inter 100ms fall 2");
        self.site.known(&["lb1"]);
        balancer
    }

    /// The command with this host's spool and port. The balancers are known already, so nothing is to be waited for.
    fn write_program(&self, name: &str) {
        let spool = self.site.daemon.spool.root();
        let place = format!("--spool-root '{}' -p {}", spool.display(), self.site.port());
        let place = match name {
            "hastatus" => format!("--spool-root '{}'", spool.display()),
            _ => place,
        };
        let action = name.trim_start_matches("ha");
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *--wait*|*--when*) set -- --min-pollers 0 \"$@\";; esac\n\
             exec '{BINARY}' {action} {place} \"$@\"\n"
        );
        write_program(&self.programs.path().join(name), &script);
    }

    /// A command of the file, as systemd would start it.
    fn command(&self, setting: &str, main_pid: &str) -> Command {
        let line = DROP_IN
            .lines()
            .find_map(|l| l.strip_prefix(&format!("{setting}=-+")))
            .expect("the setting");
        let folder = format!("{}/", self.programs.path().display());
        let line = line
            .replace("/usr/bin/", &folder)
            .replace("%n", "web.service")
            .replace("%N", "web")
            .replace("$$", "$");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &line]).env("MAINPID", main_pid);
        command
    }

    fn run(&self, setting: &str) -> Ran {
        self.command(setting, "77").output().unwrap().into()
    }

    fn is_down(&self) -> bool {
        self.site.daemon.spool.path("web").exists()
    }
}

#[test]
fn a_restart_is_drained_before_and_put_back_when_healthy() {
    let mut unit = Unit::new();
    let balancer = unit.balancer();
    unit.run("ExecStop").code_is(0);
    assert_eq!(balancer.stat("web", "s1", "status"), "DOWN");
    assert_eq!(unit.site.daemon.spool.json("web")["reason"], REASON);
    unit.site.service.stop();
    unit.run("ExecStartPre").code_is(1);
    let mut starting = unit.command("ExecStartPost", "77").spawn().unwrap();
    let polls = unit.site.polls();
    wait_until(PATIENCE, "ten polls", || unit.site.polls() > polls + 10);
    assert!(starting.try_wait().unwrap().is_none() && unit.is_down());
    unit.site.service =
        Upstream::start_on(unit.site.service.address, |_| Some(http("200 OK", "s1")));
    assert_eq!(starting.wait().unwrap().code(), Some(0));
    assert!(!unit.is_down());
    balancer.wait_for("web", "s1", "UP");
}

#[test]
fn a_service_that_starts_is_down_until_it_is_healthy() {
    let unit = Unit::new();
    let _balancer = unit.balancer();
    unit.run("ExecStartPre").code_is(0);
    assert_eq!(unit.site.daemon.spool.json("web")["reason"], REASON);
    unit.run("ExecStartPost").code_is(0);
    assert!(!unit.is_down());
}

#[test]
fn the_downtime_of_somebody_else_survives_a_restart() {
    let unit = Unit::new();
    let _balancer = unit.balancer();
    let spool = &unit.site.daemon.spool;
    spool.run("hadown", &["-r", "new disk", "web"]);
    unit.run("ExecStop").code_is(1);
    unit.run("ExecStartPre").code_is(1);
    unit.run("ExecStartPost").code_is(0);
    assert_eq!(spool.json("web")["reason"], "new disk");
}

#[test]
fn a_service_that_crashed_is_not_drained() {
    let unit = Unit::new();
    let ran: Ran = unit.command("ExecStop", "").output().unwrap().into();
    ran.is(0, "");
    assert!(!unit.is_down());
}

/// Polls ten times a second, as a balancer would, and notes status and body of each answer.
const POLLER: &str = "#!/bin/sh
while sleep 0.1; do
    curl -s -w '\\n%{http_code}\\n' http://127.0.0.1:3333/http/web/8080/healthz >> /run/polls
done
";

/// The service is one more hacheck, which takes a second to start.
const UNITS: [(&str, &str); 3] = [
    (
        "hacheck",
        "[Service]\nType=notify\nExecStart=/usr/bin/hacheck serve -B 127.0.0.1 -c /etc/hacheck.yml\n",
    ),
    (
        "web",
        "[Service]\nRestart=on-failure\nRestartSec=0\nExecStopPost=/bin/cp /run/polls /run/polls-at-stop\n\
         ExecStart=/bin/sh -c 'sleep 1; exec /usr/bin/hacheck serve -B 127.0.0.1 -p 8080 --spool-root /tmp'\n",
    ),
    (
        "poller",
        "[Unit]\nBefore=web.service\n[Service]\nExecStart=/usr/bin/poller\n",
    ),
];

fn prepare(chroot: &Chroot) {
    make_bootable(chroot);
    let binary = chroot.bring(Path::new(BINARY));
    let root = chroot.root();
    let units = root.join("etc/systemd/system");
    for (name, text) in UNITS {
        let text = format!("{text}[Install]\nWantedBy=multi-user.target\n");
        fs::write(units.join(format!("{name}.service")), text).unwrap();
    }
    fs::create_dir(units.join("web.service.d")).unwrap();
    fs::write(units.join("web.service.d/drain.conf"), DROP_IN).unwrap();
    fs::write(root.join("usr/bin/poller"), POLLER).unwrap();
    fs::write(root.join("etc/hacheck.yml"), "cache_time: 1\n").unwrap();
    chroot.run(&format!(
        "mv {binary} /usr/bin/hacheck; hacheck install /usr/bin; mkdir -p /var/spool/hacheck; \
         chmod 755 /usr/bin/poller; systemctl -q enable hacheck web poller"
    ));
}

/// What the drop-in promises, where a real systemd acts: at boot, restart, crash, stop and start.
#[test]
#[ignore = "boots a system in systemd-nspawn, which not every place may do: run it with --ignored"]
fn booted_a_service_is_drained_before_it_stops_and_down_until_it_is_healthy() {
    let chroot = Chroot::new();
    prepare(&chroot);
    let system = Booted::boot(&chroot);
    let polls = || system.says("cat /run/polls");
    let is_up = || system.says("hastatus web") == "UP\tweb\n";
    let in_rotation = || {
        let told = || is_up() && polls().ends_with("\n200\n");
        wait_until(BOOTED, "the poller is told that web is up", told);
    };
    in_rotation();
    let told = polls();
    assert!(told.contains(REASON), "{told}");

    system.run("true > /run/polls; systemctl restart web");
    in_rotation();
    let before = system.run("tail -n 2 /run/polls-at-stop");
    assert!(before.contains(REASON), "it stops undrained: {before}");
    assert!(!polls().contains("connection refused"), "{}", polls());

    system.run("true > /run/polls; systemctl kill -s KILL --kill-whom=main web");
    let down_again = || polls().contains(REASON);
    wait_until(BOOTED, "systemd starts web again", down_again);
    in_rotation();

    system.run("systemctl stop web; hastatus web | grep -q '^DOWN.*systemd restarts web.service'");
    system.run("systemctl start web; hastatus web");
    in_rotation();

    system.run("hadown -r disk web; systemctl restart web; hastatus web | grep -q 'disk$'");
}

#[test]
fn systemd_finds_no_fault_in_the_drop_in() {
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        return;
    }
    let units = TempDir::new();
    let drop_ins = units.path().join("web.service.d");
    fs::create_dir(&drop_ins).unwrap();
    let set_up = DROP_IN.replace("/usr/bin/ha", "/bin/echo ha");
    fs::write(drop_ins.join("drain.conf"), set_up).unwrap();
    for unit in ["web", "hacheck"] {
        let file = units.path().join(format!("{unit}.service"));
        fs::write(file, "[Service]\nExecStart=/bin/sleep 9\n").unwrap();
    }
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]);
    verify.arg(units.path().join("web.service"));
    verify.env("SYSTEMD_UNIT_PATH", format!("{}:", units.path().display()));
    let ran: Ran = verify.output().unwrap().into();
    ran.is(0, "");
}
