//! The page of this host: three fixed files. What it shows it fetches from `/overview`.

use crate::http::page_file::{self, PageFile, PageKind};

/// `/ui`.
pub(super) const PAGE: PageFile = PageFile {
    parts: &[include_bytes!("ui/ui.html")],
    kind: PageKind::Html,
};

/// `/ui.js`.
pub(super) const SCRIPT: PageFile = PageFile {
    parts: &[page_file::SCRIPT, include_bytes!("ui/ui.js")],
    kind: PageKind::Script,
};

/// `/ui.css`.
pub(super) const STYLE: PageFile = PageFile {
    parts: &[page_file::STYLE],
    kind: PageKind::Style,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_names_no_other_host() {
        // The one address is a name of XML.
        PageFile::assert_small_and_safe([PAGE, SCRIPT, STYLE], 1);
    }
}
