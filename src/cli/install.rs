//! `hacheck install`: links to the binary by the names in the table of applets.
//!
//! Rule: everything is looked at before anything is changed, and what is not ours stays unless it
//! is forced.

use std::fs::{self, FileType};
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use argh::{ArgsInfo, FromArgs};

use super::APPLETS;
use crate::cli::applet::{Applet, Call};
use crate::cli::failure::{Failure, failed, usage};
use crate::cli::output;
use crate::os::cause::cause_text;

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "install",
    alias: None,
    usage: "[--dry-run] [--force] [DIR]",
    about: "make the links hadown, haup, … to this binary, beside it or in DIR",
    info: InstallArgs::get_args_info,
    uses: |_| true,
    run,
};

/// The command line.
#[derive(FromArgs, ArgsInfo)]
struct InstallArgs {
    /// show what would be done; change nothing
    #[argh(switch)]
    dry_run: bool,
    /// replace files and links that are not hacheck's
    #[argh(switch)]
    force: bool,
    /// the folder; default: the one that the binary is in
    #[argh(positional)]
    folders: Vec<String>,
}

/// What stands where a link is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occupant {
    Nothing,
    /// A link to this binary.
    Ours,
    /// A file, or a link to something else.
    Foreign,
    /// A folder, or the binary itself: not replaced by force either.
    Fixed,
}

/// A link to be, and what stands there now.
struct LinkPlace {
    link: PathBuf,
    occupant: Occupant,
}

fn run(call: &Call) -> Result<u8, Failure> {
    let args: InstallArgs = call.parse()?;
    let binary = own_binary()?;
    let folder = folder(&args, &binary)?;
    let target = target(&folder, &binary)?;
    let places = places(&folder, &binary);
    // Before the first link is made, so that a refusal leaves nothing half done.
    refuse(&places, args.force)?;
    let mut done = String::new();
    let made = make_all(&places, &target, args.dry_run, &mut done);
    // What was done before a failure is told too.
    output::print(&done)?;
    made?;
    Ok(0)
}

/// Makes the links; what was done or would be done, in a line each.
fn make_all(
    places: &[LinkPlace],
    target: &Path,
    is_dry: bool,
    done: &mut String,
) -> Result<(), Failure> {
    for place in places {
        done.push_str(&make_unless_dry(place, target, is_dry)?);
    }

    Ok(())
}

/// Makes a link; what was done or would be done, in a line.
fn make_unless_dry(place: &LinkPlace, target: &Path, is_dry: bool) -> Result<String, Failure> {
    if !is_dry {
        make(place, target).map_err(|e| cannot_make(&place.link, e))?;
    }

    let verb = verb(place.occupant, is_dry);
    let (link, target) = (place.link.display(), target.display());
    Ok(format!("{verb} {link} -> {target}\n"))
}

fn own_binary() -> Result<PathBuf, Failure> {
    let binary = std::env::current_exe().and_then(fs::canonicalize);
    binary.map_err(|e| {
        let cause = cause_text(e);
        failed!("cannot find this binary: {cause}")
    })
}

fn folder(args: &InstallArgs, binary: &Path) -> Result<PathBuf, Failure> {
    match args.folders.as_slice() {
        // A file always has a folder above it; the default is never used.
        [] => Ok(binary.parent().unwrap_or(Path::new("/")).to_owned()),
        [folder] => Ok(PathBuf::from(folder)),
        _ => Err(usage!("give one folder at most")),
    }
}

/// What the links lead to: relative beside the binary, so that the folder can be moved or mounted
/// elsewhere.
fn target(folder: &Path, binary: &Path) -> Result<PathBuf, Failure> {
    let folder = existing(folder).map_err(|e| cannot_install(folder, e))?;
    match binary.file_name() {
        Some(name) if binary.parent() == Some(&folder) => Ok(PathBuf::from(name)),
        _ => Ok(binary.to_owned()),
    }
}

fn existing(folder: &Path) -> io::Result<PathBuf> {
    let folder = fs::canonicalize(folder)?;
    if folder.is_dir() {
        Ok(folder)
    } else {
        Err(io::Error::new(ErrorKind::NotADirectory, "not a folder"))
    }
}

fn places(folder: &Path, binary: &Path) -> Vec<LinkPlace> {
    let mut places = Vec::new();
    for alias in APPLETS.iter().filter_map(|applet| applet.alias) {
        let link = folder.join(alias);
        let occupant = look(&link, binary);
        places.push(LinkPlace { link, occupant });
    }

    places
}

fn look(link: &Path, binary: &Path) -> Occupant {
    match fs::symlink_metadata(link) {
        Ok(attributes) => occupant(link, binary, attributes.file_type()),
        Err(e) if e.kind() == ErrorKind::NotFound => Occupant::Nothing,
        // What cannot be looked at is not known to be ours.
        Err(_) => Occupant::Foreign,
    }
}

fn occupant(link: &Path, binary: &Path, kind: FileType) -> Occupant {
    let leads_to_binary = fs::canonicalize(link).is_ok_and(|end| end == binary);
    match (leads_to_binary, kind.is_symlink()) {
        // Nothing can be renamed over a folder (rename(2)).
        _ if kind.is_dir() => Occupant::Fixed,
        (false, _) => Occupant::Foreign,
        (true, true) => Occupant::Ours,
        (true, false) => Occupant::Fixed,
    }
}

fn refuse(places: &[LinkPlace], force: bool) -> Result<(), Failure> {
    let faults = places.iter().filter_map(|place| fault(place, force));
    let faults: Vec<String> = faults.collect();
    if faults.is_empty() {
        return Ok(());
    }

    let faults = faults.join("\n");
    Err(failed!("nothing was changed: {faults}"))
}

/// Why a link cannot be made.
fn fault(place: &LinkPlace, force: bool) -> Option<String> {
    let link = place.link.display();
    match place.occupant {
        Occupant::Fixed => Some(format!(
            "{link} is a folder or this binary itself; move it away"
        )),
        Occupant::Foreign if !force => Some(format!(
            "{link} exists and is not a link to this binary; remove it, or give --force"
        )),
        _ => None,
    }
}

fn make(place: &LinkPlace, target: &Path) -> io::Result<()> {
    match place.occupant {
        Occupant::Nothing => symlink(target, &place.link),
        Occupant::Foreign => replace(&place.link, target),
        Occupant::Ours | Occupant::Fixed => Ok(()),
    }
}

/// Makes the link beside what stands there and renames it, so that the name is never missing.
fn replace(link: &Path, target: &Path) -> io::Result<()> {
    let mut temp = link.as_os_str().to_owned();
    // A name of this process: two that install at once do not meet.
    temp.push(format!(".{}~", std::process::id()));
    symlink(target, &temp)?;
    let renamed = fs::rename(&temp, link);
    if renamed.is_err() {
        // What cannot be removed either is left; the error that is told is the first one.
        let _ = fs::remove_file(&temp);
    }

    renamed
}

fn verb(occupant: Occupant, dry_run: bool) -> &'static str {
    match (occupant, dry_run) {
        (Occupant::Nothing, false) => "made",
        (Occupant::Nothing, true) => "would make",
        (Occupant::Foreign, false) => "replaced",
        (Occupant::Foreign, true) => "would replace",
        (Occupant::Ours | Occupant::Fixed, _) => "already right:",
    }
}

fn cannot_make(link: &Path, e: io::Error) -> Failure {
    let (link, cause) = (link.display(), cause_text(e));
    failed!("cannot make the link {link}: {cause}; run as root, or give a folder of your own")
}

fn cannot_install(folder: &Path, e: io::Error) -> Failure {
    let (folder, cause) = (folder.display(), cause_text(e));
    failed!("cannot install into {folder}: {cause}; give a folder that exists")
}
