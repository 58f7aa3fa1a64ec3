//! The nearest known word to a mistyped one, for "did you mean". A leaf: it knows nothing of what the words are.

/// The candidate that a word was probably meant to be: with the fewest insertions, deletions, replacements and swaps of
/// neighbours, at most one for every three characters. `None` when nothing is that near.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    let near = candidates.into_iter().map(|c| (distance(word, c), c)).filter(|(d, _)| *d <= limit);
    near.min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// The optimal string alignment distance.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
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
        let known = ["expiration", "reason", "service-port", "up", "down"];
        for (typed, meant) in [("expiratoin", "expiration"), ("dwon", "down"), ("raeson", "reason"), ("pu", "up")] {
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
