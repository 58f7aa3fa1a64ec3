//! The steps of a service's script, as they are written.

use crate::probe::http_rule::{Pattern, pattern};
use crate::settings::{Kind, Reader, Secret, read_part, secret, settings, show_part};

/// Most steps of a script.
const STEPS_MAX: usize = 32;

settings! {
    /// One step.
    pub struct ScriptStep {
        /// What is sent, with its line end; it may hold a password. Never shown.
        send: Option<Secret> = None, secret().or_unset();
        /// What a line that comes then must match.
        expect: Option<Pattern> = None, pattern().or_unset();
    }
}

impl ScriptStep {
    /// What of the sent lines may be a secret: all but the first word of each, and a word that stands alone, as it may
    /// be the answer to a question for a password.
    pub(in crate::probe) fn secrets(&self) -> Vec<&str> {
        match &self.send {
            Some(text) => text.reveal().lines().flat_map(arguments).collect(),
            None => Vec::new(),
        }
    }

    fn read(reader: &Reader<'_>) -> Option<Self> {
        let (step, _) = read_part(&Self::table(), reader)?;
        // Mostly a name that was spelled wrong, which has been warned of already.
        if step.send.is_none() && step.expect.is_none() {
            reader.fault("neither sends nor expects anything", "write send or expect");
            return None;
        }

        Some(step)
    }
}

fn arguments(line: &str) -> Vec<&str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [_, arguments @ ..] if !arguments.is_empty() => arguments
            .iter()
            .map(|word| word.trim_matches('"'))
            .collect(),
        _ => words,
    }
}

pub(super) fn script() -> Kind<Vec<ScriptStep>> {
    Kind::new("list of steps", read, |steps: &Vec<ScriptStep>| show(steps))
}

fn read(reader: &Reader<'_>) -> Option<Vec<ScriptStep>> {
    let steps = reader.each(ScriptStep::read)?;
    // A script that waits for nothing would pass whatever answers.
    let waits = steps.iter().any(|step| step.expect.is_some());
    let fits = waits && steps.len() <= STEPS_MAX;
    if !fits {
        reader.fault(
            "is no script of at most 32 steps that expects a line",
            "write one such as [{expect: \"^220 \"}]",
        );
    }

    fits.then_some(steps)
}

fn show(steps: &[ScriptStep]) -> String {
    let table = ScriptStep::table();
    let steps: Vec<String> = steps.iter().map(|step| show_part(&table, step)).collect();
    format!("[{}]", steps.join(", "))
}
