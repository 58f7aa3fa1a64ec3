//! Command lines of every applet, an argument per line, as far as they are read and not yet acted on.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let args: Vec<String> = text.split('\n').map(str::to_owned).collect();
    hacheck::cli::fuzzing::command_line(&args);
});
