//! A spool file's name and content: what is read can be written and read again as the same.
#![no_main]

use hacheck::spool::{Downtime, Key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (name, content) = data.split_at(data.iter().position(|b| *b == b'\n').unwrap_or(0));
    if let Ok(key) = std::str::from_utf8(name)
        .map_err(drop)
        .and_then(|n| Key::parse(n).map_err(drop))
    {
        let file = key.file_name();
        assert!(
            !file.contains('/') && !file.is_empty() && file != "." && file != "..",
            "{file:?}"
        );
        assert_eq!(Key::parse(&file).as_ref(), Ok(&key));
    }
    let downtime = Downtime::parse(content);
    let body = downtime.body("web");
    assert!(body.starts_with("Service web in down state"), "{body:?}");
    let line = body.strip_suffix('\n').unwrap_or(&body);
    assert!(!line.contains(char::is_control), "{body:?}");
    hacheck::daemon::fuzzing::phrase(&downtime.reason);
    let _ = downtime.is_over(std::time::SystemTime::now());
    // What is no JSON object becomes one with the same reason.
    let again = Downtime::parse(downtime.to_json().as_bytes());
    assert_eq!(
        (&again.reason, again.expiration, again.creation),
        (&downtime.reason, downtime.expiration, downtime.creation)
    );
});
