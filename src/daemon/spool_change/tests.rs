use super::form::cleaned;
use super::*;

fn parsed(pairs: &[(&str, &str)]) -> Result<Change, String> {
    change(
        &pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), cleaned(v)))
            .collect(),
    )
}

#[test]
fn bad_arguments_are_named() {
    for (pairs, text) in [
        (vec![], "status"),
        (vec![("status", "sideways")], "status must be up or down"),
        (
            vec![("status", "DOWN"), ("reason", "r")],
            "status must be up or down",
        ),
        (vec![("status", "down")], "reason"),
        (
            vec![("status", "down"), ("reason", "r"), ("expiration", "soon")],
            "expiration",
        ),
        (
            vec![("status", "down"), ("reason", "r"), ("expiration", "inf")],
            "expiration",
        ),
        (
            vec![("status", "down"), ("reason", "r"), ("creation", "nan")],
            "creation",
        ),
    ] {
        let Err(why) = parsed(&pairs) else {
            panic!("{pairs:?} was taken")
        };
        assert!(why.contains(text), "{pairs:?}: {why}");
    }
}

#[test]
fn arguments_are_trimmed_and_stripped_of_control_characters() {
    let Ok(Change::Down(d)) = parsed(&[
        ("status", " down "),
        ("reason", "  a\u{1}b "),
        ("expiration", "4e9"),
    ]) else {
        panic!("refused")
    };
    assert_eq!((d.reason.as_str(), d.expiration), ("a b", Some(4e9)));
}
