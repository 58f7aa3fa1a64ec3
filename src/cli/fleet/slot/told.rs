//! What is said of slots: who is out, and what to do about it.
//!
//! Rule: pure. Whoever waits is told for whom, and by which command that can be ended.

use crate::cli::fleet::scope;
use crate::cli::output::times;
use crate::fleet::picture::is_local;
use crate::fleet::slots::{Admission, OutCause, OutHost};
use crate::fleet::{RollId, Slot};
use crate::names::text::one_line;

/// `roll r-5k2: web on 40 hosts, at most 1 down; now out: web07 (lost), so nothing can begin`.
pub(crate) fn blocked(roll: &RollId, admission: &Admission) -> String {
    let standing = standing(roll, admission);
    format!("{standing}, so nothing can begin")
}

/// `roll r-5k2: web on 40 hosts, at most 2 down; now out: web07 (lost)`.
pub(crate) fn standing(roll: &RollId, admission: &Admission) -> String {
    let (key, max) = (&admission.key, admission.max);
    let hosts = scope::hosts(admission.hosts);
    let out = out(admission);
    format!("roll {roll}: {key} on {hosts}, at most {max} down; now out: {out}")
}

fn out(admission: &Admission) -> String {
    match admission.out.is_empty() {
        true => "none".to_owned(),
        false => scope::listed(admission.out.iter().map(described)),
    }
}

/// `'hacheck fleet forget web07' if it is gone for good, or --max-down 2`; for the first host of each cause.
pub(crate) fn remedy(admission: &Admission) -> String {
    let mut remedies: Vec<String> = Vec::new();
    let mut told = Vec::new();
    // Ten hosts that are lost need one piece of advice, not ten.
    for host in &admission.out {
        let kind = std::mem::discriminant(&host.cause);
        if !told.contains(&kind) {
            told.push(kind);
            remedies.push(remedy_of(host, admission));
        }
    }

    let wider = admission.out.len() + 1;
    format!("{}, or --max-down {wider}", remedies.join(", "))
}

/// `web07 (lost), web03 (down, local)`: all that are waited for.
pub(crate) fn waited_for(admissions: &[Admission]) -> String {
    let mut out: Vec<String> = Vec::new();
    for host in admissions.iter().flat_map(|admission| &admission.out) {
        let described = described(host);
        if !out.contains(&described) {
            out.push(described);
        }
    }

    scope::listed(&out)
}

/// `web07 (lost)`, `web02 (roll r-5k2, command since 18:22)`, `web03 (down, local)`.
pub(crate) fn described(host: &OutHost) -> String {
    let name = &host.name;
    match &host.cause {
        OutCause::Lost => format!("{name} (lost)"),
        OutCause::InSlot(slot) => format!("{name} ({})", in_slot(slot)),
        OutCause::Down(report) if is_local(report) => format!("{name} (down, local)"),
        OutCause::Down(_) => format!("{name} (down, by the fleet)"),
    }
}

/// `roll r-5k2, command since 18:22`.
pub(crate) fn in_slot(slot: &Slot) -> String {
    let (roll, phase) = (one_line(&slot.roll), one_line(&slot.phase));
    let since = times::brief(slot.changed());
    format!("roll {roll}, {phase} since {since}")
}

fn remedy_of(host: &OutHost, admission: &Admission) -> String {
    let (name, key) = (&host.name, &admission.key);
    match &host.cause {
        OutCause::Lost => format!("'hacheck fleet forget {name}' if it is gone for good"),
        OutCause::InSlot(_) => {
            format!("'hacheck fleet release {name} -r WHY' if its roll is dead")
        }
        OutCause::Down(report) if is_local(report) => {
            format!("'haup {key}' on {name} if it can serve")
        }
        OutCause::Down(_) => format!("'haup --fleet {key}' if they can serve"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Report;
    use crate::names::Key;

    fn admission(out: Vec<OutHost>) -> Admission {
        Admission {
            key: Key::parse("web").unwrap(),
            hosts: 40,
            max: 1,
            out,
        }
    }

    fn out(name: &str, cause: OutCause) -> OutHost {
        OutHost {
            name: name.to_owned(),
            cause,
        }
    }

    #[test]
    fn a_lost_host_is_named_with_what_to_do_as_specified() {
        let roll = RollId::parse("r-5k2").unwrap();
        let lost = admission(vec![out("web07", OutCause::Lost)]);
        assert_eq!(
            blocked(&roll, &lost),
            "roll r-5k2: web on 40 hosts, at most 1 down; now out: web07 (lost), so nothing can begin"
        );
        assert_eq!(
            remedy(&lost),
            "'hacheck fleet forget web07' if it is gone for good, or --max-down 2"
        );
        assert_eq!(
            standing(&roll, &admission(Vec::new())),
            "roll r-5k2: web on 40 hosts, at most 1 down; now out: none"
        );
    }

    #[test]
    fn each_cause_has_its_remedy_once() {
        let blocked = admission(vec![
            out("web01", OutCause::InSlot(Slot::default())),
            out("web02", OutCause::InSlot(Slot::default())),
            out("web03", OutCause::Down(Report::default())),
        ]);
        assert_eq!(
            remedy(&blocked),
            "'hacheck fleet release web01 -r WHY' if its roll is dead, 'haup web' on web03 if it can serve, or --max-down 4"
        );
    }
}
