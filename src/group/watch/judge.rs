//! From single results to a state, by `rise` and `fall`.

/// From results to states.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// Unknown until `rise` or `fall` results came in a row for the first time: a start must not flap.
    pub(super) up: Option<bool>,
    last: Option<bool>,
    row: u32,
}

impl Judge {
    /// Takes a result; gives the new state if this changed it.
    pub(super) fn note(&mut self, passes: bool, rise: u32, fall: u32) -> Option<bool> {
        self.count(passes);
        let needed = if passes { rise } else { fall };
        if self.up == Some(passes) || self.row < needed {
            return None;
        }

        self.up = Some(passes);
        self.up
    }

    /// Counts how many equal results came in a row.
    fn count(&mut self, passes: bool) {
        if self.last == Some(passes) {
            // It would overflow after seven years of twenty checks a second.
            self.row = self.row.saturating_add(1);
        } else {
            self.row = 1;
        }

        self.last = Some(passes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_changes_after_results_in_a_row() {
        let mut judge = Judge::default();
        let mut notes = |results: &str, rise, fall| -> String {
            let note = |c| match judge.note(c == '+', rise, fall) {
                Some(true) => 'U',
                Some(false) => 'D',
                None => '.',
            };
            results.chars().map(note).collect()
        };
        assert_eq!(notes("++-+--", 2, 3), ".U....");
        assert_eq!(notes("-++-+-++", 2, 3), "D.U.....");
        assert_eq!(notes("-+-+", 1, 1), "DUDU");
    }
}
