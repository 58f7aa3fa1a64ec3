//! `hacheck config -c FILE`: every fault of a configuration file, or the settings that it amounts
//! to.
//!
//! Rule: nothing is written, and no secret is shown. Of the files and programs that it names it only tells whether they
//! are there for this user.

use std::path::Path;

use argh::{ArgsInfo, FromArgs};

use crate::cli::applet::{Applet, Call};
use crate::cli::failure::{Failure, usage};
use crate::cli::output;
use crate::config::{self, Config, Examined};
use crate::names::ServiceName;

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "config",
    alias: None,
    usage: "[-q] [-s NAME] -c FILE",
    about: "check a config file: print every error with its line, or the settings in force",
    info: ConfigArgs::get_args_info,
    uses: |_| true,
    run,
};

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(example = "hacheck config -c /etc/hacheck/hacheck.yml")]
struct ConfigArgs {
    /// YAML file
    #[argh(option, short = 'c', arg_name = "file")]
    config_file: Option<String>,
    /// print only errors and warnings, as a check before a start
    #[argh(switch, short = 'q')]
    quiet: bool,
    /// print the settings that count for one service, merged from its own, the patterns that fit and the global ones
    #[argh(option, short = 's', arg_name = "name")]
    service: Option<String>,
    /// YAML file, the same as -c
    #[argh(positional)]
    files: Vec<String>,
}

fn run(call: &Call) -> Result<u8, Failure> {
    let args: ConfigArgs = call.parse()?;
    let file = file(&args)?;
    let Examined { loaded, faults } = config::examine(Path::new(file));
    for warning in &loaded.warnings {
        output::complain(&format!("warning: {warning}"));
    }
    if let Some(faults) = faults {
        // FILE:LINE: stands first on each line, where editors look for it.
        output::complain(&faults.to_string());
        return Ok(1);
    }
    if !args.quiet {
        output::print(&text(&args, &loaded.config)?)?;
    }
    Ok(0)
}

fn text(args: &ConfigArgs, config: &Config) -> Result<String, Failure> {
    let Some(name) = &args.service else {
        return Ok(config::effective(config));
    };
    match ServiceName::parse(name) {
        Ok(_) => Ok(config::effective_of(config, name)),
        Err(e) => Err(usage!("--service: {e}")),
    }
}

fn file(args: &ConfigArgs) -> Result<&str, Failure> {
    match (&args.config_file, args.files.as_slice()) {
        (Some(file), []) => Ok(file),
        (None, [file]) => Ok(file),
        (None, []) => Err(usage!("no file is named; give one with -c")),
        _ => Err(usage!("several files are named; check one at a time")),
    }
}
