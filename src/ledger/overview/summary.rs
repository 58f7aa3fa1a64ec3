//! The host in one sentence, for page, terminal and fleet alike. It holds no time, so that it is news only when it is.

use serde::{Deserialize, Serialize};

use super::{Rotation, ServiceRow};

/// Up to so many services are named, more are counted.
const NAMED_MAX: usize = 3;

/// The host's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The worst of its services that anybody asks for.
    pub state: Rotation,
    /// The sentence. Who took the whole host down, and why, is left to who shows it.
    pub text: String,
    /// Services in rotation.
    pub inside: usize,
    /// Services that are asked for.
    pub asked: usize,
}

impl Summary {
    /// Sums up the services, the worst first; `whole` when the whole host is down.
    #[must_use]
    pub fn of(services: &[ServiceRow], whole: bool) -> Self {
        // What nobody asks for is in no rotation.
        let asked = services.iter().filter(|s| s.state != Rotation::Silent);
        let asked: Vec<&ServiceRow> = asked.collect();
        let inside = asked.iter().filter(|s| s.state == Rotation::In).count();
        let state = asked.iter().map(|s| s.state).min();
        let state = state.unwrap_or(Rotation::Silent);
        // A service in rotation though the whole host is down has not been asked about since.
        let text = if whole && inside == 0 {
            format!("{}: the whole host was taken down", phase(&asked))
        } else {
            sentence(state, &asked, inside)
        };

        Self {
            state,
            text,
            inside,
            asked: asked.len(),
        }
    }
}

fn sentence(worst: Rotation, asked: &[&ServiceRow], inside: usize) -> String {
    match worst {
        Rotation::Silent => "No load balancer asks this host.".to_owned(),
        Rotation::In => all_in(inside),
        _ => some_out(asked, inside),
    }
}

/// How far a host is that is taken down as a whole.
fn phase(asked: &[&ServiceRow]) -> &'static str {
    // The slowest of its services is how far the host is.
    let has = |state| asked.iter().any(|s| s.state == state);
    if has(Rotation::Leaving) {
        "Leaving rotation"
    } else if has(Rotation::Draining) {
        "Draining"
    } else {
        "Out of rotation"
    }
}

fn all_in(services: usize) -> String {
    match services {
        1 => "In rotation: its service takes traffic.".to_owned(),
        n => format!("In rotation: all {n} services take traffic."),
    }
}

fn some_out(asked: &[&ServiceRow], inside: usize) -> String {
    let mut text = how_many(inside, asked.len());
    for state in Rotation::WORST_FIRST {
        let names = names_in(state, asked);
        if state != Rotation::In && !names.is_empty() {
            let verb = if names.len() == 1 { "is" } else { "are" };
            text += &format!("; {} {verb} {}", named(&names), state.words());
        }
    }

    text + "."
}

fn how_many(inside: usize, asked: usize) -> String {
    match inside {
        0 => "Out of rotation".to_owned(),
        1 => format!("1 of {asked} services takes traffic"),
        n => format!("{n} of {asked} services take traffic"),
    }
}

fn names_in<'a>(state: Rotation, services: &[&'a ServiceRow]) -> Vec<&'a str> {
    let wanted = services.iter().filter(|service| service.state == state);
    wanted.map(|service| service.name.as_str()).collect()
}

fn named(names: &[&str]) -> String {
    match names {
        [name] => (*name).to_owned(),
        [first @ .., last] if names.len() <= NAMED_MAX => {
            format!("{} and {last}", first.join(", "))
        }
        _ => format!("{} services", names.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_in_one_sentence() {
        use Rotation::{Down, Draining, Failing, In, Leaving, Silent};
        let table = [
            (&[][..], false, Silent, "No load balancer asks this host."),
            (
                &[("a", Silent)],
                false,
                Silent,
                "No load balancer asks this host.",
            ),
            (
                &[("a", In)],
                false,
                In,
                "In rotation: its service takes traffic.",
            ),
            (
                &[("a", Silent), ("b", In), ("c", In)],
                false,
                In,
                "In rotation: all 2 services take traffic.",
            ),
            (
                &[("a", Failing), ("b", In)],
                false,
                Failing,
                "1 of 2 services takes traffic; a is failing.",
            ),
            (
                &[
                    ("a", Leaving),
                    ("b", Down),
                    ("c", Down),
                    ("d", In),
                    ("e", In),
                ],
                false,
                Leaving,
                "2 of 5 services take traffic; a is leaving; b and c are down by hand.",
            ),
            (
                &[("a", Down), ("b", Down), ("c", Down), ("d", Down)],
                false,
                Down,
                "Out of rotation; 4 services are down by hand.",
            ),
            (
                &[("a", Leaving), ("b", Down)],
                true,
                Leaving,
                "Leaving rotation: the whole host was taken down",
            ),
            (
                &[("a", Draining), ("b", Down)],
                true,
                Draining,
                "Draining: the whole host was taken down",
            ),
            (
                &[],
                true,
                Silent,
                "Out of rotation: the whole host was taken down",
            ),
            // Just taken down: no balancer was told yet.
            (
                &[("a", In)],
                true,
                In,
                "In rotation: its service takes traffic.",
            ),
        ];
        for (services, whole, state, text) in table {
            let row = |(name, state): &(&str, Rotation)| ServiceRow {
                name: (*name).to_owned(),
                state: *state,
                checks: vec![],
            };
            let services: Vec<ServiceRow> = services.iter().map(row).collect();
            let summary = Summary::of(&services, whole);
            assert_eq!((summary.state, summary.text.as_str()), (state, text));
        }
    }
}
