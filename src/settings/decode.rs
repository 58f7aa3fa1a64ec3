//! From bytes to text that a YAML parser takes, and the parser's complaints as sentences.

use super::problem::Problem;

/// The largest file, in bytes.
pub(crate) const MAX_FILE: usize = 1 << 20;

/// The text of a file.
///
/// # Errors
/// When the file is too large or not UTF-8.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, Problem> {
    if bytes.len() > MAX_FILE {
        let text = "the file is larger than 1 MiB; is it a configuration?";
        return Err(Problem::of_file(text));
    }

    // A message of its own: "byte 0xff is not UTF-8" would not tell what to do.
    if is_utf16(bytes) {
        return Err(Problem::of_file("the file is UTF-16; save it as UTF-8"));
    }

    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(e) => Err(not_utf8(bytes, e.valid_up_to())),
    }
}

/// Whether a text begins with a byte order mark of UTF-16, as Windows' editors write it.
fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
}

fn not_utf8(bytes: &[u8], at: usize) -> Problem {
    let (good, bad) = bytes.split_at(at);
    let byte = bad.first().copied().unwrap_or_default();
    let before = String::from_utf8_lossy(good);
    let text = format!("byte {byte:#04x} is not UTF-8; save the file as UTF-8");
    Problem::behind(&before, text)
}

/// The most brackets that may be open at once. The parser's time grows with their number times the file's length.
const MAX_OPEN: usize = 256;

/// Takes a byte order mark away and refuses what YAML allows nowhere, where the parser would not name the line, and
/// brackets in such numbers that the parser would not end.
pub(super) fn check_characters(text: &str) -> Result<&str, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut open = 0;
    for (at, c) in text.char_indices() {
        // Brackets in quotes count too: a bound need not be exact.
        open = open_after(open, c);
        if let Some(what) = complaint(c, open) {
            return Err(Problem::behind(&text[..at], what));
        }
    }

    Ok(text)
}

fn open_after(open: usize, c: char) -> usize {
    match c {
        '[' | '{' => open + 1,
        ']' | '}' => open.saturating_sub(1),
        _ => open,
    }
}

fn complaint(c: char, open: usize) -> Option<String> {
    if open > MAX_OPEN {
        return Some(format!("{open} brackets are open here; close them"));
    }

    match allowed(c) {
        true => None,
        false => Some(not_allowed(c)),
    }
}

fn not_allowed(c: char) -> String {
    let number = u32::from(c);
    format!("the invisible character U+{number:04X} is not allowed; remove it")
}

/// The characters of YAML 1.1 §4.1.1.
fn allowed(c: char) -> bool {
    // A byte order mark at the beginning was removed; elsewhere it is an invisible character.
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
        && c != '\u{feff}'
}

/// The parser's complaint as a sentence with a remedy.
pub(super) fn syntax(text: &str, error: &serde_yaml::Error) -> Problem {
    let said = error.to_string();
    // The library's errors have no kinds, only texts.
    if said.contains("more than one document") {
        return Problem::of_file(
            "the file holds several YAML documents; keep one, and remove the '---' between them",
        );
    }

    match error.location() {
        Some(at) => syntax_at(text, &said, at.line(), at.column()),
        None => Problem::of_file(format!("the YAML cannot be read: {said}")),
    }
}

fn syntax_at(text: &str, said: &str, line: usize, column: usize) -> Problem {
    // The place stands before the sentence already.
    let said = said.replacen(&format!(" at line {line} column {column}"), "", 1);
    let remedy = remedy(character_at(text, line, column));
    Problem {
        line: Some(line),
        column: Some(column),
        text: format!("the YAML cannot be read: {said}; {remedy}"),
    }
}

fn character_at(text: &str, line: usize, column: usize) -> Option<char> {
    let line = text.lines().nth(line - 1)?;
    line.chars().nth(column - 1)
}

/// What to do about the character where the parser gave up.
fn remedy(here: Option<char>) -> &'static str {
    match here {
        Some('\t') => "indent with spaces, not tabs",
        // These begin something else than a text (YAML 1.1 §5.3, "Indicator Characters").
        Some('@' | '`' | '%' | '*' | '&' | '!' | '|' | '>' | ']' | '}' | ',') => {
            "put the value in quotes if it is text"
        }
        _ => "look at quotes, colons, brackets and indentation there and in the line above",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_text_is_refused_with_its_place() {
        let bad = |bytes: &[u8]| decode(bytes).unwrap_err();
        assert_eq!(
            bad(b"a: 1\nb: \xfc\n"),
            Problem {
                line: Some(2),
                column: Some(4),
                text: "byte 0xfc is not UTF-8; save the file as UTF-8".into()
            }
        );
        assert!(bad(b"\xff\xfea\0").text.contains("UTF-16"));
        assert!(bad(&vec![b'#'; MAX_FILE + 1]).text.contains("1 MiB"));
        assert!(decode(&vec![b'#'; MAX_FILE]).is_ok());
    }

    #[test]
    fn invisible_characters_are_named_and_a_byte_order_mark_is_not_minded() {
        assert_eq!(check_characters("\u{feff}a: 1"), Ok("a: 1"));
        let problem = check_characters("a: 1\nb: x\u{7}").unwrap_err();
        assert_eq!((problem.line, problem.column), (Some(2), Some(5)));
        assert!(problem.text.contains("U+0007"));
        assert!(
            check_characters("a: \u{feff}").is_err() && check_characters("a:\tß😀\r\n").is_ok()
        );
    }
}
