//! `hacheck config`: under construction.

use argh::{ArgsInfo, FromArgs};

use super::{Applet, Call, Failure};

/// The row of the table.
pub(super) const APPLET: Applet = Applet {
    name: "config",
    alias: None,
    usage: "[options]",
    about: "checks a config file: prints every fault with its line, or the settings in force",
    info: Args::get_args_info,
    run,
};

/// The command line.
#[derive(FromArgs, ArgsInfo)]
struct Args {}

fn run(call: &Call) -> Result<u8, Failure> {
    let Args {} = call.parse()?;
    Err(Failure::failed("this is not built yet"))
}
