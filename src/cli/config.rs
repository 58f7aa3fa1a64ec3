//! `hacheck config -c FILE`: every fault of a configuration file, or the settings that it amounts to.
//!
//! Rule: nothing but the file is read, nothing is written, and no secret is shown.

use std::io::{self, Write as _};
use std::path::Path;

use argh::{ArgsInfo, FromArgs};

use crate::cli::applet::{Applet, Call};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config;

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "config",
    alias: None,
    usage: "[-q] -c FILE",
    about: "checks a config file: prints every fault with its line, or the settings in force",
    info: Args::get_args_info,
    uses: |_| true,
    run,
};

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(example = "hacheck config -c /etc/hacheck/hacheck.yml")]
struct Args {
    /// the YAML file
    #[argh(option, short = 'c', arg_name = "file")]
    config_file: Option<String>,
    /// print faults and warnings only, as before a start
    #[argh(switch, short = 'q')]
    quiet: bool,
    /// the YAML file, the same as -c
    #[argh(positional)]
    files: Vec<String>,
}

fn run(call: &Call) -> Result<u8, Failure> {
    let args: Args = call.parse()?;
    let file = match (args.config_file.as_deref(), args.files.as_slice()) {
        (Some(file), []) => file,
        (None, [file]) => file,
        (None, []) => return Err(Failure::usage("which file? write -c FILE")),
        _ => {
            return Err(Failure::usage(
                "several files are named; check one at a time",
            ));
        }
    };
    match config::load(Path::new(file)) {
        Ok(loaded) => {
            loaded
                .warnings
                .iter()
                .for_each(|w| complain(&format!("warning: {w}")));
            if args.quiet {
                return Ok(0);
            }
            output::print(&config::effective(&loaded.config)).map(|()| 0)
        }
        Err(faults) => {
            // FILE:LINE: stands first on each line, where editors look for it.
            complain(&faults.to_string());
            Ok(1)
        }
    }
}

fn complain(text: &str) {
    // Where standard error is closed, nobody wants to know.
    let _ = writeln!(io::stderr(), "{text}");
}
