//! `hacheck fleet roles`: the lines of etcdctl that let operators and hosts write what is theirs.
//!
//! Rule: nothing is asked and nothing is changed; whoever administers etcd reads the lines before running them.

use super::applet::{FleetCall, host_name};
use super::client;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::fleet::Paths;
use crate::fleet::settings::FleetSettings;

/// The role of operators.
const OPERATORS: &str = "fleet-ops";

pub(super) fn show(fleet: &FleetCall<'_>, hosts: &[&str]) -> Result<u8, Failure> {
    let settings = client::settings(fleet.call, &fleet.file)?;
    let paths = settings.paths();
    let mut text = operators(&paths);
    for name in names(&settings, hosts)? {
        text += &of_host(&paths, &name);
    }

    // Last, as etcd refuses everybody from then on who has no role.
    text += "# Once there is a user root with the role root: etcdctl auth enable\n";
    output::print(&text)?;
    Ok(0)
}

/// The hosts that are named, else this one.
fn names(settings: &FleetSettings, hosts: &[&str]) -> Result<Vec<String>, Failure> {
    if hosts.is_empty() {
        return Ok(vec![settings.host_name()]);
    }

    let mut names = Vec::new();
    for host in hosts {
        names.push(host_name(host)?.to_owned());
    }

    Ok(names)
}

fn operators(paths: &Paths) -> String {
    let mut text = format!(
        "# Operators: whoever has a certificate with this CN, or this user's password, may order anything.\n\
         etcdctl role add {OPERATORS}\n"
    );
    text += &grant(OPERATORS, "readwrite", &format!("{}/", paths.root()), true);
    text + &user(OPERATORS, OPERATORS)
}

/// A role for each host, so that none can write what another one is.
fn of_host(paths: &Paths, host: &str) -> String {
    let role = format!("fleet-host-{host}");
    let mut text =
        format!("# The host {host}: its certificate has the CN {host}.\netcdctl role add {role}\n");
    // All may read all: a host that rolls counts which others are out.
    text += &grant(&role, "read", &format!("{}/", paths.root()), true);
    for (path, is_prefix) in written_by(paths, host) {
        text += &grant(&role, "readwrite", &path, is_prefix);
    }

    text + &user(host, &role)
}

/// What a host writes, and whether that is the beginning of many paths.
fn written_by(paths: &Paths, host: &str) -> [(String, bool); 7] {
    [
        (paths.host(host), false),
        (paths.alive(host), false),
        (paths.down_of(host), true),
        (paths.slots_of(host), true),
        // Shared by all hosts: whose turn it is, how their parts of rolls ended, and the log. With the locks of rolls beside
        // them a host could begin rolls, and end those of operators.
        (paths.gate(), false),
        (paths.rolls_by_id(), true),
        (paths.log(), true),
    ]
}

fn grant(role: &str, how: &str, path: &str, is_prefix: bool) -> String {
    let prefix = if is_prefix { "--prefix=true " } else { "" };
    format!("etcdctl role grant-permission {prefix}{role} {how} {path}\n")
}

fn user(name: &str, role: &str) -> String {
    format!("etcdctl user add {name} --no-password\netcdctl user grant-role {name} {role}\n\n")
}
