//! `hacheck install`: links to the binary by the names in the table of applets.
//!
//! Rule: everything is looked at before anything is changed, and what is not ours stays unless it is forced.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use argh::{ArgsInfo, FromArgs};

use super::APPLETS;
use crate::cli::applet::{Applet, Call};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::os::cause::cause_text;

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "install",
    alias: None,
    usage: "[--dry-run] [--force] [DIR]",
    about: "makes the links hadown, haup, … to this binary, beside it or in DIR",
    info: Args::get_args_info,
    uses: |_| true,
    run,
};

/// The command line.
#[derive(FromArgs, ArgsInfo)]
struct Args {
    /// say what would be done, and change nothing
    #[argh(switch)]
    dry_run: bool,
    /// replace files and links that are not ours
    #[argh(switch)]
    force: bool,
    /// the folder; default: the one that the binary is in
    #[argh(positional)]
    folders: Vec<String>,
}

/// What stands where a link is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A link to this binary.
    Ours,
    /// A file, or a link to something else.
    Foreign,
    /// A folder, or the binary itself: not to be replaced by force either.
    Fixed,
}

fn run(call: &Call) -> Result<u8, Failure> {
    let args: Args = call.parse()?;
    let binary = std::env::current_exe().and_then(fs::canonicalize);
    let binary = binary.map_err(|e| {
        Failure::failed(format!(
            "cannot tell where this binary lies: {}",
            cause_text(e)
        ))
    })?;
    let folder = match args.folders.as_slice() {
        [] => binary.parent().unwrap_or(Path::new("/")).to_owned(),
        [folder] => PathBuf::from(folder),
        _ => return Err(Failure::usage("give one folder at most")),
    };
    let there = fs::canonicalize(&folder).and_then(|f| {
        if f.is_dir() {
            Ok(f)
        } else {
            Err(not_a_folder())
        }
    });
    let there = there.map_err(|e| cannot_install(&folder, &e))?;
    // Relative beside the binary, so that the folder can be moved or mounted elsewhere.
    let target = match binary.file_name() {
        Some(name) if binary.parent() == Some(&there) => PathBuf::from(name),
        _ => binary.clone(),
    };
    let links: Vec<_> = APPLETS
        .iter()
        .filter_map(|a| a.alias)
        .map(|alias| folder.join(alias))
        .collect();
    let found: Vec<_> = links
        .iter()
        .map(|link| (link.as_path(), look(link, &binary)))
        .collect();
    refuse(&found, args.force)?;
    let mut done = String::new();
    for (link, found) in found {
        let made = if args.dry_run {
            Ok(())
        } else {
            make(link, found, &target)
        };
        if let Err(e) = made {
            output::print(&done)?;
            return Err(Failure::failed(format!(
                "cannot make the link {}: {}; run as root, or give a folder of your own",
                link.display(),
                cause_text(e)
            )));
        }
        done.push_str(&format!(
            "{} {} -> {}\n",
            verb(found, args.dry_run),
            link.display(),
            target.display()
        ));
    }
    output::print(&done).map(|()| 0)
}

fn cannot_install(folder: &Path, e: &io::Error) -> Failure {
    Failure::failed(format!(
        "cannot install into {}: {}; give a folder that exists",
        folder.display(),
        cause_text(e)
    ))
}

fn not_a_folder() -> io::Error {
    io::Error::new(ErrorKind::NotADirectory, "not a folder")
}

fn look(link: &Path, binary: &Path) -> Found {
    match fs::symlink_metadata(link) {
        Err(e) if e.kind() == ErrorKind::NotFound => Found::Nothing,
        Err(_) => Found::Foreign,
        Ok(meta) if meta.is_symlink() => match fs::canonicalize(link) {
            Ok(end) if end == binary => Found::Ours,
            _ => Found::Foreign,
        },
        Ok(meta) if meta.is_dir() => Found::Fixed,
        Ok(_) if fs::canonicalize(link).is_ok_and(|path| path == binary) => Found::Fixed,
        Ok(_) => Found::Foreign,
    }
}

fn refuse(found: &[(&Path, Found)], force: bool) -> Result<(), Failure> {
    let faults: Vec<_> = found
        .iter()
        .filter_map(|(link, found)| match found {
            Found::Fixed => Some(format!(
                "{} is a folder or this binary itself; move it away",
                link.display()
            )),
            Found::Foreign if !force => Some(format!(
                "{} is something else already; remove it, or give --force",
                link.display()
            )),
            _ => None,
        })
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed(format!(
            "nothing was changed: {}",
            faults.join("\n")
        )))
    }
}

fn make(link: &Path, found: Found, target: &Path) -> io::Result<()> {
    match found {
        Found::Nothing => symlink(target, link),
        Found::Foreign => {
            // Beside it and renamed, so that the name is never missing.
            let mut temp = link.as_os_str().to_owned();
            temp.push(format!(".{}~", std::process::id()));
            symlink(target, &temp)?;
            fs::rename(&temp, link).inspect_err(|_| drop(fs::remove_file(&temp)))
        }
        Found::Ours | Found::Fixed => Ok(()),
    }
}

fn verb(found: Found, dry_run: bool) -> &'static str {
    match (found, dry_run) {
        (Found::Nothing, false) => "made",
        (Found::Nothing, true) => "would make",
        (Found::Foreign, false) => "replaced",
        (Found::Foreign, true) => "would replace",
        (Found::Ours | Found::Fixed, _) => "already right:",
    }
}
