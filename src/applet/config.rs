//! `hacheck config -c FILE`: every fault of a configuration file, or the settings that it amounts to.
//!
//! Rule: nothing but the file is read, nothing is written, and no secret is shown.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use argh::FromArgs;

use super::Failure;
use crate::config;

/// check a configuration file: prints every fault with its line, or the effective settings
#[derive(FromArgs)]
#[argh(help_triggers("-h", "--help"))]
struct Args {
    /// the configuration file
    #[argh(option, short = 'c', long = "config-file", arg_name = "FILE")]
    config_file: Option<String>,

    /// the configuration file, the same as -c
    #[argh(positional, arg_name = "FILE")]
    file: Option<String>,
}

/// Runs the applet on normalised arguments, its own name not among them.
///
/// # Errors
/// Code 1 with all faults of the file; code 2 for wrong arguments.
pub fn run(args: &[&str]) -> Result<u8, Failure> {
    let args = match Args::from_args(&["hacheck config"], args) {
        Ok(args) => args,
        Err(argh::EarlyExit { output, status: Ok(()) }) => return print(&output),
        Err(argh::EarlyExit { output, .. }) => return Err(usage(output.trim_end())),
    };
    let file = match (args.config_file, args.file) {
        (Some(file), None) | (None, Some(file)) => file,
        (None, None) => return Err(usage("which file? write hacheck config -c FILE")),
        (Some(_), Some(_)) => return Err(usage("two files are named; write hacheck config -c FILE once for each")),
    };
    let (settings, warnings) = report(Path::new(&file))?;
    // Standard error may be closed; the settings are what was asked for.
    let _ = std::io::stderr().write_all(warnings.as_bytes());
    print(&settings)
}

/// The effective settings of a file as YAML, and its warnings.
fn report(file: &Path) -> Result<(String, String), Failure> {
    let loaded = config::load(file).map_err(|faults| Failure { code: 1, message: faults.to_string() })?;
    let mut warnings = String::new();
    for warning in &loaded.warnings {
        // Writing to a string cannot fail.
        let _ = writeln!(warnings, "warning: {warning}");
    }
    Ok((config::effective(&loaded.config), warnings))
}

fn usage(message: &str) -> Failure {
    Failure { code: 2, message: message.into() }
}

/// A reader that went away early has seen what it wanted.
fn print(text: &str) -> Result<u8, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Failure { code: 1, message: format!("cannot write to standard output: {e}; is the disk full?") })
        }
        _ => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_arguments_are_usage_errors() {
        for args in [&[][..], &["-c"], &["-c", "a", "b"], &["a", "b"], &["--nonsense", "a"]] {
            let failure = run(args).unwrap_err();
            assert_eq!(failure.code, 2, "{args:?}: {}", failure.message);
            assert!(!failure.message.is_empty() && !failure.message.ends_with('\n'), "{args:?}");
        }
    }

    #[test]
    fn a_missing_file_fails_with_a_sentence() {
        let expected = "/nonexistent/h.yml: there is no such file; check the path given with -c";
        for args in
            [&["-c", "/nonexistent/h.yml"][..], &["--config-file", "/nonexistent/h.yml"], &["/nonexistent/h.yml"]]
        {
            assert_eq!(run(args), Err(Failure { code: 1, message: expected.into() }));
        }
    }

    #[test]
    fn a_usable_file_gives_settings_and_warnings() {
        let file = std::env::temp_dir().join(format!("hacheck-config-applet-{}.yml", std::process::id()));
        std::fs::write(&file, "mysql_password: hunter2\nmysql_username: me\nmax_client: 5\ncache_time: 3\n").unwrap();
        let (settings, warnings) = report(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(
            settings.contains("\ncache_time: 3  # default 10\n")
                || settings.starts_with("cache_time: 3  # default 10\n")
        );
        assert!(settings.contains("\nmysql_password: \"***\"  # default null\n"));
        assert!(!settings.contains("hunter2") && !warnings.contains("hunter2"));
        let name = file.display();
        assert_eq!(
            warnings,
            format!(
                "warning: {name}:3: max_client: there is no such setting, so it does nothing; did you mean max_clients?\n"
            )
        );
    }
}
