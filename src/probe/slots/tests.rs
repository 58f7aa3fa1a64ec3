use super::*;

fn slots(all: usize, target: usize, waiting: usize) -> Slots {
    Slots::new(Limits {
        all,
        target,
        waiting,
    })
}

fn target(port: u16) -> Target {
    Target::local(port, "/")
}

/// Whether a place is there now.
async fn is_there(slots: &Slots, port: u16, check: Option<Name>) -> bool {
    let target = target(port);
    let taking = slots.take(&target, check);
    tokio::time::timeout(Duration::from_millis(20), taking)
        .await
        .is_ok_and(|taken| taken.is_ok())
}

#[tokio::test]
async fn made_up_checks_leave_places_for_those_that_passed() {
    let slots = slots(8, 100, 100);
    let known = Name::new(1);
    slots.note_passed(known, &target(80));
    let mut taken = Vec::new();
    for port in 1..=6 {
        taken.push(
            slots
                .take(&target(port), None)
                .await
                .unwrap_or_else(|e| panic!("{e:?}")),
        );
    }
    assert!(!is_there(&slots, 7, None).await);
    assert!(!is_there(&slots, 7, Some(Name::new(2))).await);
    assert!(is_there(&slots, 7, Some(known)).await);
    assert_eq!((slots.running(), slots.waiting()), (6, 0));
    taken.pop();
    assert!(is_there(&slots, 7, None).await);
}

#[tokio::test]
async fn made_up_checks_of_one_target_leave_places_there_too() {
    let slots = slots(100, 4, 100);
    let known = Name::new(1);
    slots.note_passed(known, &target(80));
    let at = target(80);
    let (_a, _b, _c) = (
        slots.take(&at, None).await,
        slots.take(&at, None).await,
        slots.take(&at, None).await,
    );
    let full = slots.take(&at, None).await.map(drop).unwrap_err();
    assert!(full.overload && full.status == 503, "{full:?}");
    assert!(is_there(&slots, 80, Some(known)).await && is_there(&slots, 81, None).await);
}

#[tokio::test]
async fn those_who_would_wait_behind_too_many_are_told_at_once() {
    let slots = slots(1, 100, 1);
    let (first, second, third) = (target(1), target(2), target(3));
    let running = slots
        .take(&first, None)
        .await
        .map_err(|e| format!("{e:?}"))
        .unwrap();
    let mut waiting = Box::pin(slots.take(&second, None));
    assert!(
        tokio::time::timeout(Duration::from_millis(20), &mut waiting)
            .await
            .is_err()
    );
    assert!(
        slots
            .take(&third, None)
            .await
            .is_err_and(|told| told.overload)
    );
    drop(running);
    assert!(waiting.await.is_ok());
}

#[test]
fn the_memory_of_passed_checks_is_bounded_and_keeps_the_first() {
    let slots = slots(1, 1, 1);
    let real = Name::new(u64::MAX);
    slots.note_passed(real, &target(80));
    for i in 0..2 * PASSED_MAX as u64 {
        slots.note_passed(Name::new(i), &target(81));
    }
    let after = self::slots(1, 1, 1);
    after.adopt(&slots);
    assert_eq!(after.passed().checks.len(), PASSED_MAX);
    assert!(after.passed().checks.contains_key(&real));
}
