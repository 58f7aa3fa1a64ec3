//! Sections of the documents as sections of man pages, so that each text stands once.

use std::fs;

use super::man::sentence;
use super::markdown::cells;
use super::mdoc::{argument, literal, plain, text};

/// The part of a document that is one section.
pub fn lines(file: &str, heading: &str) -> Vec<String> {
    let document = fs::read_to_string(file).unwrap();
    let mut found = Vec::new();
    let mut level = 0;
    let mut in_code = false;
    for line in document.lines() {
        in_code ^= line.starts_with("```");
        let own_level = match in_code {
            true => 0,
            false => line.len() - line.trim_start_matches('#').len(),
        };
        if level == 0 {
            let is_it = own_level > 0 && line[own_level..].trim() == heading;
            level = if is_it { own_level } else { 0 };
        } else if own_level > 0 && own_level <= level {
            break;
        } else {
            found.push(line.to_owned());
        }
    }
    assert!(!found.is_empty(), "{file}: no section {heading}");
    found
}

/// What may follow each other in a section.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Start,
    Paragraph,
    Bullets,
    Numbers,
    Table,
    Code,
}

/// A section in mdoc.
pub fn mdoc(file: &str, heading: &str) -> String {
    let mut page = Page {
        out: String::new(),
        block: Block::Start,
        pending: String::new(),
        head: Vec::new(),
        is_first: true,
    };
    for line in lines(file, heading) {
        page.line(&line);
    }
    page.enter(Block::Start);
    page.out
}

struct Page {
    out: String,
    block: Block,
    /// The text of a paragraph or item, which goes on in the next line.
    pending: String,
    /// The heads of the columns of a table.
    head: Vec<String>,
    /// Nothing stands under the heading yet.
    is_first: bool,
}

impl Page {
    fn line(&mut self, line: &str) {
        if self.block == Block::Code {
            return self.code(line);
        }
        if line.starts_with("```") {
            self.enter(Block::Code);
        } else if line.starts_with('#') {
            self.enter(Block::Start);
            let title = plain(line.trim_start_matches('#').trim());
            self.out += &format!(".Ss {}\n", argument(&title));
            self.is_first = true;
        } else if line.starts_with('|') {
            self.row(line);
        } else if let Some(item) = line.strip_prefix("- ") {
            self.item(Block::Bullets, item);
        } else if let Some(item) = numbered(line) {
            self.item(Block::Numbers, item);
        } else if line.is_empty() && self.block == Block::Table {
            self.enter(Block::Start);
        } else if line.is_empty() {
            self.flush();
        } else {
            self.prose(line);
        }
    }

    fn code(&mut self, line: &str) {
        match line.starts_with("```") {
            true => self.enter(Block::Start),
            false if line.is_empty() => self.out.push('\n'),
            false => self.out += &literal(line),
        }
    }

    fn row(&mut self, line: &str) {
        if self.block != Block::Table {
            self.enter(Block::Table);
            self.head = cells(line);
        } else if !line.starts_with("|---") {
            let cells = cells(line);
            let about = self.about(&cells);
            let name = argument(&plain(&cells[0]));
            self.out += &format!(".It {name}\n{}", text(&about));
        }
    }

    /// The last cell of a row, then those between, each with the head of its column.
    fn about(&self, cells: &[String]) -> String {
        let last = cells.len() - 1;
        let mut about = sentence(&cells[last]);
        for (head, cell) in self.head[1..last].iter().zip(&cells[1..last]) {
            about += &format!(" {} {}.", sentence(head).replace('.', ":"), plain(cell));
        }
        about
    }

    fn item(&mut self, block: Block, item: &str) {
        self.flush();
        if self.block != block {
            self.enter(block);
        }
        self.out += ".It\n";
        item.clone_into(&mut self.pending);
    }

    /// A line of a paragraph, or the next one of an item.
    fn prose(&mut self, line: &str) {
        let goes_on = line.starts_with(' ') && !self.pending.is_empty();
        if !goes_on && self.block != Block::Paragraph {
            self.enter(Block::Paragraph);
        }
        if self.pending.is_empty() {
            let is_first = std::mem::take(&mut self.is_first);
            self.out += if is_first { "" } else { ".Pp\n" };
        } else {
            self.pending.push(' ');
        }
        self.pending += line.trim();
    }

    fn flush(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            self.out += &text(&plain(&pending));
        }
    }

    /// Ends what was begun, and begins another block.
    fn enter(&mut self, block: Block) {
        self.flush();
        self.out += match self.block {
            Block::Start | Block::Paragraph => "",
            Block::Bullets | Block::Numbers | Block::Table => ".El\n",
            Block::Code => ".Ed\n",
        };
        self.out += match block {
            Block::Start | Block::Paragraph => "",
            Block::Bullets => ".Bl -bullet\n",
            Block::Numbers => ".Bl -enum\n",
            Block::Table => ".Bl -tag -width Ds\n",
            Block::Code => ".Bd -literal\n",
        };
        if !matches!(block, Block::Start | Block::Paragraph) {
            self.is_first = false;
        }
        self.block = block;
    }
}

/// The text of `1. text`.
fn numbered(line: &str) -> Option<&str> {
    let (number, item) = line.split_once(". ")?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(item)
}
