//! Grants and endings that time out, conflict, or find that somebody else was there before.

use hacheck::fleet::engine::{Access, Engine, KeyRange};
use hacheck::fleet::slots::{
    Ending, MaxDown, OwnDowntimes, SlotHolder, SlotLook, SlotRequest, SlotScope,
};
use hacheck::fleet::{RollId, RollResult, RollState, now_micros};
use hacheck::spool::Key;
use serde_json::{Value, json};

use super::web;
use crate::support::etcd::{Etcd, MEMBERS};
use crate::support::fleet::paths;
use crate::support::{PATIENCE, block_on, wait_until};

/// A host that is out already, and at which something happens between the look and the grant.
struct Meanwhile<'a> {
    happen: Option<Box<dyn FnOnce() + 'a>>,
}

impl OwnDowntimes for Meanwhile<'_> {
    fn is_out(&mut self, _: &Key) -> bool {
        true
    }

    fn take_over(&mut self, _: &Key) -> bool {
        if let Some(happen) = self.happen.take() {
            happen();
        }
        true
    }
}

fn meanwhile<'a>(happen: impl FnOnce() + 'a) -> Meanwhile<'a> {
    Meanwhile {
        happen: Some(Box::new(happen)),
    }
}

fn nothing() -> Meanwhile<'static> {
    Meanwhile { happen: None }
}

/// A cluster in which a host is lost, so that another one may begin only because it is out itself.
fn crowded() -> Etcd {
    let etcd = Etcd::start();
    for host in ["web01", "web07"] {
        let record = json!({"v": 1, "host": host, "tags": {}, "services": ["web"]});
        etcd.put(0, &paths().host(host), &record.to_string());
    }
    etcd
}

fn engine(etcd: &Etcd, member: usize) -> Engine {
    let settings = etcd.settings("host: web01\ntimeout: 1\n");
    let access = Access::new(&settings, None).unwrap();
    Engine::beginning_at(access, member)
}

fn holder() -> SlotHolder {
    let request = SlotRequest {
        host: "web01".to_owned(),
        keys: vec![web()],
        scope: SlotScope::default(),
        max: MaxDown::Hosts(1),
        roll: RollId::new(),
        by: "alice".to_owned(),
        from: "ops1".to_owned(),
        reason: String::new(),
    };
    SlotHolder::new(paths(), request)
}

fn result_of(state: RollState) -> RollResult {
    RollResult {
        state,
        at: now_micros(),
        ..RollResult::default()
    }
}

/// Waits until the write that a frozen member held back would have come.
fn thaw(etcd: &Etcd, member: usize) {
    etcd.thaw(member);
    etcd.wait_until_it_answers();
}

#[test]
fn a_grant_that_timed_out_at_a_frozen_member_never_comes_late() {
    for is_leader in [true, false] {
        let etcd = crowded();
        let (leader, follower) = etcd.leader_and_follower();
        let member = if is_leader { leader } else { follower };
        let slot = paths().slot("web01", &web());
        let (mut engine, mut holder) = (engine(&etcd, member), holder());
        let mut own = meanwhile(|| etcd.freeze(member));
        let looked = block_on(holder.look(&mut engine, &mut own)).unwrap();
        assert!(matches!(looked, SlotLook::Again), "{looked:?}");
        assert!(holder.is_unknown());
        wait_until(PATIENCE, "the queue is left", || {
            block_on(holder.withdraw(&mut engine)).is_ok()
        });
        assert!(!holder.is_unknown());
        thaw(&etcd, member);
        let gate: Value =
            serde_json::from_str(&etcd.value(member, &paths().gate()).unwrap()).unwrap();
        assert_eq!(gate["host"], "web01");
        for asked in 0..MEMBERS {
            assert_eq!(etcd.value(asked, &slot), None);
        }
    }
}

#[test]
fn a_grant_of_which_nobody_knows_is_looked_up_and_is_granted_once() {
    let etcd = crowded();
    let (_, follower) = etcd.leader_and_follower();
    let slot = paths().slot("web01", &web());
    let (mut engine, mut holder) = (engine(&etcd, follower), holder());
    let mut own = meanwhile(|| etcd.freeze(follower));
    let looked = block_on(holder.look(&mut engine, &mut own)).unwrap();
    assert!(matches!(looked, SlotLook::Again), "{looked:?}");
    wait_until(PATIENCE, "it is granted", || {
        let looked = block_on(holder.look(&mut engine, &mut nothing()));
        matches!(looked, Ok(SlotLook::Granted(_)))
    });
    thaw(&etcd, follower);
    let done = result_of(RollState::Done);
    let ended = block_on(holder.end(&mut engine, &done, Ending::Released)).unwrap();
    assert!(ended && !holder.is_lost());
    assert_eq!(etcd.value(follower, &slot), None);
    let log = block_on(engine.read(&[KeyRange::under(&paths().log())]));
    assert_eq!(log.unwrap().pairs.len(), 2);
}

#[test]
fn what_timed_out_is_applied_where_the_engine_did_it_and_is_known_by_the_next_look() {
    let etcd = crowded();
    let (leader, follower) = etcd.leader_and_follower();
    let (mut engine, mut holder) = (engine(&etcd, follower), holder());
    // The member takes the write to the others, and the answer is lost with it.
    let mut own = meanwhile(|| etcd.freeze(leader));
    let looked = block_on(holder.look(&mut engine, &mut own)).unwrap();
    assert!(matches!(looked, SlotLook::Again), "{looked:?}");
    thaw(&etcd, leader);
    wait_until(PATIENCE, "it is granted", || {
        let looked = block_on(holder.look(&mut engine, &mut nothing()));
        matches!(looked, Ok(SlotLook::Granted(_)))
    });
    assert!(holder.holds() && !holder.is_unknown());
    let failed = result_of(RollState::Failed);
    assert!(block_on(holder.end(&mut engine, &failed, Ending::GivenBack)).unwrap());
    assert_eq!(etcd.value(0, &paths().slot("web01", &web())), None);
}

#[test]
fn a_slot_that_was_there_before_is_kept_where_nothing_came_of_the_roll() {
    let etcd = crowded();
    let path = paths().slot("web01", &web());
    etcd.put(
        0,
        &path,
        &json!({"v": 1, "roll": "r-old", "phase": "failed"}).to_string(),
    );
    let (mut engine, mut holder) = (engine(&etcd, 0), holder());
    let looked = block_on(holder.look(&mut engine, &mut nothing())).unwrap();
    assert!(matches!(looked, SlotLook::Granted(_)), "{looked:?}");
    let failed = result_of(RollState::Failed);
    assert!(block_on(holder.end(&mut engine, &failed, Ending::GivenBack)).unwrap());
    assert!(etcd.value(0, &path).is_some());
    // And where an operator releases it meanwhile, the end of the roll says so and writes its result.
    etcd.delete_under(0, &paths().slots());
    let done = result_of(RollState::Done);
    assert!(block_on(holder.end(&mut engine, &done, Ending::Released)).unwrap());
    assert!(holder.is_lost());
    let result = paths().roll_result(&holder.request().roll, "web01");
    assert!(
        etcd.value(0, &result)
            .unwrap()
            .contains("\"state\":\"done\"")
    );
}

#[test]
fn a_phase_or_a_release_that_timed_out_at_a_frozen_member_is_written_once_and_never_late() {
    for is_leader in [true, false] {
        let etcd = crowded();
        let (leader, follower) = etcd.leader_and_follower();
        let member = if is_leader { leader } else { follower };
        let (mut engine, mut holder) = (engine(&etcd, member), holder());
        let looked = block_on(holder.look(&mut engine, &mut nothing())).unwrap();
        assert!(matches!(looked, SlotLook::Granted(_)), "{looked:?}");
        etcd.freeze(member);
        wait_until(PATIENCE, "the phase is told, or known not to be", || {
            block_on(holder.enter(&mut engine, "command")).is_ok()
        });
        thaw(&etcd, member);
        // The connection is to another member now.
        let done = result_of(RollState::Done);
        (0..MEMBERS)
            .filter(|m| *m != member)
            .take(1)
            .for_each(|m| etcd.freeze(m));
        wait_until(PATIENCE, "the slot is released", || {
            matches!(
                block_on(holder.end(&mut engine, &done, Ending::Released)),
                Ok(true)
            )
        });
        (0..MEMBERS).for_each(|m| etcd.thaw(m));
        etcd.wait_until_it_answers();
        assert!(!holder.is_lost());
        for asked in 0..MEMBERS {
            assert_eq!(etcd.value(asked, &paths().slot("web01", &web())), None);
        }
        let log = block_on(engine.read(&[KeyRange::under(&paths().log())]));
        assert_eq!(log.unwrap().pairs.len(), 2);
    }
}
