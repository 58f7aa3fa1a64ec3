//! Man pages: one for each name of the binary, and hacheck.yml(5).

use std::fs;
use std::path::Path;
use std::process::Command;

use hacheck::cli::{APPLETS, Applet};
use hacheck::config::{self, Config};

use super::mdoc::{argument, literal, plain, text};
use super::options::{self, Opt};
use super::{DO_NOT_EDIT, holds_only, is_generated, markdown, names, section};
use crate::support::TempDir;

const FOLDER: &str = "packaging/man";

/// The date of the newest entry of the package's changelog, as man pages write it.
fn date() -> String {
    let changelog = fs::read_to_string("packaging/debian/changelog").unwrap();
    let line = changelog
        .lines()
        .find(|l| l.starts_with(" -- "))
        .expect("packaging/debian/changelog has an entry");
    let mut words = line
        .split_once(", ")
        .expect("a date in RFC 5322 form")
        .1
        .split(' ');
    let (day, month, year) = (
        words.next().unwrap(),
        words.next().unwrap(),
        words.next().unwrap(),
    );
    let months = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
    ];
    let month = months
        .iter()
        .chain(&["November", "December"])
        .find(|m| m.starts_with(month))
        .expect("a month");
    format!("{month} {}, {year}", day.trim_start_matches('0'))
}

fn head(title: &str, section: u8, name: &str, about: &str) -> String {
    format!(
        ".\\\" {DO_NOT_EDIT}\n.Dd {}\n.Dt {} {section}\n.Os\n.Sh NAME\n.Nm {name}\n.Nd {}\n",
        date(),
        title.to_uppercase(),
        argument(about)
    )
}

/// The page of a link's name.
fn applet(applet: &Applet, name: &str) -> String {
    let mut out = head(name, 8, name, applet.about);
    out += &format!(".Sh SYNOPSIS\n.Nm\n{}", text(applet.usage));
    out += &format!(".Sh DESCRIPTION\n{}", text(&sentence(applet.about)));
    out += &format!("The same as\n.Ql hacheck {} .\n", applet.name);
    for note in applet.notes() {
        out += &format!(".Pp\n{}", text(note));
    }
    out += ".Pp\nThe options are as follows:\n";
    out += &list_of_options(&options::of(applet));
    for (_, title, file, heading) in SECTIONS.iter().filter(|s| s.0 == name) {
        out += &format!(".Sh {title}\n{}", section::mdoc(file, heading));
    }
    out += files(name);
    out += &format!(".Sh EXIT STATUS\n{}", exit_status(name));
    out += &examples(applet);
    out + ".Sh SEE ALSO\n" + &see_also(name)
}

/// The sections that pages take from documents: page, title, file, heading.
const SECTIONS: &[(&str, &str, &str, &str)] = &[
    ("hadown", "WAITING", OPERATING, WAITING),
    ("haup", "WAITING", OPERATING, WAITING),
    ("haroll", "STEPS", OPERATING, "What haroll does"),
    ("haroll", "WAITING", OPERATING, WAITING),
    ("hadown", "DOWNTIMES", OPERATING, "What a downtime is"),
    ("hacheck.yml", "SERVICES", CHECKS, "Services"),
    ("hacheck.yml", "GROUPS", CHECKS, "Groups"),
    ("hacheck.yml", "SECRETS", CHECKS, "Passwords and secrets"),
    ("halist", "OUTPUT", OPERATING, "What halist shows"),
    (
        "heartbeat",
        "CONFIGURATION FILE",
        "docs/migrating.md",
        "heartbeat's file",
    ),
];
const OPERATING: &str = "docs/operating.md";
const CHECKS: &str = "docs/checks.md";
const WAITING: &str = "What `--wait` waits for";

/// The files of a command.
fn files(name: &str) -> &'static str {
    match name {
        "health-checker" => "",
        "heartbeat" => {
            "\
.Sh FILES
.Bl -tag -width Ds
.It Pa /usr/local/etc/wiredrive/heartbeat.conf
The configuration, unless
.Fl c
names another file.
.It Pa heartbeat.log , heartbeat.pid
The log and the lock, in the working directory unless
.Ql logfile
and
.Ql pidfile
say otherwise.
.El
"
        }
        _ => {
            "\
.Sh FILES
.Bl -tag -width Ds
.It Pa /var/spool/hacheck
One file for each downtime, named like the service or instance it takes down.
Members of the group hacheck\\-ops may write there.
.El
"
        }
    }
}

fn exit_status(name: &str) -> &'static str {
    match name {
        "haroll" => {
            "\
0 where the services are back in rotation.
The exit code of the command where it failed;
128 and the number of the signal that ended it, as in a shell.
1 where another step failed or was interrupted, 2 for wrong usage.
255 where the host is going down, and the rest is done after the boot.
"
        }
        "hastatus" => "0 where all services are up, 1 where one is down, 2 for wrong usage.\n",
        "hadown" | "haup" => {
            "\
0 where it is done, with
.Fl \\-wait
once every balancer has acted;
1 where it failed or somebody has not acted, 2 for wrong usage.
"
        }
        "heartbeat" => {
            "\
0 where all checks pass, 1 where one fails or the file has a fault,
2 for wrong usage.
"
        }
        _ => "0 for yes or done, 1 for no or failed, 2 for wrong usage.\n",
    }
}

fn examples(applet: &Applet) -> String {
    let lines: String = applet.examples().map(literal).collect();
    if lines.is_empty() {
        return lines;
    }
    format!(".Sh EXAMPLES\n.Bd -literal\n{lines}.Ed\n")
}

fn see_also(me: &str) -> String {
    let mut pages: Vec<_> = names()
        .into_iter()
        .filter(|n| *n != me)
        .map(|n| (8, n))
        .collect();
    pages.push((5, "hacheck.yml"));
    pages.sort_unstable();
    let last = pages.len() - 1;
    let page = |(n, (section, name)): (usize, &(u8, &str))| {
        format!(
            ".Xr {name} {section}{}\n",
            if n == last { "" } else { " ," }
        )
    };
    pages.iter().enumerate().map(page).collect()
}

fn list_of_options(options: &[Opt]) -> String {
    let mut out = String::from(".Bl -tag -width Ds\n");
    for option in options {
        let value = option.value.as_ref().map(|v| match option.may_lack_value {
            true => format!(" Ns Op = Ns Ar {v}"),
            false => format!(" Ar {}", v.to_uppercase()),
        });
        let value = value.unwrap_or_default();
        let short = option
            .short
            .map(|c| format!("Fl {c} , "))
            .unwrap_or_default();
        let long = option.long.trim_start_matches("--").replace('-', "\\-");
        out += &format!(
            ".It {short}Fl \\-{long}{value}\n{}",
            text(&sentence(&option.about))
        );
    }
    out + ".It Fl h , Fl \\-help\nShow a short help.\n.It Fl \\-version\nShow the version.\n.El\n"
}

/// With a capital at the beginning, unless that is a word to be typed, and a full stop at the end.
pub fn sentence(markdown: &str) -> String {
    let text = plain(markdown);
    let is_typed = markdown.starts_with('`') || is_choice(&text);
    let mut chars = text.chars();
    let first = chars.next().map(|first| match is_typed {
        true => first.to_string(),
        false => first.to_uppercase().to_string(),
    });
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{}{}{end}", first.unwrap_or_default(), chars.as_str())
}

/// Whether a text begins with the words that may be typed: `tsv, json or table (default tsv)`.
fn is_choice(text: &str) -> bool {
    let list = text.split([':', '(']).next().unwrap_or_default().trim();
    let words: Vec<&str> = list.split(", ").flat_map(|w| w.split(" or ")).collect();
    words.len() > 1 && words.iter().all(|word| !word.contains(' '))
}

/// The page of the binary itself.
fn hacheck() -> String {
    let mut out = head(
        "hacheck",
        8,
        "hacheck",
        "health checks for load balancers, and a switch for operators",
    );
    out += ".Sh SYNOPSIS\n.Nm\n.Op Ar options\n.Nm\n.Ar SUBCOMMAND\n.Op Ar options\n";
    let prose = include_str!("hacheck.mdoc")
        .split_once("@TABLES@\n")
        .expect("hacheck.mdoc has a place for the tables");
    out += prose.0;
    out += &tagged("SUBCOMMANDS", &subcommands());
    for applet in APPLETS.iter().filter(|a| a.alias.is_none()) {
        let list = list_of_options(&options::of(applet));
        out += &format!(
            ".Ss hacheck {} {}\\&\n{list}",
            argument(applet.name),
            argument(applet.usage)
        );
    }
    for (file, heading) in [
        ("docs/endpoints.md", "Endpoints"),
        ("docs/checks.md", "Protocols"),
    ] {
        let rows = markdown::table(file, heading);
        let rows = rows
            .iter()
            .map(|cells| (plain(&cells[0]), about(&cells[1..])));
        out += &tagged(&heading.to_uppercase(), &rows.collect::<Vec<_>>());
    }
    out + prose.1 + &see_also("hacheck")
}

/// What a row of such a table says.
fn about(cells: &[String]) -> String {
    match cells {
        [about, example] if !example.is_empty() => {
            format!("{} Example: {}", sentence(about), plain(example))
        }
        cells => sentence(&cells.join("; ")),
    }
}

fn subcommands() -> Vec<(String, String)> {
    let name = |a: &Applet| match a.alias {
        Some(alias) if alias != a.name => format!("{}, {alias}", a.name),
        _ => a.name.to_owned(),
    };
    APPLETS
        .iter()
        .map(|a| (name(a), sentence(a.about)))
        .collect()
}

fn tagged(title: &str, rows: &[(String, String)]) -> String {
    let row = |(name, about): &(String, String)| format!(".It {}\n{}", argument(name), text(about));
    format!(
        ".Sh {title}\n.Bl -tag -width Ds\n{}.El\n",
        rows.iter().map(row).collect::<String>()
    )
}

const CONFIG_END: &str = "\
.Sh FILES
.Bl -tag -width Ds
.It Pa /etc/hacheck/hacheck.yml
The file that the package's unit has the daemon read.
.El
.Sh SEE ALSO
.Xr hacheck 8
";

/// The page of the configuration file.
fn config() -> String {
    let mut out = head("hacheck.yml", 5, "hacheck.yml", "configuration of hacheck");
    out += include_str!("hacheck.yml.mdoc");
    out += ".Bl -tag -width Ds\n";
    for setting in config::settings() {
        let unit = if setting.unit.is_empty() {
            String::new()
        } else {
            format!(", {}", setting.unit)
        };
        let value = setting.show(&Config::default());
        let value = if value == "null" {
            "unset".to_owned()
        } else {
            value
        };
        let restart = if setting.restart {
            " A change needs a restart."
        } else {
            ""
        };
        out += &format!(
            ".It Cm {}\n{}",
            argument(setting.name),
            text(&plain(setting.doc))
        );
        let kind = sentence(&format!("{}{unit}", setting.kind));
        out += &format!(
            ".Pp\n{}",
            text(&format!("{kind} Default: {value}.{restart}"))
        );
    }
    out += ".El\n";
    for (_, title, file, heading) in SECTIONS.iter().filter(|s| s.0 == "hacheck.yml") {
        out += &format!(".Sh {title}\n{}", section::mdoc(file, heading));
    }
    out + CONFIG_END
}

/// All pages, by file name.
fn pages() -> Vec<(String, String)> {
    let aliases = APPLETS.iter().filter_map(|row| Some((row, row.alias?)));
    let mut pages: Vec<_> = aliases
        .map(|(row, alias)| (format!("{alias}.8"), applet(row, alias)))
        .collect();
    pages.push(("hacheck.8".into(), hacheck()));
    pages.push(("hacheck.yml.5".into(), config()));
    pages
}

#[test]
fn every_name_has_its_man_page() {
    let pages = pages();
    for (file, page) in &pages {
        is_generated(format!("{FOLDER}/{file}"), page);
    }
    holds_only(
        FOLDER,
        &pages.into_iter().map(|(file, _)| file).collect::<Vec<_>>(),
    );
}

/// What mandoc makes of a page.
#[track_caller]
fn mandoc(options: &[&str], page: &Path) -> String {
    let ran = Command::new("mandoc").args(options).arg(page).output();
    let ran = ran.unwrap_or_else(|e| panic!("cannot run mandoc: {e}; apt-get install mandoc"));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[test]
fn man_pages_fit_into_a_terminal() {
    let folder = TempDir::new();
    for (file, page) in pages() {
        let path = folder.path().join(&file);
        fs::write(&path, page).unwrap();
        let shown = mandoc(&["-T", "ascii", "-O", "width=80"], &path);
        for line in shown.lines().map(without_overstrikes) {
            assert!(line.chars().count() <= 80, "{file}: {line}");
        }
    }
}

/// Bold and underlined letters are written twice, with a backspace between.
fn without_overstrikes(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars() {
        if c == '\u{8}' {
            out.pop();
        } else {
            out.push(c);
        }
    }
    out
}

#[test]
fn man_pages_render_without_a_warning() {
    let folder = TempDir::new();
    for (file, page) in pages() {
        let path = folder.path().join(&file);
        fs::write(&path, page).unwrap();
        let lint = mandoc(&["-T", "lint", "-W", "style"], &path);
        // Our own other pages count as missing where they are not installed.
        let bad: Vec<_> = lint
            .lines()
            .filter(|l| !l.contains("referenced manual not found"))
            .collect();
        assert!(bad.is_empty(), "{}", bad.join("\n"));
    }
}
