use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

fn slots(all: usize, target: usize, waiting: usize) -> Slots {
    Slots::new(SlotLimits {
        all,
        target,
        waiting,
    })
}

fn target(port: u16) -> Target {
    Target::local(port, "/")
}

/// What a future gives without waiting.
fn at_once<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(work).poll(&mut context) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

fn take(slots: &Slots, port: u16, passed: bool) -> Permit<'_> {
    match at_once(slots.take(&target(port), passed)) {
        Some(Ok(slot)) => slot,
        Some(Err(refused)) => panic!("{refused:?}"),
        None => panic!("no slot is free"),
    }
}

fn must_wait(slots: &Slots, port: u16, passed: bool) -> bool {
    at_once(slots.take(&target(port), passed)).is_none()
}

fn is_refused(slots: &Slots, port: u16, passed: bool) -> bool {
    match at_once(slots.take(&target(port), passed)) {
        Some(Err(refused)) => refused.overload && refused.status == 503,
        _ => false,
    }
}

#[test]
fn made_up_checks_leave_slots_for_those_that_passed() {
    let slots = slots(8, 100, 100);
    let known = CheckId::new(1);
    slots.note_passed(known, &target(80));
    let mut taken: Vec<_> = (1..=6).map(|port| take(&slots, port, false)).collect();
    assert!(must_wait(&slots, 7, false));
    assert!(must_wait(&slots, 7, slots.passed_lately(CheckId::new(2))));
    drop(take(&slots, 7, slots.passed_lately(known)));
    assert_eq!((slots.running(), slots.waiting()), (6, 0));
    taken.pop();
    take(&slots, 7, false);
}

#[test]
fn made_up_checks_of_one_target_leave_slots_there_too() {
    let slots = slots(100, 4, 100);
    let known = CheckId::new(1);
    slots.note_passed(known, &target(80));
    let _taken = [
        take(&slots, 80, false),
        take(&slots, 80, false),
        take(&slots, 80, false),
    ];
    assert!(is_refused(&slots, 80, false));
    take(&slots, 80, slots.passed_lately(known));
    take(&slots, 81, false);
}

#[test]
fn a_check_behind_too_many_that_wait_is_refused_at_once() {
    let slots = slots(1, 100, 1);
    let running = take(&slots, 1, false);
    let second = target(2);
    let mut waiting = Box::pin(slots.take(&second, false));
    assert!(at_once(waiting.as_mut()).is_none());
    assert!(is_refused(&slots, 3, false));
    drop(running);
    assert!(at_once(waiting).is_some_and(|taken| taken.is_ok()));
}
