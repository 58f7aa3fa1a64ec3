//! What a check's pollers were told in each minute of the last hour: exact however often it changes, in one byte a
//! minute, and in none while there is nothing to tell apart.

use std::fmt::{self, Write as _};
use std::ops::RangeInclusive;

/// Minutes that are remembered.
const MINUTES: u32 = 60;

/// What was told in a minute; the worst of it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum MinuteFlag {
    /// Nobody asked.
    #[default]
    Unasked,
    /// Up.
    Up,
    /// An operator took it down.
    Down,
    /// The check failed.
    Fail,
}

impl MinuteFlag {
    fn letter(self) -> char {
        match self {
            Self::Unasked => '-',
            Self::Up => 'u',
            Self::Down => 'd',
            Self::Fail => 'f',
        }
    }
}

/// The last hour of one check, in minutes since the daemon's start.
#[derive(Debug, Clone)]
pub struct Hour {
    /// The first minute and the last one that were asked for.
    first: u32,
    last: u32,
    /// The flag of minute `m` at `m % 60`. Not there while every minute from the first to the last was up.
    flags: Option<Box<Flags>>,
}

/// A flag for each minute.
type Flags = [MinuteFlag; MINUTES as usize];

impl Hour {
    /// Begins with a minute that was up, until it is noted otherwise.
    #[must_use]
    pub fn new(minute: u32) -> Self {
        Self {
            first: minute,
            last: minute,
            flags: None,
        }
    }

    /// Notes what was told in a minute, which is none before the last one noted.
    pub fn note(&mut self, minute: u32, flag: MinuteFlag) {
        let follows = minute.saturating_sub(self.last) <= 1;
        if self.flags.is_none() && follows && flag == MinuteFlag::Up {
            self.last = self.last.max(minute);
            return;
        }

        self.set(minute, flag);
        self.forget_plain();
    }

    fn set(&mut self, minute: u32, flag: MinuteFlag) {
        let (first, last) = (self.first, self.last);
        let flags = self.flags.get_or_insert_with(|| plain(first, last));
        // The minutes since hold flags of an hour ago.
        fill(flags, last + 1..=minute, MinuteFlag::Unasked);
        // The worst of a minute counts, whatever came last.
        let known = &mut flags[index(minute)];
        *known = flag.max(*known);
        self.last = minute.max(last);
    }

    /// Gives the bytes back once the whole hour was up.
    fn forget_plain(&mut self) {
        if self.flags.as_deref().is_some_and(is_plain) {
            self.first = self.last.saturating_sub(MINUTES - 1);
            self.flags = None;
        }
    }

    /// The hour that ends with this minute, as letters: the oldest first.
    #[must_use]
    pub fn until(&self, minute: u32) -> Letters<'_> {
        Letters { hour: self, minute }
    }

    fn flag(&self, minute: u32) -> MinuteFlag {
        let is_kept = minute <= self.last && self.last - minute < MINUTES;
        match &self.flags {
            _ if !is_kept => MinuteFlag::Unasked,
            Some(flags) => flags[index(minute)],
            None if minute >= self.first => MinuteFlag::Up,
            None => MinuteFlag::Unasked,
        }
    }
}

fn index(minute: u32) -> usize {
    (minute % MINUTES) as usize
}

fn is_plain(flags: &Flags) -> bool {
    flags.iter().all(|flag| *flag == MinuteFlag::Up)
}

/// An hour that was up from its first minute to its last.
fn plain(first: u32, last: u32) -> Box<Flags> {
    let mut flags = Box::new([MinuteFlag::Unasked; MINUTES as usize]);
    fill(&mut flags, first..=last, MinuteFlag::Up);
    flags
}

/// Sets minutes, of which only the last hour has a place.
fn fill(flags: &mut Flags, minutes: RangeInclusive<u32>, flag: MinuteFlag) {
    for minute in minutes.rev().take(MINUTES as usize) {
        flags[index(minute)] = flag;
    }
}

/// An hour as text.
pub struct Letters<'a> {
    hour: &'a Hour,
    minute: u32,
}

impl fmt::Display for Letters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for back in (0..MINUTES).rev() {
            f.write_char(self.letter(back))?;
        }

        Ok(())
    }
}

impl Letters<'_> {
    /// The letter of so many minutes ago.
    fn letter(&self, back: u32) -> char {
        let flag = match self.minute.checked_sub(back) {
            Some(minute) => self.hour.flag(minute),
            // The daemon had not started.
            None => MinuteFlag::Unasked,
        };
        flag.letter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the hour says after these notes, without the minutes before the daemon's start.
    fn told(notes: &[(u32, MinuteFlag)], until: u32) -> String {
        let mut hour = Hour::new(notes[0].0);
        for (minute, flag) in notes {
            hour.note(*minute, *flag);
        }
        let text = hour.until(until).to_string();
        assert_eq!(text.len(), 60);
        let before_start = 59_usize.saturating_sub(until as usize);
        text[before_start..].to_owned()
    }

    #[test]
    fn the_worst_of_each_minute_is_told_the_oldest_first() {
        use MinuteFlag::{Down, Fail, Up};
        assert_eq!(told(&[(0, Up)], 0), "u");
        assert_eq!(told(&[(0, Fail)], 0), "f");
        assert_eq!(told(&[(2, Up), (3, Up), (4, Up)], 6), "--uuu--");
        assert_eq!(told(&[(0, Up), (1, Down), (1, Up), (2, Up)], 2), "udu");
        assert_eq!(told(&[(0, Up), (1, Down), (1, Fail), (1, Down)], 1), "uf");
        assert_eq!(told(&[(0, Up), (3, Up)], 4), "u--u-");
    }

    #[test]
    fn what_is_older_than_an_hour_is_forgotten() {
        use MinuteFlag::{Fail, Up};
        assert_eq!(
            told(&[(0, Fail), (60, Up)], 60),
            format!("{}u", "-".repeat(59))
        );
        assert_eq!(
            told(&[(0, Fail), (500, Up)], 500),
            format!("{}u", "-".repeat(59))
        );
        assert_eq!(
            told(&[(0, Fail), (1, Up)], 60),
            format!("u{}", "-".repeat(59))
        );
        assert_eq!(told(&[(0, Fail)], 9000), "-".repeat(60));
    }

    #[test]
    fn an_hour_takes_memory_only_while_it_tells_something_apart() {
        let mut hour = Hour::new(0);
        let mut note = |minute, flag| {
            hour.note(minute, flag);
            hour.flags.is_some()
        };
        assert!((0..600).all(|minute| !note(minute, MinuteFlag::Up)));
        assert!(note(600, MinuteFlag::Fail));
        assert!((601..660).all(|minute| note(minute, MinuteFlag::Up)));
        assert!(!note(660, MinuteFlag::Up), "an hour later");
        assert_eq!(hour.until(660).to_string(), "u".repeat(60));
    }

    #[test]
    fn minutes_that_go_back_change_nothing_but_their_own() {
        assert_eq!(
            told(&[(5, MinuteFlag::Up), (4, MinuteFlag::Fail)], 5),
            "----fu"
        );
    }
}
