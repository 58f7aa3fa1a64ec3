//! After a write: waiting until every live host has done it, and what is said then.

use std::time::Duration;

use serde_json::json;

use super::client::{FleetClient, WaitEnd};
use super::plan::{self, HostsStanding};
use super::request::FleetRequest;
use super::scope;
use super::write::WrittenOrders;
use crate::cli::applet::Call;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::output::entries::OutputFormat;
use crate::cli::output::times;
use crate::cli::wait::interrupt::Interrupt;
use crate::fleet::{Order, OrderState, Snapshot};
use crate::names::Key;

/// How long balancers may take, unless told otherwise.
const BALANCERS: Duration = Duration::from_secs(60);

/// What is waited for: the orders of one key, and the hosts that they are for.
struct KeyOrders<'a> {
    key: &'a Key,
    orders: Vec<&'a Order>,
    scope: Vec<String>,
}

/// Waits for the hosts, and tells how it went.
pub(super) fn finish(
    call: &Call,
    client: &mut FleetClient,
    request: &FleetRequest,
    written: &mut WrittenOrders,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    // The hosts of the moment of writing are waited for: those that come later were not meant by anybody.
    let mut snapshot = std::mem::take(&mut written.snapshot);
    let all = all(request, &written.orders, &snapshot);
    let limit = limit(client, request);
    let end = written.began + limit;
    let are_done = |snapshot: &Snapshot| all.iter().all(|task| task.is_done(request, snapshot));
    let ended = client.follow(&mut snapshot, end, interrupt, &are_done);
    let waited = Waited {
        call,
        request,
        ended,
        limit,
        elapsed: written.began.elapsed(),
        snapshot,
    };

    // Before the failures below: a program reads what was done in any case.
    if request.format == OutputFormat::Json {
        waited.print_json(&all)?;
    }

    waited.tell(&all)
}

fn limit(client: &FleetClient, request: &FleetRequest) -> Duration {
    // Hosts that hear of an order do it at once; their balancers need some polls.
    let usual = match request.wait {
        Some(_) => BALANCERS,
        None => client.settings.timeout,
    };
    request.timeout.unwrap_or(usual)
}

fn all<'a>(
    request: &'a FleetRequest,
    orders: &'a [Order],
    snapshot: &Snapshot,
) -> Vec<KeyOrders<'a>> {
    let mut all = Vec::new();
    for key in &request.keys {
        let own = orders.iter().filter(|order| order.key == *key);
        let orders: Vec<&Order> = own.collect();
        let scope = plan::scope(snapshot, key, &orders);
        all.push(KeyOrders { key, orders, scope });
    }

    all
}

/// How a wait went.
struct Waited<'a> {
    call: &'a Call,
    request: &'a FleetRequest,
    ended: WaitEnd,
    limit: Duration,
    elapsed: Duration,
    snapshot: Snapshot,
}

impl Waited<'_> {
    fn print_json(&self, all: &[KeyOrders<'_>]) -> Result<(), Failure> {
        let mut objects = Vec::new();
        for task in all {
            objects.push(task.json(self));
        }

        output::print(&format!("{}\n", json!(objects)))
    }

    fn tell(&self, all: &[KeyOrders<'_>]) -> Result<u8, Failure> {
        let mut failures = Vec::new();
        for task in all {
            failures.extend(task.tell_hosts(self));
            failures.extend(task.tell_rest(self));
        }

        Failure::unless_empty(&failures)?;
        Ok(0)
    }

    /// Says what is no failure, unless a program reads.
    fn say(&self, sentence: &str) {
        if self.request.format != OutputFormat::Json {
            output::complain(&format!("{}: {sentence}", self.call.program));
        }
    }

    /// `39 have done it after 0.1 s`.
    fn done(&self, count: usize) -> String {
        let done = match count {
            1 => "1 has done it".to_owned(),
            n => format!("{n} have done it"),
        };

        match &self.ended {
            WaitEnd::Done => format!("{done} after {:.1} s", self.elapsed.as_secs_f64()),
            WaitEnd::TimeUp(_) => format!("{done} within {} s", self.limit.as_secs_f64()),
            WaitEnd::Interrupted(signal) => {
                let signal = signal.as_str();
                format!("{done} when it was interrupted ({signal})")
            }
        }
    }
}

fn lost(names: &[String]) -> String {
    let listed = scope::listed(names);
    match names {
        [_] => format!("{listed} is lost and will when it is back"),
        _ => format!("{listed} are lost and will when they are back"),
    }
}

impl KeyOrders<'_> {
    fn standing(&self, request: &FleetRequest, snapshot: &Snapshot) -> HostsStanding {
        plan::standing(snapshot, &self.scope, &self.orders, request.wait)
    }

    fn is_done(&self, request: &FleetRequest, snapshot: &Snapshot) -> bool {
        // Those that are lost are told, and never waited for: nobody knows when they are back.
        self.standing(request, snapshot).missing.is_empty()
    }

    /// Tells how far the hosts are; fails where one has not done it.
    fn tell_hosts(&self, waited: &Waited<'_>) -> Option<Failure> {
        if self.orders.is_empty() {
            return None;
        }

        let standing = self.standing(waited.request, &waited.snapshot);
        let sentence = self.sentence(&standing, waited);
        let are_done = standing.missing.is_empty();
        if are_done {
            waited.say(&sentence);
        }

        if !standing.lost.is_empty() {
            waited.say(&lost(&standing.lost));
        }

        match are_done {
            true => None,
            false => Some(Failure::failed(sentence)),
        }
    }

    /// `web: ordered down on 40 hosts until 20:05; 39 have done it after 0.1 s`.
    fn sentence(&self, standing: &HostsStanding, waited: &Waited<'_>) -> String {
        let what = self.what();
        let done = waited.done(standing.done);
        let mut text = format!("{}: {what}; {done}", self.key);
        if !standing.missing.is_empty() {
            let missing = scope::listed(&standing.missing);
            let stays = self.what_stays();
            text += &format!(", but not {missing}; {stays}");
        }

        if let WaitEnd::TimeUp(Some(trouble)) = &waited.ended {
            text += &format!("\n{trouble}");
        }

        text
    }

    fn what(&self) -> String {
        let hosts = scope::hosts(self.scope.len());
        let Some(order) = self.orders.first() else {
            return "nothing was ordered".to_owned();
        };

        match (order.state, order.expiration) {
            (OrderState::Up, _) => format!("lifted on {hosts}"),
            (OrderState::Down, None) => format!("ordered down on {hosts}"),
            (OrderState::Down, Some(end)) => {
                format!("ordered down on {hosts} until {}", times::brief(end))
            }
        }
    }

    fn what_stays(&self) -> &'static str {
        match self.orders.first().map(|order| order.state) {
            Some(OrderState::Up) => "the lift stays, and they follow it when they know it",
            _ => "the order stays, and they follow it when they know it",
        }
    }

    /// After a lift: what else holds hosts down.
    fn tell_rest(&self, waited: &Waited<'_>) -> Vec<Failure> {
        let rest = self.rest(waited);
        let mut failing = rest.orders;
        match waited.request.wait {
            // Who waits for balancers waits in vain for a host that somebody holds down.
            Some(_) => failing.extend(rest.local),
            None => rest.local.iter().for_each(|local| waited.say(local)),
        }

        failing.into_iter().map(Failure::failed).collect()
    }

    /// Whether these are downtimes. All orders of a command are of one kind.
    fn is_down(&self) -> bool {
        let first = self.orders.first();
        first.is_some_and(|order| order.state == OrderState::Down)
    }

    /// What else holds hosts down; nothing where they were to go down.
    fn rest(&self, waited: &Waited<'_>) -> plan::Rest {
        let selector = &waited.request.selector;
        match self.is_down() {
            true => plan::Rest::default(),
            false => plan::rest(&waited.snapshot, self.key, &self.orders, selector),
        }
    }

    fn json(&self, waited: &Waited<'_>) -> serde_json::Value {
        let standing = self.standing(waited.request, &waited.snapshot);
        json!({
            "service": self.key.file_name(),
            "state": if self.is_down() { "down" } else { "up" },
            "orders": self.ids(),
            "where": self.selectors(),
            "hosts": self.scope,
            "done": standing.done,
            "missing": standing.missing,
            "lost": standing.lost,
            "seconds": waited.elapsed.as_secs_f64(),
            "held": self.held(waited),
        })
    }

    fn ids(&self) -> Vec<&str> {
        let orders = self.orders.iter();
        orders.map(|order| order.id.as_str()).collect()
    }

    fn selectors(&self) -> Vec<String> {
        let orders = self.orders.iter();
        orders.map(|order| order.selector.to_string()).collect()
    }

    /// What still holds hosts down after a lift.
    fn held(&self, waited: &Waited<'_>) -> Vec<String> {
        let rest = self.rest(waited);
        let mut held = rest.orders;
        held.extend(rest.local);
        held
    }
}
