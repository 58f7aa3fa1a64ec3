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
    let ended = client.follow(&mut snapshot, end, interrupt, &|snapshot| {
        all.iter().all(|task| task.is_done(request, snapshot))
    });
    let outcome = Waited {
        ended,
        limit,
        elapsed: written.began.elapsed(),
        snapshot,
    };

    if request.format == OutputFormat::Json {
        print_json(request, &all, &outcome)?;
    }

    tell(call, request, &all, &outcome)
}

fn print_json(
    request: &FleetRequest,
    all: &[KeyOrders<'_>],
    outcome: &Waited,
) -> Result<(), Failure> {
    let mut objects = Vec::new();
    for task in all {
        objects.push(task.json(request, outcome));
    }

    output::print(&format!("{}\n", json!(objects)))
}

fn limit(client: &FleetClient, request: &FleetRequest) -> Duration {
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
        let orders: Vec<&Order> = orders.iter().filter(|order| order.key == *key).collect();
        let scope = plan::scope(snapshot, key, &orders);
        all.push(KeyOrders { key, orders, scope });
    }

    all
}

/// How a wait went.
struct Waited {
    ended: WaitEnd,
    limit: Duration,
    elapsed: Duration,
    snapshot: Snapshot,
}

fn tell(
    call: &Call,
    request: &FleetRequest,
    all: &[KeyOrders<'_>],
    outcome: &Waited,
) -> Result<u8, Failure> {
    let mut failures = Vec::new();
    for task in all {
        task.tell_hosts(call, request, outcome, &mut failures);
        task.tell_rest(call, request, outcome, &mut failures);
    }

    Failure::unless_empty(&failures)?;
    Ok(0)
}

/// Says what is no failure, unless a program reads.
fn say(call: &Call, request: &FleetRequest, sentence: &str) {
    if request.format != OutputFormat::Json {
        output::complain(&format!("{}: {sentence}", call.program));
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

    /// Tells how far the hosts are.
    fn tell_hosts(
        &self,
        call: &Call,
        request: &FleetRequest,
        outcome: &Waited,
        failures: &mut Vec<Failure>,
    ) {
        if self.orders.is_empty() {
            return;
        }

        let standing = self.standing(request, &outcome.snapshot);
        let sentence = self.sentence(&standing, outcome);
        match standing.missing.is_empty() {
            true => say(call, request, &sentence),
            false => failures.push(Failure::failed(sentence)),
        }

        if !standing.lost.is_empty() {
            say(call, request, &lost(&standing.lost));
        }
    }

    /// `web: ordered down on 40 hosts until 20:05; 39 have done it after 0.1 s`.
    fn sentence(&self, standing: &HostsStanding, outcome: &Waited) -> String {
        let what = self.what();
        let done = done(standing.done, outcome);
        let mut text = format!("{}: {what}; {done}", self.key);
        if !standing.missing.is_empty() {
            let missing = scope::listed(&standing.missing);
            let stays = self.what_stays();
            text += &format!(", but not {missing}; {stays}");
        }

        if let WaitEnd::TimeUp(Some(trouble)) = &outcome.ended {
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
    fn tell_rest(
        &self,
        call: &Call,
        request: &FleetRequest,
        outcome: &Waited,
        failures: &mut Vec<Failure>,
    ) {
        if self.is_down() {
            return;
        }

        let rest = self.rest(request, &outcome.snapshot);
        for sentence in rest.orders {
            failures.push(Failure::failed(sentence));
        }

        for sentence in rest.local {
            match request.wait {
                Some(_) => failures.push(Failure::failed(sentence)),
                None => say(call, request, &sentence),
            }
        }
    }

    /// Whether these are downtimes. All orders of a command are of one kind.
    fn is_down(&self) -> bool {
        let first = self.orders.first();
        first.is_some_and(|order| order.state == OrderState::Down)
    }

    fn rest(&self, request: &FleetRequest, snapshot: &Snapshot) -> plan::Rest {
        plan::rest(snapshot, self.key, &self.orders, &request.selector)
    }

    fn json(&self, request: &FleetRequest, outcome: &Waited) -> serde_json::Value {
        let standing = self.standing(request, &outcome.snapshot);
        json!({
            "service": self.key.file_name(),
            "state": if self.is_down() { "down" } else { "up" },
            "orders": self.ids(),
            "where": self.selectors(),
            "hosts": self.scope,
            "done": standing.done,
            "missing": standing.missing,
            "lost": standing.lost,
            "seconds": outcome.elapsed.as_secs_f64(),
            "held": self.held(request, outcome),
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
    fn held(&self, request: &FleetRequest, outcome: &Waited) -> Vec<String> {
        if self.is_down() {
            return Vec::new();
        }

        let rest = self.rest(request, &outcome.snapshot);
        let mut held = rest.orders;
        held.extend(rest.local);
        held
    }
}

/// `39 have done it after 0.1 s`.
fn done(count: usize, outcome: &Waited) -> String {
    let done = match count {
        1 => "1 has done it".to_owned(),
        n => format!("{n} have done it"),
    };

    let seconds = outcome.elapsed.as_secs_f64();
    let limit = outcome.limit.as_secs_f64();
    match &outcome.ended {
        WaitEnd::Done => format!("{done} after {seconds:.1} s"),
        WaitEnd::TimeUp(_) => format!("{done} within {limit} s"),
        WaitEnd::Interrupted(signal) => {
            let signal = signal.as_str();
            format!("{done} when it was interrupted ({signal})")
        }
    }
}
