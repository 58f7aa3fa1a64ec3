//! `hacheck probe`: under construction.

use argh::{ArgsInfo, FromArgs};

use super::{Applet, Call, Failure};

/// The row of the table.
pub(super) const APPLET: Applet = Applet {
    name: "probe",
    alias: None,
    usage: "[options] PROTOCOL SERVICE PORT [QUERY]",
    about: "one check from the command line: prints what the daemon would answer, and why",
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
