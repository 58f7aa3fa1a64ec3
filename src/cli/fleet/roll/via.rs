//! How a command gets to another host: `via` of the file of the fleet, with the host's name in it and what is to run there
//! as its last argument, quoted for the shell of that host.
//!
//! Rule: no shell here. A host's name stands in one word.

use std::process::Command;

use crate::cli::failure::{Failure, failed};
use crate::fleet::RollRecord;
use crate::fleet::settings::HOST_IN_VIA;
use crate::os::process::{Argv, can_be_run, shell_line};

/// What runs on the hosts.
const HAROLL: &str = "haroll";

/// Refuses a program that cannot be started, before anything begins.
pub(super) fn refuse_unless_runnable(via: &Argv) -> Result<(), Failure> {
    let program = via.program();
    if program.contains(HOST_IN_VIA) || can_be_run(program) {
        return Ok(());
    }
    Err(failed!(
        "cannot start {program}: there is no such program that this user may run; install it, or set via in fleet.yml"
    ))
}

/// The command that has a host do its part.
pub(super) fn command(via: &Argv, host: &str, record: &RollRecord) -> Command {
    // After the words were split: a name stands in one word, whatever is in it.
    let mut command = Command::new(via.program().replace(HOST_IN_VIA, host));
    for word in via.arguments() {
        command.arg(word.replace(HOST_IN_VIA, host));
    }
    // ssh joins its words with blanks and gives them to a shell there, so what is one word here must be quoted once.
    command.arg(shell_line(&words(record)));
    command
}

/// The command line for a host: haroll there, as a part of this roll.
fn words(record: &RollRecord) -> Vec<String> {
    let mut words = vec![HAROLL.to_owned()];
    // As a part of the roll: the host takes its slot itself, and counts for itself who is out.
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--roll", record.id.clone());
    option("--max-down", record.max_down.clone());
    if let Some(tag) = &record.per {
        option("--per", tag.clone());
    }
    if !record.selector.is_every_host() {
        option("--where", record.selector.to_string());
    }
    words.extend_from_slice(&record.options);
    words.push(record.key.file_name());
    words.push("--".to_owned());
    words.extend_from_slice(&record.command);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Selector, Version};
    use crate::names::Key;

    fn record(command: &[&str]) -> RollRecord {
        RollRecord {
            v: Version,
            id: "r-5k2".into(),
            key: Key::parse("web:80").unwrap(),
            selector: Selector::parse("zone=a,b;cluster!=blue").unwrap(),
            max_down: "10%".into(),
            per: Some("zone".into()),
            max_failed: 0,
            options: vec!["-r".into(), "it's time".into()],
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            by: String::new(),
            from: String::new(),
            at: 0,
            hosts: Vec::new(),
        }
    }

    #[test]
    fn the_name_of_a_host_stands_in_one_word_and_the_command_in_another() {
        let via = Argv::split("ssh -l root -- '{host}.example.com'").unwrap();
        let command = command(&via, "web01", &record(&["echo", "$HOME"]));
        let words: Vec<_> = command.get_args().collect();
        assert_eq!(command.get_program(), "ssh");
        assert_eq!(words[..4], ["-l", "root", "--", "web01.example.com"]);
        assert_eq!(
            words[4..],
            [
                "haroll --roll r-5k2 --max-down 10% --per zone --where 'cluster!=blue;zone=a,b' -r 'it'\\''s time' web:80 -- echo '$HOME'"
            ]
        );
    }

    /// The words that a real shell makes of the text, which it gives to a program.
    fn through_a_shell(shell: &str, text: &str) -> Vec<String> {
        let script = format!("haroll() {{ for word; do printf '%s\\0' \"$word\"; done; }}\n{text}");
        let ran = Command::new(shell).arg("-c").arg(script).output().unwrap();
        assert!(ran.status.success() && ran.stderr.is_empty(), "{ran:?}");
        let said = String::from_utf8(ran.stdout).unwrap();
        said.split_terminator('\0').map(str::to_owned).collect()
    }

    #[track_caller]
    fn arrives(command: &[&str]) {
        let words = words(&record(command));
        // Each host gives it to the login shell of a user.
        for shell in ["sh", "bash", "zsh"] {
            if shell == "sh" || can_be_run(shell) {
                let arrived = through_a_shell(shell, &shell_line(&words));
                assert_eq!(arrived, words[1..], "{shell}");
            }
        }
    }

    #[test]
    fn a_shell_makes_the_same_words_of_it() {
        arrives(&["true"]);
        arrives(&[
            "", " ", "\t", "\n", "a b", "'", "''", "\"", "\\", "\\'", "-n", "--",
        ]);
        arrives(&[
            "$HOME", "${X}", "$(id)", "`id`", "!!", "!$", "~", "~root", "*", "?", "[a]",
        ]);
        arrives(&[
            "a;id", "a&id", "a|id", "(id)", "{a,b}", "{1..3}", "<x", ">x", "2>&1", "#x", "a#",
            "A=b", "=ls",
        ]);
        arrives(&[
            "é", "𝄞", "\u{1}", "\u{7f}", "\r", "a\nb", "%s", "if", "while",
        ]);
    }

    /// Words of everything that means something to a shell, in any order.
    #[test]
    fn a_shell_makes_the_same_words_of_anything() {
        const PIECES: [&str; 27] = [
            "'", "\"", "\\", "$", "`", " ", "\n", "(", ")", ";", "&", "|", "<", ">", "*", "?", "[",
            "~", "#", "=", "!", "-", "a", "é", "{", ",", "}",
        ];
        let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut draw = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(seed >> 33).unwrap() % below
        };
        for _ in 0..40 {
            let mut words = Vec::new();
            for _ in 0..50 {
                let pieces = (0..draw(9)).map(|_| PIECES[draw(PIECES.len())]);
                words.push(pieces.collect::<String>());
            }
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            arrives(&words);
        }
    }
}
