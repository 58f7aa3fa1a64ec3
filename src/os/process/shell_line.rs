//! Words as they are typed into a shell.

/// A command line of which a shell makes these words.
pub(crate) fn shell_line(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
    quoted.join(" ")
}

/// Quotes a word, unless it means nothing else to any shell: bash and zsh know more than POSIX does, as `{a,b}` and `=ls`.
fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    let is_safe = !word.is_empty() && !word.starts_with('=');
    match is_safe && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_stranger_stays_one_word() {
        for (word, shown) in [
            ("web:80", "web:80"),
            ("a b", "'a b'"),
            ("$(reboot)", "'$(reboot)'"),
            ("{a,b}", "'{a,b}'"),
            ("=ls", "'=ls'"),
            ("zone=a", "zone=a"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(word), shown);
        }
    }
}
