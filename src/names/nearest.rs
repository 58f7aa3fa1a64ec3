//! Which known word was meant by an unknown one, for "did you mean". A leaf: it knows nothing of what the words are.

use strsim::osa_distance;

/// The known word nearest to `word`, if it is near enough to be a slip: at most two letters added, dropped, changed or
/// swapped, three in words of ten letters or more, one in words of four or fewer. Case and `-` for `_` do not count.
#[must_use]
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word);
    let most = most_slips(word.chars().count());
    let mut best = None;
    let mut least = most + 1;
    for candidate in known {
        // Of equally near words the first one wins, in the caller's order.
        if let Some(distance) = distance(&word, candidate, most)
            && distance < least
        {
            (best, least) = (Some(candidate), distance);
        }
    }

    best
}

/// How far a word is from a folded one, unless that is certainly more than `most`.
fn distance(word: &str, candidate: &str, most: usize) -> Option<usize> {
    let (length, other) = (word.chars().count(), candidate.chars().count());
    // A long word costs time, and cannot be near anyway.
    if other.abs_diff(length) > most {
        return None;
    }

    Some(osa_distance(word, &folded(candidate)))
}

/// How many slips are likely in a word of so many characters.
fn most_slips(length: usize) -> usize {
    match length {
        0..=4 => 1,
        5..=9 => 2,
        _ => 3,
    }
}

fn folded(word: &str) -> String {
    word.to_ascii_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised() {
        let known = ["cache_time", "max_clients", "max_body", "log_path"];
        for (word, meant) in [
            ("cache_tiem", Some("cache_time")),
            ("cachetime", Some("cache_time")),
            ("Max-Clients", Some("max_clients")),
            ("max_client", Some("max_clients")),
            ("logpaht", Some("log_path")),
            ("port", None),
            ("", None),
            ("something_else_entirely", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }

    #[test]
    fn the_nearest_of_several_wins() {
        assert_eq!(
            nearest("cache_bytes", ["cache_times", "cache_byte"]),
            Some("cache_byte")
        );
    }

    #[test]
    fn slips_in_words_of_a_command_line_are_recognised() {
        let known = ["expiration", "reason", "service-port", "up", "down"];
        for (typed, meant) in [
            ("expiratoin", "expiration"),
            ("dwon", "down"),
            ("raeson", "reason"),
            ("pu", "up"),
        ] {
            assert_eq!(nearest(typed, known), Some(meant), "{typed}");
        }
    }

    #[test]
    fn something_else_is_no_slip() {
        assert_eq!(nearest("frobnicate", ["expiration", "reason"]), None);
        assert_eq!(nearest("", ["expiration"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
