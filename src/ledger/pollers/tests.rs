use super::super::{AskedCheck, Face, PollerRow, Told, polled_checks};
use super::*;
use crate::net::Host;
use crate::probe::{Protocol, Target};
use crate::spool::ServiceName;

/// The rows of one service.
fn rows(pollers: &Pollers, service: &str) -> Vec<PollerRow> {
    let records = pollers.records(|poller| poller.service.as_str() == service);
    records.iter().map(|r| r.row(Vec::new())).collect()
}

fn poller(service: &str, node: &str) -> Arc<Poller> {
    let place = Some((Host::Local, 80));
    Arc::new(Poller {
        service: ServiceName::parse(service).unwrap(),
        check: AskedCheck::new(Face::Http, Some("http"), None, None, place),
        address: address(node),
        node: Some(node.into()),
        server: Some("web/s1".into()),
        user_agent: None,
    })
}

/// Each node has an address of its own.
fn address(node: &str) -> std::net::IpAddr {
    let digits = node.trim_start_matches(|c: char| !c.is_ascii_digit());
    let [high, low] = digits.parse::<u16>().unwrap_or(0).to_be_bytes();
    [10, 0, high, low].into()
}

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn stated(words: &str) -> Stated {
    let view = if words.starts_with("UP") {
        View::Up
    } else {
        View::Down
    };
    Stated {
        view: Some(view),
        words: Some(words.into()),
        ..Stated::default()
    }
}

fn poll(pollers: &mut Pollers, now: u64, poller: &Arc<Poller>, words: &str, told: Told) {
    pollers.asked(seconds(now), poller, &stated(words), None);
    answer(pollers, now, poller, told);
}

fn come(pollers: &mut Pollers, now: u64, poller: &Arc<Poller>) {
    poll(pollers, now, poller, "UP", Told::Up);
}

fn answer(pollers: &mut Pollers, now: u64, poller: &Poller, told: Told) {
    let at = Moment {
        since_start: seconds(now),
        unix: 0.0,
    };
    let answer = PollAnswer {
        told,
        code: 0,
        check: None,
        outcome: None,
    };
    pollers.answered(at, poller, &answer);
}

#[test]
fn junk_that_came_once_does_not_push_out_pollers_that_came_again() {
    let mut pollers = Pollers::new(100);
    let real: Vec<Arc<Poller>> = (0..80).map(|i| poller("web", &format!("lb{i}"))).collect();
    for now in 0..2 {
        real.iter()
            .for_each(|w| poll(&mut pollers, now, w, "UP", Told::Up));
    }
    for i in 0..10_000 {
        poll(
            &mut pollers,
            2,
            &poller(&format!("junk{i}"), "x"),
            "UP",
            Told::Up,
        );
        assert!(pollers.records.len() <= 100 && pollers.all.len() <= 100);
    }
    assert_eq!(rows(&pollers, "web").len(), 80);
    // One address has room for 16, and the first balancer has that of the junk.
    assert_eq!(pollers.figures(seconds(2)).forgotten, 10_000 - 15);
}

#[test]
fn pollers_that_came_again_leave_room_for_newcomers() {
    let mut pollers = Pollers::new(80);
    for now in 0..2 {
        (0..200).for_each(|i| {
            poll(
                &mut pollers,
                now,
                &poller("web", &format!("lb{i}")),
                "UP",
                Told::Up,
            );
            poll(
                &mut pollers,
                now,
                &poller("web", &format!("lb{i}")),
                "UP",
                Told::Up,
            );
        });
    }
    let new = poller("new", "lb");
    poll(&mut pollers, 3, &new, "UP", Told::Up);
    poll(&mut pollers, 4, &new, "UP", Told::Up);
    assert_eq!(rows(&pollers, "new").len(), 1);
    assert!(pollers.records.len() <= 80);
}

#[test]
fn established_pollers_are_pushed_out_by_nobody_however_often_others_come() {
    let mut pollers = Pollers::new(320);
    let real = poller("web", "lb1");
    for now in 0..5 {
        come(&mut pollers, now * 2, &real);
    }
    for i in 0..5000 {
        let junk = poller(&format!("junk{}", i % 2500), &format!("x{}", i % 100));
        come(&mut pollers, 10, &junk);
        come(&mut pollers, 10, &junk);
        let of_address = pollers.addresses.values().map(Share::len).max();
        assert!(of_address <= Some(20) && pollers.records.len() <= 320);
    }
    assert_eq!(rows(&pollers, "web").len(), 1);
    assert!(pollers.forgotten_lately(seconds(100)) > 1000);
    assert_eq!(pollers.forgotten_lately(seconds(4000)), 0);
    // It is pushed out like any other once it has been silent for long.
    pollers.prune(seconds(1000));
    for i in 0..5000 {
        let junk = poller(&format!("late{i}"), &format!("x{i}"));
        come(&mut pollers, 1000, &junk);
        come(&mut pollers, 1000, &junk);
    }
    assert_eq!(rows(&pollers, "web").len(), 0);
}

#[test]
fn an_address_that_is_full_of_established_pollers_gets_no_more_and_that_is_counted() {
    let mut pollers = Pollers::new(160);
    let of = |service: &str| poller(service, "lb1");
    for now in 0..5 {
        (0..16).for_each(|i| poll(&mut pollers, now, &of(&format!("web{i}")), "UP", Told::Up));
    }
    poll(&mut pollers, 5, &of("new"), "UP", Told::Up);
    assert_eq!(rows(&pollers, "new").len(), 0);
    assert_eq!(pollers.forgotten_lately(seconds(6)), 1);
    poll(&mut pollers, 5, &poller("new", "lb2"), "UP", Told::Up);
    assert_eq!(rows(&pollers, "new").len(), 1);
}

#[test]
fn an_answer_that_took_time_belongs_to_the_poll_before() {
    let mut pollers = Pollers::new(10);
    let lb = poller("web", "lb1");
    pollers.asked(seconds(1), &lb, &stated("UP"), None);
    assert_eq!(rows(&pollers, "web")[0].told, None);
    answer(&mut pollers, 3, &lb, Told::Up);
    poll(&mut pollers, 4, &lb, "UP", Told::Up);
    let row = rows(&pollers, "web").remove(0);
    assert_eq!(
        (row.polls, row.run, row.told, row.told_at),
        (2, 2, Some(Told::Up), 4.0)
    );
}

#[test]
fn a_poll_after_an_answer_other_than_up_is_marked() {
    let mut pollers = Pollers::new(10);
    let lb = poller("web", "lb1");
    let mut row = |now, words, told| {
        poll(&mut pollers, now, &lb, words, told);
        rows(&pollers, "web").remove(0)
    };
    assert!(!row(0, "UP", Told::Up).after_closed);
    assert!(
        !row(2, "UP", Told::Down).after_closed,
        "the first answer was not processed yet"
    );
    let third = row(4, "UP 1/2", Told::Down);
    assert_eq!(
        (third.after_closed, third.run, third.is_out()),
        (true, 2, Some(false))
    );
    let fourth = row(6, "DOWN", Told::Down);
    assert_eq!(
        (fourth.after_closed, fourth.run, fourth.is_out()),
        (true, 3, Some(true))
    );
    row(8, "DOWN", Told::Up);
    assert!(!row(10, "DOWN 1/2", Told::Up).after_closed);
}

#[test]
fn a_poller_counts_for_three_of_its_own_intervals() {
    let mut pollers = Pollers::new(10);
    let lb = poller("web", "lb1");
    (0..4).for_each(|i| poll(&mut pollers, i * 5, &lb, "UP", Told::Up));
    let row = rows(&pollers, "web").remove(0);
    assert_eq!(row.interval, Some(5.0));
    assert!(row.is_polling(30.0) && !row.is_polling(30.1));
    assert_eq!(pollers.figures(seconds(30)).polling, [1, 0, 0, 0]);
    assert_eq!(
        pollers.figures(seconds(31)),
        PollerFigures {
            silent: 1,
            ..PollerFigures::default()
        }
    );
}

#[test]
fn somebody_who_looks_by_hand_at_even_gaps_is_not_waited_for_and_a_loop_is() {
    let mut pollers = Pollers::new(8);
    let person = Arc::new(Poller {
        node: None,
        server: None,
        ..Arc::into_inner(poller("web", "lb1")).unwrap()
    });
    let by_hand = Stated {
        by_hand: true,
        ..Stated::default()
    };
    for (look, is_loop) in [(1, false), (2, false), (3, false), (4, false), (5, true)] {
        let now = 50 * look;
        pollers.asked(seconds(now), &person, &by_hand, None);
        answer(&mut pollers, now, &person, Told::Up);
        let [row] = &rows(&pollers, "web")[..] else {
            panic!("one poller");
        };
        assert_eq!(
            (row.counts(), row.is_person()),
            (is_loop, !is_loop),
            "{look}"
        );
    }
}

#[test]
fn a_poller_that_is_silent_for_an_hour_is_forgotten() {
    let mut pollers = Pollers::new(10);
    poll(&mut pollers, 0, &poller("web", "lb1"), "UP", Told::Up);
    poll(&mut pollers, 1800, &poller("web", "lb2"), "UP", Told::Up);
    pollers.prune(seconds(3601));
    assert_eq!(rows(&pollers, "web").len(), 1);
    assert_eq!((pollers.all.len(), pollers.addresses.len()), (1, 1));
}

/// A check of this port on this host, as a poller of this service asks it.
fn check(protocol: &str, service: &str) -> Check {
    let target = Target {
        service: service.into(),
        ..Target::local(80, "/")
    };
    Check {
        protocol: Protocol::find(protocol).unwrap(),
        target: Arc::new(target),
    }
}

#[test]
fn checks_that_differ_by_their_service_alone_are_different_where_it_decides() {
    for (protocol, different) in [("tcp", 1), ("group", 2)] {
        let mut pollers = Pollers::new(10);
        for service in ["node", "disk"] {
            let check = check(protocol, service);
            pollers.asked(
                seconds(0),
                &poller(service, "lb"),
                &stated("UP"),
                Some(&check),
            );
        }
        let records = pollers.records(|_| true);
        let polled = polled_checks(&records, seconds(1));
        assert_eq!(polled.checks.len(), different, "{protocol}");
    }
}
