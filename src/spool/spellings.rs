//! Entries whose host is spelled otherwise than another one's: `web:Web01:80` and `web:web01:80`, `web:2001:DB8::1:80`
//! and `web:2001:db8::1:80`. They are the same instance.
//!
//! Rule: an entry is written by the name that was typed, where the replaced tools look for it, and found by what the
//! name means.

use std::fs;

use super::{Key, Spool};

/// The name of a key as checks ask for it; none where that is the name itself, or it names no host.
pub(super) fn usual_spelling(name: &str) -> Option<String> {
    // Only instances with a host have two colons.
    if name.bytes().filter(|byte| *byte == b':').count() < 2 {
        return None;
    }

    let usual = Key::parse(name).ok()?.canonical().file_name();
    (usual != name).then_some(usual)
}

impl Spool {
    /// The file names of a key's entries: its own first, then those that spell its host otherwise.
    pub(super) fn names_of(&self, key: &Key) -> Vec<String> {
        let own = key.file_name();
        let mut others = match key.host() {
            Some(_) => self.other_spellings(key),
            // Only a host can be spelled in several ways, and to list the folder costs more than to open one file.
            None => Vec::new(),
        };

        others.retain(|name| *name != own);
        others.sort();
        others.insert(0, own);
        others
    }

    fn other_spellings(&self, key: &Key) -> Vec<String> {
        let mut names = Vec::new();
        let usual = key.clone().canonical();
        // A folder that cannot be listed may still have the entry by its own name.
        let Ok(folder) = fs::read_dir(self.root()) else {
            return names;
        };

        for entry in folder.flatten() {
            if let Ok(name) = entry.file_name().into_string()
                && means(&name, &usual)
            {
                names.push(name);
            }
        }

        names
    }
}

fn means(name: &str, usual: &Key) -> bool {
    Key::parse(name).is_ok_and(|key| key.canonical() == *usual)
}
