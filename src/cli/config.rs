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
use crate::config::{self, Config, Examined, Fault, Faults};
use crate::fleet;
use crate::names::ServiceName;

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "config",
    alias: None,
    usage: "[-q] [-s NAME] -c FILE | --fleet-file FILE",
    about: "check a config file: print every error with its line, or the settings in force",
    info: ConfigArgs::get_args_info,
    uses: |_| true,
    run,
};

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    example = "hacheck config -c /etc/hacheck/hacheck.yml",
    example = "hacheck config --fleet-file /etc/hacheck/fleet.yml"
)]
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
    /// YAML file of the fleet, checked alone; that which fleet_file names is checked with its -c
    #[argh(option, arg_name = "file")]
    fleet_file: Option<String>,
    /// YAML file, the same as -c
    #[argh(positional)]
    files: Vec<String>,
}

fn run(call: &Call) -> Result<u8, Failure> {
    let args: ConfigArgs = call.parse()?;
    if let Some(file) = fleet_file(&args)? {
        return check_fleet(file, args.quiet);
    }

    let file = file(&args)?;
    let Examined { loaded, faults } = config::examine(Path::new(file));
    let has_faults = tell(&loaded.warnings, faults.as_ref());
    // Looked at in any case, so that all faults of both files are told at once.
    let fleet = loaded.config.daemon.fleet_file.as_deref();
    let has_faults = fleet.is_some_and(has_fleet_faults) || has_faults;
    if has_faults {
        return Ok(1);
    }

    if !args.quiet {
        output::print(&text(&args, &loaded.config)?)?;
    }

    Ok(0)
}

/// Tells what is odd and what is wrong; whether anything is wrong.
fn tell(warnings: &[Fault], faults: Option<&Faults>) -> bool {
    for warning in warnings {
        output::complain(&format!("warning: {warning}"));
    }

    if let Some(faults) = faults {
        // FILE:LINE: stands first on each line, where editors look for it.
        output::complain(&faults.to_string());
    }

    faults.is_some()
}

fn has_fleet_faults(file: &Path) -> bool {
    let examined = fleet::settings::examine(file);
    tell(&examined.warnings, examined.faults.as_ref())
}

/// Checks the file of the fleet alone.
fn check_fleet(file: &str, quiet: bool) -> Result<u8, Failure> {
    let examined = fleet::settings::examine(Path::new(file));
    if tell(&examined.warnings, examined.faults.as_ref()) {
        return Ok(1);
    }

    if !quiet {
        output::print(&examined.value.effective())?;
    }

    Ok(0)
}

/// The file of the fleet, where it is the one to check.
fn fleet_file(args: &ConfigArgs) -> Result<Option<&str>, Failure> {
    let Some(file) = &args.fleet_file else {
        return Ok(None);
    };

    // Refused rather than left out: whoever names two files waits for a word on both.
    if args.config_file.is_some() || !args.files.is_empty() {
        return Err(usage!("several files are named; check one at a time"));
    }

    if args.service.is_some() {
        return Err(usage!(
            "--service: settings of services are in the file of -c"
        ));
    }

    Ok(Some(file))
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
