//! What an operator types about a state, and where.
//!
//! Rule: only commands that are right as they stand; what is to be filled in is in capitals.

use serde::Serialize;

use super::entries::HostEntry;
use super::survey::{FleetState, SurveyedHost};
use crate::fleet::picture::is_local;
use crate::fleet::{Order, OrderState};

/// A command, and what it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Advice {
    /// The host to type it on; any that has `fleet.yml` when there is none.
    pub(crate) on: Option<String>,
    /// Its words, unquoted.
    pub(crate) command: Vec<String>,
    /// What it does, to be read behind it.
    pub(crate) effect: &'static str,
}

impl Advice {
    fn new(words: &[&str], effect: &'static str) -> Self {
        Self {
            on: None,
            command: words.iter().map(|word| (*word).to_owned()).collect(),
            effect,
        }
    }

    fn on(self, host: &str) -> Self {
        Self {
            on: Some(host.to_owned()),
            ..self
        }
    }
}

/// What to type about a host.
pub(super) fn for_host(host: &SurveyedHost<'_>) -> Option<Advice> {
    let name = host.name;
    match host.state {
        FleetState::Lost => {
            let words = ["hacheck", "fleet", "forget", name];
            Some(Advice::new(&words, "if it is gone for good"))
        }
        FleetState::Late => {
            let words = ["systemctl", "status", "hacheck"];
            Some(Advice::new(&words, "tells why it does not").on(name))
        }
        FleetState::Down | FleetState::Partly => for_downtime(host),
        FleetState::Waived => host.waived.first().and_then(|(order, _)| anew(order)),
        FleetState::Up => None,
    }
}

/// A slot that is left behind holds up all others; a local downtime is lifted there; one of the fleet by its order.
fn for_downtime(host: &SurveyedHost<'_>) -> Option<Advice> {
    if host.slots.is_some() {
        let words = ["hacheck", "fleet", "release", "-r", "WHY", host.name];
        return Some(Advice::new(&words, "if its roll is gone"));
    }

    let mut down = host.down?.iter();
    let (key, _) = down.find(|(_, report)| is_local(report))?;
    let advice = Advice::new(&["haup", "--wait", key], "puts it back");
    Some(advice.on(host.name))
}

/// A new order is obeyed again.
fn anew(order: &Order) -> Option<Advice> {
    let advice = of_order("hadown", order, "orders it anew: no waiver holds then");
    Some(advice)
}

/// What to type about an order.
pub(super) fn for_order(order: &Order) -> Option<Advice> {
    match order.state {
        OrderState::Down => Some(of_order("haup", order, "lifts it")),
        OrderState::Up => None,
    }
}

/// What to type about a roll over the fleet that nobody runs any more.
pub(super) fn for_roll(id: &str) -> Advice {
    let words = ["haroll", "--fleet", "--resume", id];
    Advice::new(&words, "goes on with the hosts that are not done")
}

fn of_order(command: &str, order: &Order, effect: &'static str) -> Advice {
    let selector = order.selector.to_string();
    let key = order.key.file_name();
    // Each word by itself, as a shell needs other quotes than a page does.
    let mut words = vec![command, "--fleet"];
    // The reason of an order is its author's: whoever orders anew has one of their own.
    if command == "hadown" {
        words.extend(["-r", "WHY"]);
    }

    if !order.selector.is_every_host() {
        words.extend(["--where", &selector]);
    }

    words.push(&key);
    Advice::new(&words, effect)
}

/// Leaves the same advice with the last of the hosts that share it.
pub(super) fn once_each(hosts: &mut [HostEntry]) {
    // They stand side by side, as the list is sorted by state.
    for next in 1..hosts.len() {
        if hosts[next - 1].advice == hosts[next].advice {
            hosts[next - 1].advice = None;
        }
    }
}
