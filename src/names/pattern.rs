//! Names of services, and patterns of such, in which `*` stands for any characters, also for none.

use super::ServiceName;

/// Whether a text is a name or a pattern.
pub(crate) fn is_name_or_pattern(text: &str) -> bool {
    let without = text.replace('*', "x");
    ServiceName::parse(&without).is_ok()
}

/// Whether a name fits a pattern; a text without `*` is none.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return false;
    };

    let Some(name) = name.strip_prefix(start) else {
        return false;
    };

    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    match name.strip_suffix(end) {
        Some(name) => has_in_order(name, middle),
        None => false,
    }
}

/// Whether the parts between the stars stand in a name in their order.
fn has_in_order(mut name: &str, middle: &str) -> bool {
    // The first place that fits will do: what is left of the name is longest then.
    for part in middle.split('*') {
        match name.split_once(part) {
            Some((_, rest)) => name = rest,
            None => return false,
        }
    }

    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, fitting) in [
            ("*", "web", true),
            ("db-*", "db-1", true),
            ("db-*", "db-", true),
            ("db-*", "adb-1", false),
            ("*-db", "a-db", true),
            ("*-db", "a-db1", false),
            ("a*c", "ac", true),
            ("a*c", "abbc", true),
            ("ab*bc", "abc", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("a**c", "abc", true),
            ("web", "web", false),
        ] {
            assert_eq!(fits(pattern, name), fitting, "{pattern} {name}");
        }
    }

    #[test]
    fn names_and_patterns_are_told_from_other_texts() {
        for key in ["web", "*", "db-*", "*.example"] {
            assert!(is_name_or_pattern(key), "{key}");
        }
        for other in ["", "a/b", "a:80"] {
            assert!(!is_name_or_pattern(other), "{other}");
        }
    }
}
