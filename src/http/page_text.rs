//! The text of a page: in pieces, each with a place in the memory budget, so that a slow reader holds up one of them and
//! many readers share all.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::memory::{BodyBuffer, MemoryBudget, MemoryFull, SMALL_ANSWER};

/// The length of a piece, in bytes.
const PIECE: usize = 64 << 10;

/// A text that is complete.
#[derive(Debug, Default)]
pub(crate) struct PageText {
    pub(super) pieces: Vec<Bytes>,
}

impl PageText {
    /// A value as JSON.
    ///
    /// # Errors
    /// When there is no place for it.
    pub(crate) fn json(
        value: &impl Serialize,
        memory: &Arc<MemoryBudget>,
    ) -> Result<Self, MemoryFull> {
        // Written straight into pieces: a copy of the whole text would be memory outside the budget.
        let mut writer = PieceWriter::new(memory);
        // Texts and numbers always fit into JSON: what fails is the writer.
        serde_json::to_writer(&mut writer, value).map_err(|_| MemoryFull)?;
        writer.end_piece();
        Ok(writer.text)
    }
}

struct PieceWriter<'a> {
    text: PageText,
    piece: BodyBuffer,
    memory: &'a Arc<MemoryBudget>,
}

impl<'a> PieceWriter<'a> {
    fn new(memory: &'a Arc<MemoryBudget>) -> Self {
        Self {
            text: PageText::default(),
            piece: BodyBuffer::new(memory.permit(SMALL_ANSWER), PIECE),
            memory,
        }
    }

    fn end_piece(&mut self) {
        // Only the beginning of the first piece always has a place, so that small pages work when memory is short.
        let next = BodyBuffer::new(self.memory.permit(0), PIECE);
        let piece = std::mem::replace(&mut self.piece, next).finish();
        self.text.pieces.push(piece);
    }
}

impl Write for PieceWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.is_complete() {
            self.end_piece();
        }

        // The caller uses `write_all`, which comes again with the rest.
        let taken = bytes.len().min(self.piece.room());
        match self.piece.push(&bytes[..taken]) {
            Ok(()) => Ok(taken),
            Err(full) => Err(io::Error::new(io::ErrorKind::OutOfMemory, full)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_into_pieces_that_all_have_their_place() {
        let memory = MemoryBudget::new(1 << 20);
        let value = vec!["text"; 50_000];
        let page = PageText::json(&value, &memory).unwrap();
        let whole: Vec<u8> = page.pieces.concat();
        assert_eq!(whole, serde_json::to_vec(&value).unwrap());
        assert_eq!(memory.used(), whole.len());
        assert!(page.pieces.len() > 4);
        drop(page);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn a_page_that_does_not_fit_is_refused_and_leaves_nothing() {
        let memory = MemoryBudget::new(200_000);
        assert!(PageText::json(&vec!["text"; 50_000], &memory).is_err());
        assert_eq!(memory.used(), 0);
        assert!(PageText::json(&vec!["text"; 1000], &memory).is_ok());
    }
}
