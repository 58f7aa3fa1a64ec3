//! Numbers and sizes as they may be written in the file: from text to value, and sizes back.

/// The value of a whole number in base 8, 16 or 2, as YAML 1.1 writes it: `010`, `0x1f`, `0b1`. 0 itself is decimal.
pub(super) fn other_base(text: &str) -> Option<u64> {
    // YAML 1.1 has `_` between digits, as in 1_000_000.
    let written = text.trim().replace('_', "");
    let unsigned = written.strip_prefix('+').unwrap_or(&written);
    let (digits, base) = digits_and_base(unsigned)?;
    // `from_str_radix` takes a sign as well.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }

    u64::from_str_radix(digits, base).ok()
}

/// What follows the 0 that marks another base.
fn digits_and_base(unsigned: &str) -> Option<(&str, u32)> {
    let marked = unsigned.strip_prefix('0')?;
    match marked.split_at_checked(1) {
        Some(("x", digits)) => Some((digits, 16)),
        Some(("b", digits)) => Some((digits, 2)),
        Some(_) => Some((marked, 8)),
        // 0 itself, which is decimal.
        None => None,
    }
}

/// The digits of a whole number, `_` between them and `.0` behind them taken out. A leading zero is refused: what is
/// octal was read before, and the rest, such as 08, means nothing in YAML 1.1.
pub(super) fn digits(text: &str) -> Option<String> {
    let written = text.trim().replace('_', "");
    let whole = without_zero_fraction(&written);
    let digits = whole.strip_prefix('+').unwrap_or(whole);
    if !is_digits(digits) || has_leading_zero(digits) {
        return None;
    }

    Some(digits.to_owned())
}

fn without_zero_fraction(number: &str) -> &str {
    match number.split_once('.') {
        // Templates that compute write 10.0.
        Some((whole, rest)) if rest.bytes().all(|b| b == b'0') => whole,
        Some(_) | None => number,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn has_leading_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

/// A number of YAML, `_` between its digits taken out; infinite too, but never "not a number".
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase().replace('_', "");
    if let Some(rest) = text.strip_prefix('-') {
        return Some(-unsigned(rest)?);
    }

    unsigned(text.strip_prefix('+').unwrap_or(&text))
}

fn unsigned(text: &str) -> Option<f64> {
    if matches!(text, ".inf" | "inf" | "infinity") {
        return Some(f64::INFINITY);
    }

    // Rust's `parse` would also take a second sign, and its own words such as `nan`.
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }

    text.parse().ok()
}

/// A number of bytes, with or without a unit.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text.trim());
    let unit = unit_bytes(unit)?;
    // Too large a number is a number still: the caller says that it is out of range.
    let number: u64 = digits(number)?.parse().unwrap_or(u64::MAX);
    Some(number.saturating_mul(unit))
}

fn number_and_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_');
    text.split_at(end.unwrap_or(text.len()))
}

fn unit_bytes(unit: &str) -> Option<u64> {
    // `k` is 1024, as in nginx and HAProxy; a `kb` that might mean 1000 is refused.
    match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kib" => Some(1 << 10),
        "m" | "mib" => Some(1 << 20),
        "g" | "gib" => Some(1 << 30),
        _ => None,
    }
}

/// A number of bytes in the largest unit that leaves it whole.
pub(crate) fn size_words(bytes: usize) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        // 0 is a multiple of everything.
        if bytes > 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }

    bytes.to_string()
}
