//! Puts rows in order.
//!
//! Rule: as `slice::sort_by` does, but compiled once. That one is compiled for each type of rows, 5 KB each time, and
//! the fleet, the pages and the commands have dozens of them.

use std::cmp::Ordering;

/// Sorts rows by their keys; those that are equal stay in their order.
pub(crate) fn sort_by_key<T, K: Ord>(rows: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(rows, |a, b| key(a).cmp(&key(b)));
}

/// Sorts rows; those that are equal stay in their order.
pub(crate) fn sort_by<T>(rows: &mut [T], order: impl Fn(&T, &T) -> Ordering) {
    let mut places = sorted_places(rows.len(), &|a, b| order(&rows[a], &rows[b]));
    // Each number of a row stands in `places` once, so none is out of bounds.
    for place in 0..rows.len() {
        let mut from = places[place];
        // The places before this one are done: what stood there was swapped to where theirs came from.
        while from < place {
            from = places[from];
        }
        places[place] = from;
        rows.swap(place, from);
    }
}

/// For each place in the order, where its row stands now.
fn sorted_places(count: usize, order: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|a, b| order(*a, *b));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random and are the same each time.
    fn numbers(count: u32) -> Vec<(u32, u32)> {
        let mut number = count;
        let mut next = || {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            number >> 20
        };
        (0..count).map(|place| (next() % 50, place)).collect()
    }

    #[test]
    fn rows_are_sorted_as_by_the_standard_library() {
        for count in [0, 1, 2, 3, 10, 100, 1000] {
            let (mut ours, mut theirs) = (numbers(count), numbers(count));
            sort_by_key(&mut ours, |row| row.0);
            theirs.sort_by_key(|row| row.0);
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn rows_that_are_sorted_rotated_or_reversed_are_sorted() {
        let sorted: Vec<u32> = (0..100).collect();
        for turn in 0..100 {
            let mut rows = sorted.clone();
            rows.rotate_left(turn);
            sort_by(&mut rows, Ord::cmp);
            assert_eq!(rows, sorted);
            rows.reverse();
            sort_by(&mut rows, Ord::cmp);
            assert_eq!(rows, sorted);
        }
    }
}
