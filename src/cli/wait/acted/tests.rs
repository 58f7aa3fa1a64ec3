use super::*;
use crate::ledger::Expectation;

fn row(told: Told, view: Option<(View, &str)>) -> PollerRow {
    PollerRow {
        node: None,
        server: None,
        view: view.map(|(v, _)| v),
        state: view.map(|(_, words)| words.into()),
        told: Some(told),
        code: if told == Told::Up { 200 } else { 503 },
        after_closed: true,
        ..PollerRow::example()
    }
}

fn rules(goal: Goal) -> Rules {
    Rules {
        goal,
        polls: None,
        since: 90.0,
        weights: false,
        grace: 0.0,
        acted_at: f64::INFINITY,
    }
}

const UP: Option<(View, &str)> = Some((View::Up, "UP 2/3"));
const DOWN: Option<(View, &str)> = Some((View::Down, "DOWN"));
const NOLB: Option<(View, &str)> = Some((View::NoLb, "NOLB"));

#[track_caller]
fn is(goal: Goal, row: &PollerRow, done: bool, text: &str) {
    let standing = rules(goal).judge(row, 101.0);
    assert_eq!((standing.is_done(), standing.text()), (done, text));
}

#[test]
fn a_balancer_has_acted_when_a_poll_after_the_answer_says_so() {
    is(Goal::Out, &row(Told::Down, DOWN), true, "sees DOWN");
    let soft = PollerRow {
        code: 404,
        ..row(Told::Down, NOLB)
    };
    is(Goal::Out, &soft, true, "sees NOLB");
    is(
        Goal::Out,
        &row(Told::Down, NOLB),
        false,
        "still sees NOLB, told 503 2 times",
    );
    is(
        Goal::Out,
        &row(Told::Down, UP),
        false,
        "still sees UP 2/3, told 503 2 times",
    );
    let weightless = PollerRow {
        weight: Some([0, 2]),
        ..row(Told::Down, Some((View::Up, "UP")))
    };
    is(Goal::Out, &weightless, true, "sees UP with weight 0");
    let first = PollerRow {
        after_closed: false,
        run: 1,
        ..row(Told::Down, DOWN)
    };
    is(Goal::Out, &first, false, "sees DOWN; its next poll counts");
    is(
        Goal::Out,
        &row(Told::Fail, DOWN),
        false,
        "was told 503, not that it is down",
    );
    let old = PollerRow {
        told_at: 90.0,
        ..row(Told::Down, DOWN)
    };
    is(
        Goal::Out,
        &old,
        false,
        "has not polled since the change, last saw DOWN",
    );
}

#[test]
fn a_balancer_without_send_state_must_have_been_told_often_enough() {
    let mut row = row(Told::Down, None);
    is(Goal::Out, &row, false, "told 2 of 3 times");
    row.run = 3;
    is(Goal::Out, &row, true, "told 503 often enough");
    row.told = Some(Told::Drain);
    is(
        Goal::Out,
        &row,
        false,
        "does not say whether it drains (no send-state)",
    );
}

#[test]
fn of_a_balancer_that_is_known_the_polls_are_counted_that_it_needs_unless_told_otherwise() {
    let mut row = row(Told::Down, None);
    row.run = 1;
    row.expected = Expectation {
        polls_down: Some(1),
        polls_up: Some(4),
        ..Expectation::default()
    };
    is(Goal::Out, &row, true, "told 503 often enough");
    let told_otherwise = Rules {
        polls: Some(2),
        ..rules(Goal::Out)
    };
    let standing = told_otherwise.judge(&row, 101.0);
    assert_eq!(standing.text(), "told 1 of 2 times");
    (row.told, row.code) = (Some(Told::Up), 200);
    is(Goal::Up, &row, false, "told 1 of 4 times");
}

#[test]
fn drained_means_no_sessions_where_they_are_known() {
    let mut row = row(Told::Down, DOWN);
    is(Goal::Drained, &row, false, "sees DOWN, 2 sessions left");
    row.sessions = Some([0, 7]);
    is(Goal::Drained, &row, true, "sees DOWN, no sessions");
    row.sessions = None;
    is(
        Goal::Drained,
        &row,
        true,
        "sees DOWN; its sessions are unknown (no send-state)",
    );
    let waiting = Rules {
        grace: 30.0,
        acted_at: 80.0,
        ..rules(Goal::Drained)
    };
    assert!(!waiting.judge(&row, 101.0).is_done());
    assert!(waiting.judge(&row, 110.0).is_done());
    row.view = Some(View::Up);
    assert!(!rules(Goal::Drained).judge(&row, 101.0).is_done());
}

#[test]
fn up_is_seen_when_the_balancer_says_so() {
    is(
        Goal::Up,
        &row(Told::Up, Some((View::Up, "UP"))),
        true,
        "sees UP",
    );
    is(
        Goal::Up,
        &row(Told::Up, DOWN),
        false,
        "still sees DOWN, told 200 2 times",
    );
    is(
        Goal::Up,
        &row(Told::Fail, UP),
        false,
        "the check fails: told 503 2 times",
    );
    is(
        Goal::Up,
        &row(Told::Down, UP),
        false,
        "another downtime is in force: told 503 2 times",
    );
    let weightless = PollerRow {
        weight: Some([0, 2]),
        ..row(Told::Up, Some((View::Up, "UP")))
    };
    is(Goal::Up, &weightless, true, "sees UP with weight 0");
    let rules = Rules {
        weights: true,
        ..rules(Goal::Up)
    };
    assert!(!rules.judge(&weightless, 101.0).is_done());
}

#[test]
fn one_that_fell_silent_after_it_acted_has_acted_and_one_before_has_not() {
    let rules = rules(Goal::Out);
    assert!(rules.judge(&row(Told::Down, DOWN), 500.0).is_done());
    let standing = rules.judge(&row(Told::Down, UP), 140.0);
    assert_eq!(
        standing.text(),
        "silent for 40 s, before that: still sees UP 2/3, told 503 2 times"
    );
    assert!(!standing.is_done());
}
