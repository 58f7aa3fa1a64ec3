use super::*;

#[test]
fn content_that_is_no_object_is_a_reason() {
    for text in [
        "",
        "1",
        "[\"a\"]",
        "\"quoted\"",
        "true",
        "null",
        "{\"reason\": NaN}",
        "plain\n",
    ] {
        let d = Downtime::parse(text.as_bytes());
        assert_eq!(
            (d.reason.as_str(), d.expiration, d.creation),
            (text, None, None)
        );
    }
    assert_eq!(
        Downtime::parse(b"\xff\xfe").body("web"),
        "Service web in down state: \u{fffd}\u{fffd}"
    );
}

#[test]
fn times_are_read_as_python_reads_them_and_numbers_in_quotes_too() {
    for (written, read) in [
        ("true", Some(1.0)),
        ("false", Some(0.0)),
        ("Infinity", None),
        ("-Infinity", Some(f64::NEG_INFINITY)),
        ("\"1500000000.25\"", Some(1_500_000_000.25)),
        ("\" 5 \"", Some(5.0)),
        ("null", None),
    ] {
        let text = format!(r#"{{"reason": "a \"Infinity\" b", "expiration": {written}}}"#);
        let d = Downtime::parse(text.as_bytes());
        assert_eq!(
            (d.reason.as_str(), d.expiration, d.legacy),
            ("a \"Infinity\" b", read, false),
            "{written}"
        );
    }
}

#[test]
fn times_of_a_wrong_type_are_ignored() {
    for text in [
        r#"{"expiration": "soon"}"#,
        r#"{"expiration": [1]}"#,
        r#"{"expiration": "nan"}"#,
        r#"{"expiration": Infinity}"#,
    ] {
        assert!(
            !Downtime::parse(text.as_bytes()).is_over(SystemTime::now()),
            "{text}"
        );
    }
}

#[test]
fn the_body_is_one_line_but_for_a_legacy_final_newline() {
    assert_eq!(
        Downtime::parse(b"a\nb\r\n").body("w"),
        "Service w in down state: a b\n"
    );
    let json = Downtime::parse(br#"{"reason":"a\nb\u2028c\n","creation":1000.5,"expiration":4e9}"#);
    assert_eq!(
        json.body("w"),
        "Service w in down state since 1000.500000 until 4000000000.000000: a b c"
    );
    assert_eq!(Downtime::parse(b"{}").body("w"), "Service w in down state");
}

#[test]
fn json_is_ascii_and_comes_back_whole() {
    let d = Downtime::parse(
        "{\"reason\":\"caf\u{e9} \u{1f600}\",\"expiration\":5.5,\"soft\":true}".as_bytes(),
    );
    let json = d.to_json();
    assert!(json.is_ascii(), "{json}");
    assert_eq!(Downtime::parse(json.as_bytes()), d);
}

#[test]
fn halves_of_surrogate_pairs_do_not_hide_the_times() {
    let d = Downtime::parse(
        br#"{"reason": "caf\udcc3\udca9 \ud83d\ude00 \\udcc3", "expiration": 1000}"#,
    );
    assert_eq!(
        (d.reason.as_str(), d.expiration),
        ("caf\u{fffd}\u{fffd} \u{1f600} \\udcc3", Some(1000.0))
    );
    for text in [&br"\"[..], br"\u", br"\ud8", br"\ud800\u", br"\\\ud800"] {
        assert!(Downtime::parse(text).legacy);
    }
}

#[test]
fn times_are_read_to_the_last_bit() {
    // Thousands of moments with the digits that writers in other languages give them.
    let mut bits: u64 = 1;
    let mut moments: Vec<f64> = (0..10_000)
        .map(|_| {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(11);
            f64::from_bits(
                1e9_f64.to_bits() + (bits >> 12) % (4e9_f64.to_bits() - 1e9_f64.to_bits()),
            )
        })
        .collect();
    moments.extend([6.666_666_69e74, 1e300, 5e-324, 0.1]);
    for moment in moments {
        let d = Downtime::parse(
            format!("{{\"expiration\":{moment:?},\"creation\":{moment:?}}}").as_bytes(),
        );
        assert_eq!((d.expiration, d.creation), (Some(moment), Some(moment)));
    }
}
