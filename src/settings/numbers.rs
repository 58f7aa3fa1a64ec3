//! Numbers and sizes as they may be written in the file: from text to value, and sizes back.

/// The digits of a whole number, `_` between them and `.0` behind them taken out. A leading zero is refused: YAML 1.1
/// reads 010 as 8, YAML 1.2 as 10.
pub(super) fn digits(text: &str) -> Option<String> {
    let digits = text.trim().replace('_', "");
    let digits = match digits.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|b| b == b'0') => whole,
        _ => &digits,
    };
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let good = digits.bytes().all(|b| b.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'));
    (good && !digits.is_empty()).then(|| digits.to_owned())
}

/// A number of YAML, `_` between its digits taken out; infinite too, but never "not a number".
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase().replace('_', "");
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let value = match rest {
        ".inf" | "inf" | "infinity" => f64::INFINITY,
        // Rust's own words for it, and signs after the sign.
        _ if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') => return None,
        _ => rest.parse().ok()?,
    };
    Some(if negative { -value } else { value })
}

/// A number of bytes, with or without a unit.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return None,
    };
    // Too large a number is a number still: the caller says that it is out of range.
    Some(
        digits(number)?
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(1 << shift))
            .unwrap_or(u64::MAX),
    )
}

/// A number of bytes in the largest unit that leaves it whole.
pub fn size_words(bytes: usize) -> String {
    [(30, "GiB"), (20, "MiB"), (10, "KiB")]
        .into_iter()
        .find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift))
        .map_or_else(
            || bytes.to_string(),
            |(shift, unit)| format!("{}{unit}", bytes >> shift),
        )
}
