//! The markup of man pages, mdoc(7): text as lines that mean just what they say.

/// Text as one or more lines of mdoc.
pub fn text(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        for sentence in sentences(&escape(line)) {
            out += &wrapped(&sentence);
        }
    }
    out
}

/// A sentence in lines of at most 80 characters, none of which begins like a macro.
fn wrapped(sentence: &str) -> String {
    let (mut out, mut line) = (String::new(), String::new());
    for word in sentence.split(' ').filter(|w| !w.is_empty()) {
        if !line.is_empty() && line.len() + 1 + word.len() > 80 {
            out += &format!("{line}\n");
            line.clear();
        }
        if line.is_empty() {
            line += if word.starts_with('.') { "\\&" } else { "" };
        } else {
            line.push(' ');
        }
        line += word;
    }
    format!("{out}{line}\n")
}

/// A line as it stands, within `.Bd -literal`.
pub fn literal(line: &str) -> String {
    format!("\\&{}\n", escape(line))
}

/// Text within a line of a macro: no word of it is taken for a macro.
pub fn argument(text: &str) -> String {
    let words = escape(text);
    words
        .split(' ')
        .map(|w| format!("\\&{w}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Markdown with backticks, links and line breaks taken out.
pub fn plain(markdown: &str) -> String {
    without_links(markdown)
        .replace('`', "")
        .replace("<br>", "; ")
        .replace("**", "")
}

/// Markdown with the labels of links in place of the links.
pub fn without_links(markdown: &str) -> String {
    let mut out = String::new();
    let mut rest = markdown;
    while let Some((before, after)) = rest.split_once('[') {
        out += before;
        match after
            .split_once("](")
            .and_then(|(label, tail)| Some((label, tail.split_once(')')?.1)))
        {
            Some((label, tail)) => {
                out += label;
                rest = tail;
            }
            None => {
                out.push('[');
                rest = after;
            }
        }
    }
    out + rest
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
        .replace('`', "\\(ga")
        .replace('~', "\\(ti")
        .replace('^', "\\(ha")
        .replace('"', "\\(dq")
        .replace('…', "...")
        .replace('–', "\\(en")
        .replace('×', "\\(mu")
}

/// Each sentence on lines of its own, as is mdoc's style.
fn sentences(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = line.trim();
    while let Some(at) = sentence_end(rest) {
        out.push(rest[..at].to_owned());
        rest = rest[at..].trim_start();
    }
    out.push(rest.to_owned());
    out
}

/// Behind the full stop of a sentence that another one follows.
fn sentence_end(text: &str) -> Option<usize> {
    let next = |at: usize| {
        text[at..]
            .trim_start()
            .starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit() || c == '\\')
    };
    let mut ends = text.match_indices(". ").map(|(at, _)| at + 1);
    ends.find(|at| next(*at) && !text[..*at].ends_with("e.g."))
}
