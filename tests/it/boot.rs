//! The package under a real systemd, booted in a container of systemd-nspawn. Not every place where tests run may boot
//! one, so this is run on demand: cargo test --test it -- --ignored booted

use std::fs::File;
use std::process::{Command, Output};
use std::time::Duration;

use crate::docs::section;
use crate::support::package::{Chroot, package};
use crate::support::process::Process;
use crate::support::root::{as_root, both, succeed};
use crate::support::wait_until;

const BOOT: Duration = Duration::from_secs(120);

/// A booted system; it ends when this is dropped.
pub struct Booted {
    nspawn: Process,
    /// Process 1 of it, as seen from here.
    leader: String,
}

impl Booted {
    pub fn boot(chroot: &Chroot) -> Self {
        let mut command = as_root("systemd-nspawn");
        command.args([
            "--quiet",
            "--boot",
            "--keep-unit",
            "--register=no",
            "--private-network",
            "--directory",
        ]);
        let output = File::create(chroot.root().with_extension("console")).unwrap();
        command
            .arg(chroot.root())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let mut nspawn = Process::spawn(&mut command);
        let mut leader = String::new();
        wait_until(BOOT, "the system boots", || {
            let console =
                || std::fs::read_to_string(chroot.root().with_extension("console")).unwrap();
            assert!(nspawn.ended().is_none(), "{}", console());
            leader = leader_below(nspawn.child().id()).unwrap_or_default();
            let state = || both(&Self::enter(&leader, "systemctl is-system-running"));
            !leader.is_empty() && matches!(state().trim(), "running" | "degraded")
        });
        let _ = std::fs::remove_file(chroot.root().with_extension("console"));
        Self { nspawn, leader }
    }

    fn enter(leader: &str, script: &str) -> Output {
        let mut command = as_root("nsenter");
        command.args([
            "--target", leader, "--mount", "--uts", "--ipc", "--net", "--pid", "--", "sh", "-c",
            script,
        ]);
        command
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C")
            .output()
            .unwrap()
    }

    /// What a script prints, whether it fails or not.
    pub fn says(&self, script: &str) -> String {
        both(&Self::enter(&self.leader, script))
    }

    #[track_caller]
    pub fn run(&self, script: &str) -> String {
        let ran = Self::enter(&self.leader, &format!("set -e; {script}"));
        assert!(
            ran.status.success(),
            "{script}: {}\n{}",
            both(&ran),
            self.journal()
        );
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    /// Waits until it goes down for a reboot: then systemd-nspawn ends, and whoever started it boots it again.
    #[track_caller]
    pub fn reboots(mut self) {
        wait_until(BOOT, "the system goes down", || {
            self.nspawn.ended().is_some()
        });
    }

    /// Runs commands while a balancer polls, which is answered each time.
    #[track_caller]
    fn loses_no_poll_while(&self, commands: &str) {
        let polled = self.run(&format!(
            "{POLL} trap \"touch /tmp/stop\" EXIT; poll > /tmp/polled 2>&1 & {commands}\n\
             sleep 0.3; touch /tmp/stop; wait; cat /tmp/polled"
        ));
        assert!(
            polled.trim().ends_with(" lost=0") && !polled.contains("asked=0"),
            "{polled}\n{}",
            self.journal()
        );
    }

    fn journal(&self) -> String {
        both(&Self::enter(
            &self.leader,
            "journalctl --no-pager -u hacheck.service -u hacheck.socket -u web.service",
        ))
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        // With its process 1, all of it ends.
        let _ = as_root("kill").args(["-KILL", &self.leader]).output();
    }
}

/// The child of systemd-nspawn, by sudo or not, that is process 1 of a system.
fn leader_below(pid: u32) -> Option<String> {
    let children = Command::new("ps")
        .args(["-o", "pid=,comm=", "--ppid", &pid.to_string()])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&children.stdout).into_owned();
    text.lines().find_map(|line| {
        let (child, name) = line.trim().split_once(' ')?;
        if name.trim() == "systemd" {
            Some(child.to_owned())
        } else {
            leader_below(child.parse().ok()?)
        }
    })
}

/// Installs what a system needs to boot, and what the tests use in it.
pub fn make_bootable(chroot: &Chroot) {
    let packages = "systemd systemd-sysv dbus curl";
    succeed(
        as_root("cp")
            .arg("/etc/resolv.conf")
            .arg(chroot.root().join("etc/resolv.conf")),
    );
    chroot.run(&format!(
        "apt-get update -qq; apt-get install -qq -y --no-install-recommends {packages} >/dev/null"
    ));
}

/// A system that can boot, with the package installed, and where that is in it.
fn installed() -> (Chroot, String) {
    let chroot = Chroot::new();
    let package = chroot.bring(package());
    make_bootable(&chroot);
    chroot.run(&format!("dpkg -i {package}"));
    (chroot, package)
}

/// A shell function that polls until told, and says what it saw.
const POLL: &str = "poll() { n=0; bad=0; while [ ! -e /tmp/stop ]; do
    curl -s -m 10 -o /dev/null -f http://127.0.0.1:3333/spool/web/80 || bad=$((bad + 1)); n=$((n + 1)); done
    echo asked=$n lost=$bad; };";

#[test]
#[ignore = "boots a system in systemd-nspawn, which not every place may do: run it with --ignored"]
fn booted_the_unit_holds_what_it_promises() {
    let (chroot, package) = installed();
    let system = Booted::boot(&chroot);

    assert_eq!(
        system.run("systemctl is-active hacheck.service hacheck.socket"),
        "active\nactive\n"
    );
    let status = system.run("cat /proc/$(systemctl show -p MainPID --value hacheck)/status");
    for line in ["CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(line), "no {line:?} in {status}");
    }
    system.run("hadown -r disk web; curl -s -m 10 http://127.0.0.1:3333/spool/web/80 | grep -q disk; haup web");
    system.run("curl -s -m 10 http://127.0.0.1:3333/healthz | grep -qx ok");

    let upgrade = format!("dpkg -i {package} >/dev/null 2>&1");
    let restarts = "systemctl restart hacheck; sleep 0.3; systemctl restart hacheck; sleep 0.3; systemctl reload hacheck";
    system.loses_no_poll_while(&format!("{restarts}; {upgrade}"));

    system.run("echo 'rlimit_nofile: max' >> /etc/hacheck/hacheck.yml; systemctl restart hacheck");
    system.run(
        "echo 'cache_time: bad' >> /etc/hacheck/hacheck.yml; ! systemctl reload hacheck; systemctl status hacheck | grep 'reload at .* failed: '",
    );
    system.run("systemctl is-active hacheck");
    assert!(
        system
            .journal()
            .contains("cache_time: 'bad' is not a number"),
        "{}",
        system.journal()
    );
    // A broken configuration does not make an upgrade end the daemon.
    system.run(&format!(
        "{upgrade}; curl -s -m 10 -f http://127.0.0.1:3333/healthz"
    ));

    // A password that root alone can read, a command, and a unix socket, from within the unit's restrictions.
    system.run(
        "sed -i '$d' /etc/hacheck/hacheck.yml; umask 077; echo secret > /etc/hacheck/password; mkdir -p /etc/systemd/system/hacheck.service.d
         umask 022; printf '[Service]\\nLoadCredential=mysql_password:/etc/hacheck/password\\n' \\
             > /etc/systemd/system/hacheck.service.d/password.conf
         printf '%s\\n' 'mysql_username: u' 'mysql_password_file: mysql_password' 'exec: {ok: [/bin/sh, -c, echo well]}' \\
             'services: {bus: {socket: /run/dbus/system_bus_socket}}' >> /etc/hacheck/hacheck.yml
         systemctl daemon-reload; systemctl restart hacheck",
    );
    for (path, answer) in [("exec/web/1/ok", "well"), ("tcp/bus/1", "Connected in")] {
        let ran = system.run(&format!("curl -s -m 10 http://127.0.0.1:3333/{path}"));
        assert!(ran.contains(answer), "{path}: {ran}\n{}", system.journal());
    }
    system.run("! setpriv --reuid hacheck --clear-groups cat /etc/hacheck/password 2>/dev/null");
    let reload = "systemctl reload hacheck";
    assert!(
        system
            .run(&format!("{reload}; journalctl -u hacheck -n 3"))
            .contains("configuration read from")
    );
    system.run(&format!(
        "{upgrade}; journalctl -u hacheck -n 3 | grep listening; curl -s -m 10 -f http://127.0.0.1:3333/healthz"
    ));

    system.run(
        "dpkg -r hacheck >/dev/null; ! systemctl is-active hacheck.socket; ! curl -s -m 10 http://127.0.0.1:3333/",
    );
}

/// The blocks of a language in a section of the document about installing.
fn blocks(heading: &str, language: &str) -> String {
    let mut text = String::new();
    let mut block = None;
    for line in section::lines("docs/install.md", heading) {
        let fence = line.strip_prefix("```").map(str::to_owned);
        match (&block, fence) {
            (None, Some(begun)) => block = Some(begun),
            (Some(_), Some(_)) => block = None,
            (Some(shown), None) if shown == language => text += &format!("{line}\n"),
            _ => {}
        }
    }
    assert!(!text.is_empty(), "{heading} shows no {language}");
    text
}

/// What an agent is told of web.
const ASK_AGENT: &str =
    "timeout 10 bash -c 'exec 3<>/dev/tcp/127.0.0.1/3334; echo web >&3; head -n 1 <&3'";

#[test]
#[ignore = "boots a system in systemd-nspawn, which not every place may do: run it with --ignored"]
fn booted_another_port_and_a_port_for_agents_are_had_by_the_commands_of_the_documents() {
    let (chroot, package) = installed();
    let system = Booted::boot(&chroot);

    system.loses_no_poll_while(&blocks("A port for agents", "sh"));
    assert_eq!(system.run(ASK_AGENT), "up\n");
    system.run("hadown -r disk web");
    assert!(system.run(ASK_AGENT).contains("disk"));
    system.run("haup web; systemctl restart hacheck");
    assert_eq!(system.run(ASK_AGENT), "up\n");
    assert_eq!(
        system.run("systemctl is-enabled hacheck-agent.socket"),
        "enabled\n"
    );

    // An editor that writes what the document shows, and a terminal, without which systemctl starts none.
    let drop_in = blocks("Another port or address", "ini");
    system.run(&format!(
        "printf '#!/bin/sh\\ncat > \"$1\" <<E\\n%sE\\n' '{drop_in}' > /root/editor; chmod +x /root/editor;
         SYSTEMD_EDITOR=/root/editor script -qec 'systemctl edit hacheck.socket' /dev/null"
    ));
    system.run(&blocks("Another port or address", "sh"));
    let answers = "curl -s -m 10 -f http://127.0.0.1:3000/healthz; ! curl -s -m 10 http://127.0.0.1:3333/healthz";
    let check = format!("{answers}; hadown --wait -p 3000 web; haup web");
    assert!(system.run(&check).starts_with("ok\n"));
    assert_eq!(system.run(ASK_AGENT), "up\n");
    system.run("systemctl reload hacheck");
    system.run(&format!("dpkg -i {package} >/dev/null 2>&1; {answers}"));
    assert_eq!(system.run(ASK_AGENT), "up\n");
}

/// What the engine has below a key of the fleet.
const IN_ETCD: &str = "ETCDCTL_API=3 etcdctl get --prefix --print-value-only /hacheck/v1/test";

#[test]
#[ignore = "boots a system in systemd-nspawn, which not every place may do: run it with --ignored"]
fn booted_a_roll_that_reboots_its_host_is_finished_after_the_boot_and_gives_the_slot_back() {
    let (chroot, _) = installed();
    let in_fleet = "printf '%s\\n' 'fleet: test' \"endpoints: ['http://127.0.0.1:2379']\" 'host: web01' 'services: [web]' \\
             > /etc/hacheck/fleet.yml; echo 'fleet_file: /etc/hacheck/fleet.yml' >> /etc/hacheck/hacheck.yml";
    chroot.run(&format!(
        "apt-get install -qq -y --no-install-recommends etcd-server etcd-client >/dev/null; {in_fleet};
         echo '127.0.0.1 localhost' >> /etc/hosts"
    ));
    let system = Booted::boot(&chroot);
    wait_until(BOOT, "the host is known", || {
        let hosts = system.says("hacheck fleet hosts -o tsv");
        hosts.starts_with("web01\talive\t")
    });
    let boot = system.run("cat /proc/sys/kernel/random/boot_id");
    let roll =
        "haroll --max-down 1 --roll r-boot -r kernel --min-pollers 0 web -- systemctl reboot";
    system.run(&format!("systemd-run --quiet --unit roll {roll}"));
    system.reboots();

    let system = Booted::boot(&chroot);
    assert_ne!(system.run("cat /proc/sys/kernel/random/boot_id"), boot);
    let result = format!("{IN_ETCD}/rolls/r-boot/web01");
    wait_until(BOOT, "the roll is finished", || {
        system.says(&result).contains("\"state\":\"done\"")
    });
    let journal = system.run("journalctl --no-pager -u hacheck-roll-finish.service");
    for line in [
        "haroll: roll r-boot of web goes on after its command: systemctl reboot",
        "haroll: roll r-boot: web01 is done, and its slot is free",
    ] {
        assert!(journal.contains(line), "no {line:?} in {journal}");
    }
    assert_eq!(system.run(&format!("{IN_ETCD}/slots/")), "");
    assert_eq!(system.run("hastatus web"), "UP\tweb\n");
    assert_eq!(system.run("ls -A /var/lib/hacheck/roll"), "");
}
