//! A configuration file: what is taken shows as a file that is taken again, and shows the same.
#![no_main]

use hacheck::config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Values of the environment and of other files are not part of what is fuzzed.
    if data.windows(2).any(|w| w == b"${") || data.windows(5).any(|w| w == b"_file") {
        return;
    }
    match config::parse(data, "fuzz.yaml") {
        Ok(loaded) => {
            let shown = config::effective(&loaded.config);
            let again = config::parse(shown.as_bytes(), "shown.yaml")
                .unwrap_or_else(|e| panic!("{e}\n{shown}"));
            assert_eq!(config::effective(&again.config), shown);
        }
        Err(faults) => assert!(faults.to_string().contains("fuzz.yaml")),
    }
});
