//! From bytes to text that a YAML parser takes, and the parser's complaints as sentences.

use super::raw::Problem;

/// The largest file, in bytes.
pub const MAX_FILE: usize = 1 << 20;

/// The text of a file.
///
/// # Errors
/// When the file is too large or not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<&str, Problem> {
    if bytes.len() > MAX_FILE {
        let text = "the file is larger than 1 MiB; is it a configuration?".into();
        return Err(Problem {
            line: None,
            column: None,
            text,
        });
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let text = "the file is UTF-16; save it as UTF-8".into();
        return Err(Problem {
            line: None,
            column: None,
            text,
        });
    }
    std::str::from_utf8(bytes).map_err(|e| {
        let (good, bad) = bytes.split_at(e.valid_up_to());
        let byte = bad.first().copied().unwrap_or_default();
        let (line, column) = place(&String::from_utf8_lossy(good));
        let text = format!("byte {byte:#04x} is not UTF-8; save the file as UTF-8");
        Problem {
            line: Some(line),
            column: Some(column),
            text,
        }
    })
}

/// The most brackets that may be open at once. The parser's time grows with their number times the file's length.
const MAX_OPEN: usize = 256;

/// Takes a byte order mark away and refuses what YAML allows nowhere, where the parser would not name the line, and
/// brackets in such numbers that the parser would not end.
pub(super) fn check_characters(text: &str) -> Result<&str, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut open = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' | '{' => open += 1,
            ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        let problem = match c {
            _ if open > MAX_OPEN => format!("{open} brackets are open here; close them"),
            _ if allowed(c) => continue,
            _ => format!(
                "the invisible character U+{:04X} is not allowed; remove it",
                u32::from(c)
            ),
        };
        let (line, column) = place(&text[..at]);
        return Err(Problem {
            line: Some(line),
            column: Some(column),
            text: problem,
        });
    }
    Ok(text)
}

/// The characters of YAML 1.1 §4.1.1.
fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
        && c != '\u{feff}'
}

/// Line and column, from 1, of what follows the text.
fn place(before: &str) -> (usize, usize) {
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (line, column)
}

/// The parser's complaint as a sentence with a remedy.
pub(super) fn syntax(text: &str, error: &serde_yaml::Error) -> Problem {
    let said = error.to_string();
    if said.contains("more than one document") {
        let text =
            "the file holds several YAML documents; keep one, and remove the '---' between them"
                .into();
        return Problem {
            line: None,
            column: None,
            text,
        };
    }
    let Some(at) = error.location() else {
        return Problem {
            line: None,
            column: None,
            text: format!("the YAML cannot be read: {said}"),
        };
    };
    let mark = format!(" at line {} column {}", at.line(), at.column());
    let said = said.replacen(&mark, "", 1);
    let here = text
        .lines()
        .nth(at.line() - 1)
        .and_then(|l| l.chars().nth(at.column() - 1));
    let remedy = match here {
        Some('\t') => "indent with spaces, not tabs",
        Some('@' | '`' | '%' | '*' | '&' | '!' | '|' | '>' | ']' | '}' | ',') => {
            "put the value in quotes if it is text"
        }
        _ => "look at quotes, colons, brackets and indentation there and in the line above",
    };
    Problem {
        line: Some(at.line()),
        column: Some(at.column()),
        text: format!("the YAML cannot be read: {said}; {remedy}"),
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
