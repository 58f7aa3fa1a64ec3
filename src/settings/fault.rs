//! What is wrong with a configuration file, as sentences that name the line, the key and the remedy.
//!
//! Rule: faults are collected, never thrown one by one, and none ever quotes a secret.

use std::cell::RefCell;
use std::fmt;

use super::raw::Place;
use crate::names::sort::sort_by_key;

/// Faults and warnings that are kept, each; the rest is counted. A line costs a look through the file, so that of
/// a large file fewer are kept.
const KEPT: usize = 100;
const KEPT_OF_LARGE: usize = 10;
/// The size from which a file is large, in bytes.
const LARGE: usize = 64 << 10;

/// One thing that is wrong, or odd, in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, as the operator named it.
    pub file: String,
    /// The line, from 1; none when the fault is of the whole file.
    pub line: Option<usize>,
    /// The column, from 1; for faults of syntax alone.
    pub column: Option<usize>,
    /// The key, with its parents: `groups.node.require`; empty when there is none.
    pub key: String,
    /// What is wrong and what to do: one line, without a full stop.
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        // In the form of compilers, which editors can jump to.
        for number in self.line.iter().chain(&self.column) {
            write!(f, "{number}:")?;
        }

        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }

        write!(f, " {}", self.text)
    }
}

/// Everything that is wrong with a file: why there is no configuration. Displays one fault per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// The faults in the order of the file, 100 at most, 10 of a file over 64 KiB.
    pub list: Vec<Fault>,
    /// How many more there are.
    pub more: usize,
}

impl Faults {
    /// The one fault that keeps a file from being read at all.
    #[must_use]
    pub(crate) fn whole_file(file: &str, text: impl Into<String>) -> Self {
        Self::one(Fault {
            file: file.into(),
            line: None,
            column: None,
            key: String::new(),
            text: text.into(),
        })
    }

    /// A single fault.
    #[must_use]
    pub fn one(fault: Fault) -> Self {
        Self {
            list: vec![fault],
            more: 0,
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.list.split_first() else {
            return Ok(());
        };

        write!(f, "{first}")?;
        for fault in others {
            write!(f, "\n{fault}")?;
        }

        self.show_more(f, &first.file)
    }
}

impl Faults {
    fn show_more(&self, f: &mut fmt::Formatter<'_>, file: &str) -> fmt::Result {
        match self.more {
            0 => Ok(()),
            more => write!(f, "\n{file}: and {more} more faults; mend these first"),
        }
    }
}

impl std::error::Error for Faults {}

/// Where readers of values leave faults and warnings; shared by all of them.
pub struct FaultSink {
    kept: usize,
    faults: RefCell<Noted>,
    warnings: RefCell<Noted>,
}

#[derive(Default)]
struct Noted {
    list: Vec<Note>,
    more: usize,
}

struct Note {
    mark: Place,
    /// Another place that the text speaks of: its line follows "line ".
    other: Option<Place>,
    key: String,
    text: String,
}

impl FaultSink {
    /// A sink for a file of `size` bytes.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let kept = if size < LARGE { KEPT } else { KEPT_OF_LARGE };
        Self {
            kept,
            faults: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    /// Notes a fault: the configuration cannot be used.
    pub fn fault(&self, mark: Place, key: &str, text: impl Into<String>) {
        let note = Note::new(mark, key, text.into());
        self.faults.borrow_mut().push(self.kept, note);
    }

    /// Notes something odd that concerns two places: ` in line N` of the other one is put where the text says `{}`.
    pub(crate) fn warn_with_other(&self, mark: Place, other: Place, key: &str, text: &str) {
        // The other line is not looked up yet; `{}` in the text keeps its place.
        let note = Note {
            other: Some(other),
            ..Note::new(mark, key, text.to_owned())
        };
        self.warnings.borrow_mut().push(self.kept, note);
    }

    /// Notes something odd that the configuration can be used with.
    pub(crate) fn warn(&self, mark: Place, key: &str, text: impl Into<String>) {
        let note = Note::new(mark, key, text.into());
        self.warnings.borrow_mut().push(self.kept, note);
    }

    /// The faults, if there are any, and the warnings, with their lines looked up.
    pub fn finish(
        self,
        file: &str,
        line: impl Fn(Place) -> Option<usize>,
    ) -> (Option<Faults>, Vec<Fault>) {
        // Lines are looked up only now, and only for the faults that are kept: each costs a walk through the file.
        let faults = self.faults.into_inner().finish(file, &line);
        let warnings = self.warnings.into_inner().finish(file, &line);
        if faults.list.is_empty() {
            (None, warnings.list)
        } else {
            (Some(faults), warnings.list)
        }
    }
}

impl Note {
    fn new(mark: Place, key: &str, text: String) -> Self {
        Self {
            mark,
            other: None,
            key: key.to_owned(),
            text,
        }
    }

    /// The fault that it stands for, with the lines of its places, as far as they can be found.
    fn located(self, file: &str, line: &impl Fn(Place) -> Option<usize>) -> Fault {
        let text = match self.other {
            Some(other) => with_other_line(&self.text, line(other)),
            None => self.text,
        };

        Fault {
            file: file.to_owned(),
            line: line(self.mark),
            column: None,
            key: self.key,
            text,
        }
    }
}

/// Puts ` in line N` where the text says `{}`.
fn with_other_line(text: &str, line: Option<usize>) -> String {
    let place = match line {
        Some(line) => format!(" in line {line}"),
        None => String::new(),
    };
    text.replacen("{}", &place, 1)
}

impl Noted {
    fn push(&mut self, kept: usize, note: Note) {
        // A file of another program may have a fault in every line, and nobody reads them all.
        if self.list.len() < kept {
            self.list.push(note);
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self, file: &str, line: &impl Fn(Place) -> Option<usize>) -> Faults {
        // Readers go by the order of the settings, people by that of the file.
        sort_by_key(&mut self.list, |note| note.mark);
        let mut list = Vec::new();
        for note in self.list {
            list.push(note.located(file, line));
        }

        Faults {
            list,
            more: self.more,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_shown_one_per_line_in_the_order_of_the_file() {
        let sink = FaultSink::new(0);
        sink.fault(Place(7), "b", "is bad; mend it");
        sink.fault(Place(3), "a", "is bad too; mend it");
        sink.warn(Place(2), "c", "is odd");
        let text = "stands already{}; keep one of the two";
        sink.warn_with_other(Place(4), Place(1), "d", text);
        let (faults, warnings) = sink.finish("f.yml", |mark| Some(mark.0 * 2));
        assert_eq!(
            faults.unwrap().to_string(),
            "f.yml:6: a: is bad too; mend it\nf.yml:14: b: is bad; mend it"
        );
        let warnings: Vec<String> = warnings.iter().map(Fault::to_string).collect();
        assert_eq!(
            warnings,
            [
                "f.yml:4: c: is odd",
                "f.yml:8: d: stands already in line 2; keep one of the two"
            ]
        );
    }

    #[test]
    fn a_flood_of_faults_is_counted_not_shown() {
        let sink = FaultSink::new(0);
        for i in 0..250 {
            sink.fault(Place(i), "", "x");
        }
        let faults = sink.finish("f", |_| None).0.unwrap();
        assert_eq!((faults.list.len(), faults.more), (100, 150));
        assert!(
            faults
                .to_string()
                .ends_with("\nf: and 150 more faults; mend these first")
        );
    }
}
