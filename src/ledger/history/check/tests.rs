use std::time::UNIX_EPOCH;

use super::*;
use crate::ledger::Face;
use crate::net::Host;

fn poller(service: &str, path: &str) -> Poller {
    let place = Some((Host::Local, 80));
    Poller {
        service: ServiceName::parse(service).unwrap(),
        check: AskedCheck::new(Face::Http, Some("http"), None, Some(path), place),
        address: [10, 0, 0, 1].into(),
        node: None,
        server: None,
        user_agent: None,
    }
}

fn at(seconds: u32) -> Moment {
    Moment {
        since_start: Duration::from_secs(seconds.into()),
        unix: f64::from(seconds),
    }
}

fn outcome(ended: u32, passes: bool) -> Outcome {
    let mut outcome = match passes {
        true => Outcome::healthy("fine"),
        false => Outcome::unavailable(format!("refused at {ended}")),
    };
    outcome.run = Some(ProbeRun {
        ended: UNIX_EPOCH + Duration::from_secs(ended.into()),
        took: Duration::ZERO,
    });
    outcome
}

fn answer(told: Told, outcome: Option<&Outcome>) -> PollAnswer<'_> {
    PollAnswer {
        told,
        code: 200,
        check: None,
        outcome,
    }
}

#[test]
fn a_check_that_fails_and_passes_again_is_two_events() {
    let poller = poller("web", "/");
    let history = Histories::default().of(&poller, Duration::ZERO);
    let note = |second, told, result: Option<Outcome>| {
        let news = history.note(at(second), &poller, 0, &answer(told, result.as_ref()));
        let event = news.event?;
        Some((event.kind, event.text, event.after))
    };
    assert_eq!(note(0, Told::Up, Some(outcome(0, true))), None);
    let fails = note(10, Told::Fail, Some(outcome(10, false)));
    assert_eq!(
        fails,
        Some((EventKind::Fail, Some("503 refused at 10".into()), None))
    );
    assert_eq!(note(12, Told::Fail, Some(outcome(12, false))), None);
    // A downtime hides what it would have found.
    assert_eq!(note(14, Told::Down, None), None);
    assert_eq!(note(16, Told::Fail, Some(outcome(16, false))), None);
    let passes = note(30, Told::Up, Some(outcome(30, true)));
    assert_eq!(passes, Some((EventKind::Pass, None, Some(20.0))));
    let known = history.lock();
    assert_eq!((known.told, known.since), (Some(Told::Up), 30.0));
    assert_eq!(&*known.text, "200 fine");
    let last = known.last_fail.as_ref().unwrap();
    assert_eq!((last.at, last.text.as_str()), (16.0, "503 refused at 16"));
}

#[test]
fn only_a_change_is_news() {
    let poller = poller("web", "/");
    let history = Histories::default().of(&poller, Duration::ZERO);
    let is_news = |second, question, told| {
        let answer = answer(told, None);
        let news = history.note(at(second), &poller, question, &answer);
        news.is_other
    };
    assert!(is_news(0, 1, Told::Up), "the first answer");
    assert!(!is_news(2, 1, Told::Drain));
    assert!(is_news(4, 1, Told::Down));
    assert!(!is_news(6, 1, Told::Fail));
    assert!(is_news(8, 1, Told::Up));
}

#[test]
fn two_questions_of_one_check_do_not_flap_and_the_failure_is_shown() {
    let poller = poller("web", "/");
    let mut histories = Histories::default();
    let history = histories.of(&poller, Duration::ZERO);
    let mut events = Vec::new();
    for second in 0..50 {
        let passes = second % 2 == 0;
        let told = if passes { Told::Up } else { Told::Fail };
        let outcome = outcome(second, passes);
        let answer = answer(told, Some(&outcome));
        let news = history.note(at(second), &poller, u64::from(passes), &answer);
        events.extend(news.event.map(|event| event.kind));
    }
    let note_pass = |second| history.note(at(second), &poller, 1, &answer(Told::Up, None));
    assert!(note_pass(50).event.is_none());
    assert_eq!(&*history.lock().text, "503 refused at 49");
    assert_eq!(histories.failing(), 1);
    // Nobody asks any more what failed.
    let last = note_pass(70).event.map(|event| event.kind);
    assert_eq!(
        (events, last),
        (vec![EventKind::Fail], Some(EventKind::Pass))
    );
    assert_eq!(histories.failing(), 0);
}

#[test]
fn a_downtime_is_no_failure() {
    let poller = poller("web", "/");
    let mut histories = Histories::default();
    let history = histories.of(&poller, Duration::ZERO);
    for (second, told, failing) in [
        (0, Told::Down, 0),
        (1, Told::Fail, 1),
        (2, Told::Down, 0),
        (3, Told::Fail, 1),
        (4, Told::Up, 0),
    ] {
        history.note(at(second), &poller, 0, &answer(told, None));
        assert_eq!(histories.failing(), failing, "{told:?}");
    }
    history.note(at(5), &poller, 0, &answer(Told::Fail, None));
    drop(history);
    assert_eq!(histories.failing(), 0, "forgotten");
}

#[test]
fn pollers_of_one_check_share_its_history_and_two_paths_do_not() {
    let mut histories = Histories::default();
    let [one, same, other] =
        ["/a", "/a", "/b"].map(|path| histories.of(&poller("web", path), Duration::ZERO));
    assert!(Arc::ptr_eq(&one.0, &same.0));
    assert!(!Arc::ptr_eq(&one.0, &other.0));
}

#[test]
fn histories_go_with_their_pollers() {
    let mut histories = Histories::default();
    for i in 0..10_000 {
        histories.of(&poller(&format!("junk{i}"), "/"), Duration::ZERO);
    }
    assert!(histories.known.len() < 1000, "{}", histories.known.len());
}
