use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::probe::tcp::TCP;

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
const C: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 3));

/// What a future gives without waiting.
fn at_once<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(work).poll(&mut context) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

#[test]
fn places_are_dealt_out_so_that_each_kind_leaves_some_to_the_next() {
    use Asker::{Configuration, Established, Stranger};
    for (size, expected) in [
        // One stranger, a second one, one established poller, a second one, the configuration.
        (64, [32, 16, 16, 0, 64]),
        (1024, [512, 256, 256, 0, 1024]),
        (4, [2, 1, 1, 0, 4]),
        (2, [2, 0, 0, 0, 2]),
        (1, [1, 0, 0, 0, 1]),
    ] {
        let places = Places::new(size);
        let mut taken = Vec::new();
        let askers = [
            Stranger(A),
            Stranger(B),
            Established(A),
            Established(B),
            Configuration,
        ];
        for (asker, expected) in askers.into_iter().zip(expected) {
            let before = taken.len();
            while let Some(place) = at_once(places.take(asker)) {
                taken.push(place);
            }
            assert_eq!(taken.len() - before, expected, "{asker:?} of {size}");
        }
    }
}

#[test]
fn one_established_address_leaves_a_quarter_to_the_others() {
    let places = Places::new(64);
    let mut taken = Vec::new();
    while let Some(place) = at_once(places.take(Asker::Established(A))) {
        taken.push(place);
    }
    assert_eq!(taken.len(), 48);
    assert!(at_once(places.take(Asker::Established(B))).is_some());
}

#[test]
fn who_waits_gets_the_place_that_is_given_back() {
    let places = Places::new(64);
    let mut taken: Vec<_> = (0..32)
        .map(|_| at_once(places.take(Asker::Stranger(A))).unwrap())
        .collect();
    let mut waiting = Box::pin(places.take(Asker::Stranger(A)));
    assert!(at_once(waiting.as_mut()).is_none());
    taken.pop();
    assert!(at_once(waiting).is_some());
}

fn slots(waiting: usize) -> Slots {
    Slots::new(SlotLimits {
        all: 100,
        target: 4,
        command: 4,
        waiting,
    })
}

async fn take(slots: &Slots, protocol: &Protocol, target: Target, asker: Asker) -> Option<Permit> {
    slots.take(protocol, &target, asker).await.ok()
}

fn has_slot(slots: &Slots, protocol: &Protocol, target: Target, asker: Asker) -> Option<Permit> {
    at_once(take(slots, protocol, target, asker)).flatten()
}

#[test]
fn a_command_is_known_by_its_name_and_a_target_by_host_and_port() {
    let of_service = |service: &str, port| Target {
        service: service.into(),
        ..Target::local(port, "/zk")
    };
    let slots = slots(100);
    let mut running = Vec::new();
    for (protocol, port) in [(&EXEC, 0), (&TCP, 80)] {
        for i in 0..10 {
            let target = of_service(&format!("made-up-{i}"), port);
            running.extend(has_slot(&slots, protocol, target, Asker::Stranger(A)));
        }
    }
    assert_eq!(running.len(), 2 + 2);
    let other = has_slot(&slots, &EXEC, of_service("web", 81), Asker::Stranger(A));
    assert!(other.is_none(), "another port is another command");
    let other = has_slot(&slots, &TCP, of_service("web", 81), Asker::Stranger(A));
    assert!(other.is_some());
    assert_eq!((slots.running(), slots.waiting()), (5, 0));
}

#[test]
fn a_line_that_is_full_refuses_strangers_but_neither_other_addresses_nor_pollers() {
    let slots = slots(8);
    let target = Target::local(80, "/");
    let mut waiting = Vec::new();
    let mut join = |asker| {
        let mut taking = Box::pin(slots.take(&TCP, &target, asker));
        match at_once(taking.as_mut()) {
            Some(Ok(permit)) => {
                std::mem::forget(permit);
                "runs"
            }
            Some(Err(refused)) => {
                assert!(refused.overload && refused.status == 503);
                "is refused"
            }
            None => {
                waiting.push(taking);
                "waits"
            }
        }
    };
    let mut all = |asker, times| {
        (0..times)
            .map(|_| join(asker))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(all(Asker::Stranger(A), 2), "runs runs");
    assert_eq!(
        all(Asker::Stranger(A), 5),
        "waits waits waits waits is refused"
    );
    assert_eq!(all(Asker::Stranger(B), 2), "runs waits");
    assert_eq!(all(Asker::Established(C), 2), "runs waits");
    assert_eq!(all(Asker::Configuration, 1), "runs");
}
