//! Ranges of ports, for the list of what may be probed.

use std::fmt;

/// A range of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    first: u16,
    last: u16,
}

impl Ports {
    /// Every port.
    pub const ALL: Self = Self {
        first: 1,
        last: u16::MAX,
    };

    /// Parses `8080` or `8000-8999`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // A single port is a range of one.
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let first = port(first)?;
        let last = port(last)?;
        (first <= last).then_some(Self { first, last })
    }

    /// Whether a port lies in the range.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

fn port(text: &str) -> Option<u16> {
    let digits = text.trim();
    // `parse` alone takes a plus sign too.
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }

    // Port 0 cannot be connected to; in a poller's URL it is a dummy.
    match digits.parse() {
        Ok(0) | Err(_) => None,
        Ok(port) => Some(port),
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_single_or_ranges() {
        for (text, shown) in [
            ("80", "80"),
            ("8000-8999", "8000-8999"),
            (" 1 - 1 ", "1"),
            ("65535", "65535"),
        ] {
            assert_eq!(
                Ports::parse(text).map(|p| p.to_string()).as_deref(),
                Some(shown),
                "{text}"
            );
        }
        for bad in ["", "0", "65536", "9-8", "1-2-3", "+80", "-", "http", "0-80"] {
            assert_eq!(Ports::parse(bad), None, "{bad}");
        }
        let range = Ports::parse("80-82").unwrap();
        assert!(
            range.contains(80) && range.contains(82) && !range.contains(79) && !range.contains(83)
        );
    }
}
