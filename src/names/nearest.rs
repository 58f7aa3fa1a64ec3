//! Which known word was meant by an unknown one, for "did you mean". A leaf: it knows nothing of what the words are.

/// The known word nearest to `word`, if it is near enough to be a slip: at most two letters added, dropped, changed or
/// swapped, three in words of ten letters or more, one in words of four or fewer. Case and `-` for `_` do not count.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |s: &str| -> Vec<char> {
        s.chars()
            .map(|c| {
                if c == '-' {
                    '_'
                } else {
                    c.to_ascii_lowercase()
                }
            })
            .collect()
    };
    let word = fold(word);
    let most = match word.len() {
        0..=4 => 1,
        5..=9 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .filter(|k| k.chars().count().abs_diff(word.len()) <= most)
        .map(|k| (distance(&word, &fold(k)), k))
        .filter(|(d, _)| *d <= most)
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

/// The Damerau-Levenshtein distance, of adjacent swaps ("optimal string alignment").
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
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
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("ca"), &chars("ac")), 1);
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
        assert_eq!(distance(&chars(""), &chars("abc")), 3);
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
