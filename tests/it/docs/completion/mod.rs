//! The completion for each shell: the table of options as that shell has it, and what uses it.

mod bash;
mod fish;
mod zsh;

use hacheck::cli::Applet;

/// What an applet's arguments are, by the words of its usage line.
fn arguments(applet: &Applet) -> &'static str {
    let words = [
        ("PROTOCOL", "probe"),
        ("SERVICE", "services"),
        ("DIR", "folders"),
        ("FILE", "files"),
    ];
    match applet.name {
        "up" => "downed",
        "roll" => "command",
        _ => words
            .iter()
            .find(|(word, _)| applet.usage.contains(word))
            .map_or("nothing", |(_, what)| what),
    }
}

const FORMATS: &str = "tsv uber json table";
const TOP_FORMATS: &str = "text json";
const FLEET_FORMATS: &str = "tsv json table";
const ROLL_FORMATS: &str = "json table";
const ACTIONS: &str = "up down status status_downed list";
const WAITS: &str = "seen drained";

/// The words that an option's value may be; none where that is nobody's guess.
fn choices(applet: &Applet, long: &str, value: &str) -> Option<&'static str> {
    match (applet.name, long, value) {
        ("top", _, "format") => Some(TOP_FORMATS),
        ("fleet", _, "format") => Some(FLEET_FORMATS),
        ("roll", _, "format") => Some(ROLL_FORMATS),
        (_, _, "format") => Some(FORMATS),
        (_, _, "action") => Some(ACTIONS),
        ("up", "--wait", _) => Some("seen"),
        (_, "--wait", _) => Some(WAITS),
        _ => None,
    }
}

/// A word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
