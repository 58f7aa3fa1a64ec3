//! The options that the five share, and which of them each one uses.
//!
//! Rule: each takes all of them, since `-a` may make it another; what it does not use it does not
//! show.

use argh::{ArgsInfo, FromArgs};

use super::Task;

/// The command line of all five.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    note = "SERVICE is a service's name, or 'all' for everything on this host; web:8080 and web:10.0.0.7:8080 name one instance.",
    example = "hadown -r 'new kernel' all         until 'haup all'",
    example = "hadown --for 2h30m web mail        ends by itself",
    example = "hadown --until 18:00 web:8080      one instance, local time",
    example = "hadown --wait web                  until every load balancer has acted",
    example = "hadown --wait=drained web          ... and the last session has ended",
    example = "haup --when-healthy 3 --wait web   after three passed checks; until seen up",
    example = "hastatus web && echo up            exit code 1 when down",
    example = "hashowdowned -o json               for programs",
    example = "halist                             the checks that were polled lately",
    example = "halist --pollers web               who polls, and what each balancer sees",
    example = "hadown --fleet --where zone=a web  on all hosts of the fleet in zone a",
    example = "haup --fleet web                   lifts every order of the fleet for web",
    example = "hastatus --fleet web               how many are down, up or lost, and why",
    example = "hashowdowned --fleet               every downtime of every host"
)]
pub(super) struct SwitchArgs {
    /// folder of the downtimes (default /var/spool/hacheck)
    #[argh(option, arg_name = "folder")]
    pub(super) spool_root: Option<String>,
    /// up, down, status, status_downed or list: do this instead of what the name says
    #[argh(option, short = 'a')]
    pub(super) action: Option<String>,
    /// reason, shown to pollers and operators (default: the user's name)
    #[argh(option, short = 'r')]
    pub(super) reason: Option<String>,
    /// end of the downtime, in seconds of unix time
    #[argh(option, short = 'e', arg_name = "time")]
    pub(super) expiration: Option<String>,
    /// duration of the downtime: 90s, 45m, 2h30m, 3d, 1w
    #[argh(option, long = "for", arg_name = "duration")]
    pub(super) lasts: Option<String>,
    /// end of the downtime: 18:00, 2026-12-01T18:00, 2026-12-01T18:00Z, 2026-12-01
    #[argh(option, arg_name = "time")]
    pub(super) until: Option<String>,
    /// only the instance on this port
    #[argh(option, short = 'P', arg_name = "port")]
    pub(super) service_port: Option<String>,
    /// only the instance on this host; needs -P
    #[argh(option, short = 'H', arg_name = "host")]
    pub(super) service_host: Option<String>,
    /// port of the daemon on this host (default 3333)
    #[argh(option, short = 'p')]
    pub(super) port: Option<String>,
    /// tsv, uber, json or table (default tsv; hashowdowned, halist: on a terminal table); with --fleet also of hadown
    /// and haup: table, tsv or json
    #[argh(option, short = 'o', arg_name = "format")]
    pub(super) output: Option<String>,
    /// wait until every load balancer has acted; =drained: also until its sessions have ended
    #[argh(option, arg_name = "drained")]
    pub(super) wait: Option<String>,
    /// longest wait: 60, 90s, 5m (default: what the balancers need, at least 60 seconds)
    #[argh(option, arg_name = "time")]
    pub(super) timeout: Option<String>,
    /// equal answers after which a balancer without send-state counts as having acted (default: by the setting pollers, else 3)
    #[argh(option, arg_name = "number")]
    pub(super) polls: Option<String>,
    /// wait until this many balancers are known (default: until hacheck has run for 30 seconds)
    #[argh(option, arg_name = "number")]
    pub(super) min_pollers: Option<String>,
    /// longest wait for sessions to end, once every balancer has acted (default: what is left of --timeout)
    #[argh(option, arg_name = "time")]
    pub(super) drain_timeout: Option<String>,
    /// how long to wait for the sessions of a balancer without send-state, which are unknown (default 10 seconds)
    #[argh(option, arg_name = "time")]
    pub(super) grace: Option<String>,
    /// with --wait: even if a backend is left without a server, or nobody polls it
    #[argh(switch)]
    pub(super) force: bool,
    /// first wait for this many passed checks in a row
    #[argh(option, arg_name = "number")]
    pub(super) when_healthy: Option<String>,
    /// answer 404 instead of 503, for HAProxy's disable-on-404: old sessions are still served
    #[argh(switch)]
    pub(super) soft: bool,
    /// only set the weight to 0, by HAProxy's agent-check; needs agent_weights
    #[argh(switch)]
    pub(super) drain: bool,
    /// tell HAProxy's agents alone that it is down, while checks say what they find
    #[argh(switch)]
    pub(super) agent_only: bool,
    /// refuse if it is already down
    #[argh(switch)]
    pub(super) if_up: bool,
    /// list who polls, and what each load balancer sees
    #[argh(switch)]
    pub(super) pollers: bool,
    /// on all hosts of the fleet: by an order in etcd, which they obey
    #[argh(switch)]
    pub(super) fleet: bool,
    /// with --fleet: only hosts with these tags, as zone=a,b or zone!=a; may be given several times
    #[argh(option, long = "where", arg_name = "tag=value")]
    pub(super) conditions: Vec<String>,
    /// with --fleet: only these hosts, parted by commas
    #[argh(option, arg_name = "names")]
    pub(super) hosts: Vec<String>,
    /// file of the fleet (default $HACHECK_FLEET_FILE, else /etc/hacheck/fleet.yml)
    #[argh(option, arg_name = "file")]
    pub(super) fleet_file: Option<String>,
    /// put it back in rotation on this host though the fleet has ordered it down; needs -r, and no etcd
    #[argh(switch)]
    pub(super) override_fleet: bool,
    /// services or instances
    #[argh(positional)]
    pub(super) services: Vec<String>,
}

impl Task {
    /// Whether an option has a use here, and so is shown in help, man page and completion.
    pub(super) fn uses(self, option: &str) -> bool {
        use Task::{Down, List, Status, Up};
        let users: &[Self] = match option {
            "--expiration" | "--for" | "--until" | "--soft" | "--drain" | "--agent-only"
            | "--if-up" | "--drain-timeout" | "--grace" => &[Down],
            "--reason" => &[Down, Up],
            "--wait=drained" => &[Down],
            "--wait" | "--timeout" | "--polls" | "--min-pollers" | "--force" => &[Down, Up],
            "--when-healthy" | "--override-fleet" => &[Up],
            "--service-port" | "--service-host" => &[Down, Up, Status, List],
            "--port" => &[Down, Up, Status, List],
            "--pollers" => &[List],
            _ => return true,
        };
        users.contains(&self)
    }
}
