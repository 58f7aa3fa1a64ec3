//! Files that are no downtimes by their names: what editors, package managers and other tools leave in a folder.
//!
//! Rule: this is the one list of them. Such a file is in no list and no count of downtimes; a check of a service that has
//! this very name obeys it all the same, as in the replaced tools.

/// Whether a file name is that of a leftover: `.x`, `x~`, `#x#`, `x.swp`, `x.dpkg-old`, `x.rpmsave` and the like.
#[must_use]
pub(crate) fn is_leftover(name: &str) -> bool {
    // `#` alone could be the name of a service.
    let is_autosave = name.len() > 1 && name.starts_with('#') && name.ends_with('#');
    name.starts_with('.') || name.ends_with('~') || is_autosave || has_leftover_ending(name)
}

fn has_leftover_ending(name: &str) -> bool {
    let Some((_, ending)) = name.rsplit_once('.') else {
        return false;
    };

    // vim counts down from swp: .swo, .swn …
    let is_swap = ending.starts_with("sw") && ending.chars().count() == 3;
    is_swap || ending.starts_with("dpkg-") || ending.starts_with("rpm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_known_by_their_names() {
        for name in [
            ".gitkeep",
            ".web.swp",
            ".ansible_tmpab12web",
            "web~",
            "#web#",
            "web.swo",
            "web.dpkg-old",
            "web:8080.dpkg-dist",
            "web.rpmsave",
            "web.rpmnew",
        ] {
            assert!(is_leftover(name), "{name}");
        }
        for name in [
            "web", "web.main", "web.sw", "web.swim", "#", "dpkg-old", "rpm", "web:80",
        ] {
            assert!(!is_leftover(name), "{name}");
        }
    }
}
