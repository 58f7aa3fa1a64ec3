//! Hosts as they are written: by operators in check URLs, by load balancers in headers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Longest host name (RFC 1035 section 2.3.4).
const NAME_MAX: usize = 253;

/// Where a probe goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// This host: 127.0.0.1.
    Local,
    /// Another address, or one of this host's own that is not 127.0.0.1.
    Address(IpAddr),
    /// A name that is looked up for each probe.
    Name(Box<str>),
}

/// The text is neither an address nor a host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostError;

impl Host {
    /// Parses an address, in brackets or not, or a host name, which is put in lower case. 127.0.0.1 is this host, and so
    /// are its short forms, such as `127.1`.
    ///
    /// # Errors
    /// [`HostError`] for anything else, also for an empty text.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        // Addresses first, because an IPv4 address would also pass as a name.
        match address(text) {
            Some(address) => Ok(Self::at(address)),
            None if is_name(text) => Ok(Self::Name(text.to_ascii_lowercase().into())),
            None => Err(HostError),
        }
    }

    /// The host of an address; an IPv4-mapped one is the IPv4 address itself.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(Ipv4Addr::LOCALHOST) => Self::Local,
            other => Self::Address(other),
        }
    }

    /// Whether it is the name `localhost`: this host, by 127.0.0.1 and by ::1 (RFC 6761 section 6.3).
    #[must_use]
    pub(crate) fn is_localhost(&self) -> bool {
        match self {
            Self::Name(name) => &**name == "localhost",
            Self::Local | Self::Address(_) => false,
        }
    }
}

/// An address in any form that a resolver takes. Were some not known here, they would be taken for names, and what they
/// lead to would be looked at only after the look-up.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = without_brackets(text).parse() {
        return Some(address);
    }

    let short = short_ipv4(text)?;
    Some(IpAddr::V4(short))
}

/// The forms of an IPv4 address that resolvers take besides the usual one (inet_aton(3)): one to four numbers, also in
/// octal or hexadecimal, of which the last one fills all bytes that are left.
fn short_ipv4(text: &str) -> Option<Ipv4Addr> {
    // Five parts at most: the text may be a stranger's, with thousands of dots.
    let parts: Vec<&str> = text.splitn(5, '.').collect();
    let (last, firsts) = parts.split_last()?;
    if firsts.len() > 3 {
        return None;
    }

    let address = leading_bytes(firsts)? | last_number(last, firsts.len())?;
    Some(Ipv4Addr::from_bits(address))
}

/// The last number, which fills the bytes that the others leave: `127.1` is 127.0.0.1.
fn last_number(text: &str, others: usize) -> Option<u32> {
    let number = number(text)?;
    let most = u32::MAX >> (8 * others);
    (number <= most).then_some(number)
}

fn leading_bytes(parts: &[&str]) -> Option<u32> {
    let mut address = 0;
    for (place, part) in parts.iter().enumerate() {
        let byte = u8::try_from(number(part)?).ok()?;
        address |= u32::from(byte) << (24 - 8 * place);
    }

    Some(address)
}

fn number(text: &str) -> Option<u32> {
    let (digits, radix) = digits_and_radix(text);
    // `from_str_radix` would take a sign too.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }

    u32::from_str_radix(digits, radix).ok()
}

fn digits_and_radix(text: &str) -> (&str, u32) {
    match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        // A leading zero makes it octal, as in C: 010 is 8.
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    }
}

fn is_name(text: &str) -> bool {
    let length_fits = (1..=NAME_MAX).contains(&text.len());
    length_fits && text.bytes().all(is_name_byte)
}

/// An address of IPv6 as it stands in URLs, without its brackets; any other text as it is.
pub(crate) fn without_brackets(text: &str) -> &str {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    inner.unwrap_or(text)
}

/// Whether a byte may stand in the name of a host.
pub(crate) fn is_name_byte(byte: u8) -> bool {
    // RFC 952 has no underscore, but many containers have one in their names.
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

impl fmt::Display for Host {
    /// As it stands in front of `:port`: IPv6 addresses in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("127.0.0.1"),
            Self::Address(IpAddr::V6(a)) => write!(f, "[{a}]"),
            Self::Address(a) => a.fmt(f),
            Self::Name(n) => f.write_str(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name_and_nothing_else() {
        for (text, shown) in [
            ("127.0.0.1", "127.0.0.1"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("::ffff:10.0.0.7", "10.0.0.7"),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
            ("[10.0.0.7]", "10.0.0.7"),
            ("DB-1.example_a", "db-1.example_a"),
            ("127.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("0X7F.1", "127.0.0.1"),
            ("0177.0.0.01", "127.0.0.1"),
            ("127.0.2", "127.0.0.2"),
            ("10.256", "10.0.1.0"),
            ("0", "0.0.0.0"),
            ("4294967295", "255.255.255.255"),
            ("4294967296", "4294967296"),
            ("127.16777216", "127.16777216"),
            ("256.1", "256.1"),
            ("09.1", "09.1"),
            ("0x.1", "0x.1"),
            ("127.0.0.1.", "127.0.0.1."),
            ("1.2.3.4.5", "1.2.3.4.5"),
            ("127.-1", "127.-1"),
            ("1e3", "1e3"),
            ("localhost", "localhost"),
        ] {
            let host = Host::parse(text).unwrap_or_else(|_| panic!("{text} was refused"));
            assert_eq!(host.to_string(), shown, "{text}");
        }
        let long = "a".repeat(NAME_MAX + 1);
        for bad in [
            "",
            "a b",
            "a/b",
            "user@host",
            "[web]",
            "[::1",
            "é",
            "a:80",
            &long,
        ] {
            assert_eq!(Host::parse(bad), Err(HostError), "{bad:?}");
        }
        assert!(Host::parse(&long[1..]).is_ok());
    }

    #[test]
    fn localhost_is_known_by_its_name() {
        assert!(Host::parse("LocalHost").unwrap().is_localhost());
        for other in ["localhost.example", "127.0.0.1", "::1"] {
            assert!(!Host::parse(other).unwrap().is_localhost(), "{other}");
        }
    }
}
