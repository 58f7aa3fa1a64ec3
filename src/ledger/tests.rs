use super::*;
use crate::net::Host;
use crate::spool::ServiceName;

/// The rows of one service.
fn rows(ledger: &Ledger, service: &str) -> Vec<Row> {
    ledger
        .entries(|who| who.service.as_str() == service)
        .iter()
        .map(|entry| entry.row(Vec::new()))
        .collect()
}

fn who(service: &str, node: &str) -> Hashed<Who> {
    Hashed::new(Who {
        service: Hashed::new(ServiceName::parse(service).unwrap()),
        check: Hashed::new(Instance::new("", "http", None, Some((Host::Local, 80)))),
        address: [10, 0, 0, 1].into(),
        node: Some(node.into()),
        server: Some("web/s1".into()),
    })
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

fn poll(ledger: &mut Ledger, now: u64, who: &Hashed<Who>, words: &str, told: Told) {
    let poll = Poll {
        stated: &stated(words),
        typed: None,
        asked: Asked::Spool,
    };
    ledger.polled(seconds(now), who, poll);
    ledger.answered(seconds(now), who, Answer { told, code: 0 });
}

#[test]
fn junk_that_came_once_does_not_push_out_pollers_that_came_again() {
    let mut ledger = Ledger::new(100);
    let real: Vec<Hashed<Who>> = (0..80).map(|i| who("web", &format!("lb{i}"))).collect();
    for now in 0..2 {
        real.iter()
            .for_each(|w| poll(&mut ledger, now, w, "UP", Told::Up));
    }
    for i in 0..10_000 {
        poll(
            &mut ledger,
            2,
            &who(&format!("junk{i}"), "x"),
            "UP",
            Told::Up,
        );
        assert!(ledger.entries.len() <= 100 && ledger.newcomers.len() <= 100);
    }
    assert_eq!(rows(&ledger, "web").len(), 80);
    assert_eq!(ledger.figures(seconds(2)).forgotten, 10_000 - 20);
}

#[test]
fn pollers_that_came_again_leave_room_for_newcomers() {
    let mut ledger = Ledger::new(80);
    for now in 0..2 {
        (0..200).for_each(|i| {
            poll(
                &mut ledger,
                now,
                &who("web", &format!("lb{i}")),
                "UP",
                Told::Up,
            );
            poll(
                &mut ledger,
                now,
                &who("web", &format!("lb{i}")),
                "UP",
                Told::Up,
            );
        });
    }
    assert!(
        ledger.newcomers.len() <= 2 * 80 + 1,
        "{}",
        ledger.newcomers.len()
    );
    let new = who("new", "lb");
    poll(&mut ledger, 3, &new, "UP", Told::Up);
    poll(&mut ledger, 4, &new, "UP", Told::Up);
    assert_eq!(rows(&ledger, "new").len(), 1);
    assert!(ledger.entries.len() <= 80);
}

#[test]
fn two_pollers_of_one_hash_are_never_taken_for_one() {
    let mut ledger = Ledger::new(10);
    let a = who("web", "lb1");
    let b = Hashed::falling_together(&a, (*who("web", "lb2")).clone());
    for (now, lb) in [(0, &a), (1, &a), (2, &b), (3, &b), (4, &a)] {
        poll(&mut ledger, now, lb, "UP", Told::Up);
        let row = rows(&ledger, "web").remove(0);
        assert_eq!(
            (ledger.entries.len(), row.node.as_deref()),
            (1, lb.node.as_deref()),
            "{now}"
        );
    }
    ledger.answered(
        seconds(5),
        &b,
        Answer {
            told: Told::Down,
            code: 503,
        },
    );
    let row = rows(&ledger, "web").remove(0);
    assert_eq!(
        (row.polls, row.told, ledger.forgotten),
        (1, Some(Told::Up), 2)
    );
    ledger.prune(seconds(5));
    assert_eq!((ledger.newcomers.len(), ledger.regulars.len()), (1, 0));
}

#[test]
fn an_answer_that_took_time_belongs_to_the_poll_before() {
    let mut ledger = Ledger::new(10);
    let lb = who("web", "lb1");
    let waits = Poll {
        stated: &stated("UP"),
        typed: None,
        asked: Asked::Spool,
    };
    ledger.polled(seconds(1), &lb, waits);
    assert_eq!(rows(&ledger, "web")[0].told, None);
    ledger.answered(
        seconds(3),
        &lb,
        Answer {
            told: Told::Up,
            code: 200,
        },
    );
    poll(&mut ledger, 4, &lb, "UP", Told::Up);
    let row = rows(&ledger, "web").remove(0);
    assert_eq!(
        (row.polls, row.run, row.told, row.told_at),
        (2, 2, Some(Told::Up), 4.0)
    );
}

#[test]
fn a_poll_after_an_answer_other_than_up_is_marked() {
    let mut ledger = Ledger::new(10);
    let lb = who("web", "lb1");
    let mut row = |now, words, told| {
        poll(&mut ledger, now, &lb, words, told);
        rows(&ledger, "web").remove(0)
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
    let mut ledger = Ledger::new(10);
    let lb = who("web", "lb1");
    (0..4).for_each(|i| poll(&mut ledger, i * 5, &lb, "UP", Told::Up));
    let row = rows(&ledger, "web").remove(0);
    assert_eq!(row.interval, Some(5.0));
    assert!(row.is_polling(30.0) && !row.is_polling(30.1));
    assert_eq!(ledger.figures(seconds(30)).polling, [1, 0, 0, 0]);
    assert_eq!(
        ledger.figures(seconds(31)),
        Figures {
            silent: 1,
            ..Figures::default()
        }
    );
}

#[test]
fn a_poller_that_is_silent_for_an_hour_is_forgotten() {
    let mut ledger = Ledger::new(10);
    poll(&mut ledger, 0, &who("web", "lb1"), "UP", Told::Up);
    poll(&mut ledger, 1800, &who("web", "lb2"), "UP", Told::Up);
    ledger.prune(seconds(3601));
    assert_eq!(rows(&ledger, "web").len(), 1);
    assert_eq!(ledger.newcomers.len(), 1);
}

#[test]
fn the_whole_weight_of_a_backend_marks_its_last_server() {
    let mut row = {
        let mut ledger = Ledger::new(10);
        poll(&mut ledger, 0, &who("web", "lb1"), "UP", Told::Up);
        rows(&ledger, "web").remove(0)
    };
    for (view, weight, last) in [
        (View::Up, Some([10, 10]), true),
        (View::Up, Some([10, 20]), false),
        (View::Up, Some([0, 0]), false),
        (View::Up, None, false),
        (View::Down, Some([10, 10]), false),
    ] {
        (row.view, row.weight) = (Some(view), weight);
        assert_eq!(row.is_last(), last, "{view:?} {weight:?}");
    }
}
