//! The arrows: which room of `src` may use which stands in one table, in the documentation of the crate. The code must
//! agree with it, and there must be no circle, neither among rooms nor among folders within them. And the names: that of a
//! type stands in one file alone, so that it means one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Whom each name uses.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// A module by the parts of its path: `["probe", "mysql", "ask"]`.
type Module = Vec<String>;

#[test]
fn every_arrow_between_rooms_stands_in_the_table_of_the_crate_doc() {
    let table = table();
    let mut faults = Vec::new();
    for (room, used) in arrows_below(&[]) {
        let Some(allowed) = table.get(&room) else {
            faults.push(format!("{room} has no row"));
            continue;
        };
        if allowed.contains("everything") {
            continue;
        }
        let new = used.difference(allowed);
        faults.extend(new.map(|other| format!("{room} -> {other} is not in the table")));
        let gone = allowed.difference(&used);
        faults.extend(
            gone.map(|other| format!("{room} -> {other} is in the table, and not in the code")),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_circle_goes_through_rooms_or_folders() {
    let modules: Vec<Module> = sources().into_keys().collect();
    // The crate itself, and each room or folder with others inside.
    let folders: BTreeSet<Module> = modules
        .iter()
        .flat_map(|m| (0..m.len()).map(|n| m[..n].to_vec()))
        .collect();
    let mut faults = Vec::new();
    for folder in &folders {
        let arrows = arrows_below(folder);
        let is_folder = |name: &String| {
            let inner = [folder.as_slice(), std::slice::from_ref(name)].concat();
            folders.contains(&inner)
        };
        for circle in circles(&arrows) {
            if folder.is_empty() || circle.iter().any(is_folder) {
                faults.push(format!(
                    "in {:?}: {}",
                    folder.join("::"),
                    circle.join(" -> ")
                ));
            }
        }
    }
    assert!(faults.is_empty(), "circles:\n{}", faults.join("\n"));
}

#[test]
fn the_name_of_a_type_stands_in_one_file_alone() {
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, code) in files() {
        for name in type_names(&code) {
            let files = places.entry(name).or_default();
            files.insert(module.join("::"));
        }
    }
    assert!(places.len() > 500, "types are not found: {}", places.len());
    places.retain(|_, files| files.len() > 1);
    assert!(
        places.is_empty(),
        "these names mean two things: {places:#?}"
    );
}

/// The types that some code declares: also private ones, other names of types, and those that belong to a trait.
fn type_names(code: &str) -> Vec<String> {
    code.lines().filter_map(type_name).collect()
}

fn type_name(line: &str) -> Option<String> {
    // `pub`, `pub(crate)` and `pub(in crate::room)` stand in front of it.
    let is_visibility = |word: &&str| word.starts_with("pub") || word.ends_with(')');
    let mut words = line.split_whitespace().skip_while(is_visibility);
    let kind = words.next()?;
    if !["struct", "enum", "trait", "type", "union"].contains(&kind) {
        return None;
    }
    let name = words.next()?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
    Some(name[..end.unwrap_or(name.len())].to_owned())
}

#[test]
fn every_form_of_a_type_is_found() {
    let code = "pub struct A;\nenum B {\n    pub(in crate::x) type C<T> = T;\n    type Value = ();\n// type D\nfn struct_of() {}\n\
                pub trait E: F {";
    let found = type_names(&self::code(code));
    assert_eq!(found, ["A", "B", "C", "Value", "E"]);
}

/// The table of the crate doc: `| room | uses |`; rooms that use the same may share a row.
fn table() -> Arrows {
    let doc = fs::read_to_string(root().join("lib.rs")).unwrap();
    let lines = doc.lines().skip_while(|l| !l.starts_with("//! | room "));
    let rows = lines.skip(2).map_while(|l| l.strip_prefix("//! |"));
    let table: Arrows = rows.flat_map(row).collect();
    assert!(!table.is_empty(), "the crate doc has no table of arrows");
    table
}

fn row(line: &str) -> Vec<(String, BTreeSet<String>)> {
    let mut cells = line.split('|').map(words);
    let rooms = cells.next().unwrap_or_default();
    let used = cells.next().unwrap_or_default();
    rooms.into_iter().map(|room| (room, used.clone())).collect()
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// The arrows among what lies directly in a folder.
fn arrows_below(folder: &[String]) -> Arrows {
    let sources = sources();
    let mut arrows = Arrows::new();
    for (module, text) in &sources {
        let Some(from) = child(folder, module) else {
            continue;
        };
        let used = arrows.entry(from.clone()).or_default();
        for path in paths(module, text) {
            let target = deepest(&sources, &path);
            used.extend(child(folder, target).filter(|to| *to != from));
        }
    }
    arrows
}

/// What of a folder a module is, or lies in.
fn child(folder: &[String], module: &[String]) -> Option<String> {
    module.strip_prefix(folder)?.first().cloned()
}

/// The module that a path leads into, without the names of items in it.
fn deepest<'p>(sources: &BTreeMap<Module, String>, path: &'p [String]) -> &'p [String] {
    let lengths = (0..=path.len()).rev();
    let known = lengths
        .map(|n| &path[..n])
        .find(|p| sources.contains_key(*p));
    known.unwrap_or_default()
}

/// Circles: each set of names of which every one leads to every other.
fn circles(arrows: &Arrows) -> Vec<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<String>> = arrows
        .keys()
        .map(|name| (name, reached(arrows, name)))
        .collect();
    let mut found = BTreeSet::new();
    for (name, all) in &reach {
        let back = |other: &&String| reach.get(other).is_some_and(|r| r.contains(*name));
        let circle: Vec<String> = all.iter().filter(back).cloned().collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

fn reached(arrows: &Arrows, name: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut next = vec![name.to_owned()];
    while let Some(name) = next.pop() {
        for other in arrows.get(&name).into_iter().flatten() {
            if all.insert(other.clone()) {
                next.push(other.clone());
            }
        }
    }
    all
}

/// The modules with their code, without doors for the fuzzers.
fn sources() -> BTreeMap<Module, String> {
    let mut sources = files();
    sources.retain(|module, _| {
        let is_door = module.iter().any(|part| part == "fuzzing");
        !is_door && !matches!(module[..], [ref one] if one == "lib" || one == "main")
    });
    sources
}

/// The files with their code, without tests and comments.
fn files() -> BTreeMap<Module, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let module = module(&path);
            if path.is_dir() {
                folders.push(path);
            } else if !module.iter().any(|part| part == "tests") {
                files.insert(module, code(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The module of a file; `mod.rs` is its folder's.
fn module(path: &Path) -> Module {
    let inside = path.strip_prefix(root()).unwrap().with_extension("");
    let mut parts: Module = inside
        .iter()
        .map(|p| p.to_string_lossy().into_owned())
        .collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

fn code(text: &str) -> String {
    let lines = text
        .lines()
        .map(|l| l.split("//").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join("\n");
    // Tests stand at the end of a file.
    match code.split_once("#[cfg(test)]\nmod tests {") {
        Some((code, _)) => code.to_owned(),
        None => code,
    }
}

/// Every path in a module's code that begins with `crate`, `super` or `self`, from the root of the crate.
fn paths(module: &[String], code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let parent = &module[..module.len().saturating_sub(1)];
    for (word, base) in [("crate", &[][..]), ("super", parent), ("self", module)] {
        let start = format!("{word}::");
        for (at, _) in code.match_indices(&start) {
            let before = code[..at].chars().next_back();
            let begins = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':');
            if begins {
                spread(base, &code[at + start.len()..], &mut found);
            }
        }
    }
    found
}

/// Follows `a::b::{c, d::e}`: each of its paths. Gives what comes behind it.
fn spread<'c>(base: &[String], code: &'c str, found: &mut Vec<Module>) -> &'c str {
    let mut path = base.to_vec();
    let mut rest = code.trim_start();
    loop {
        if let Some(mut inner) = rest.strip_prefix('{') {
            while !inner.trim_start().is_empty() && !inner.trim_start().starts_with('}') {
                inner = spread(&path, inner, found)
                    .trim_start()
                    .trim_start_matches(',');
            }
            return inner.trim_start().strip_prefix('}').unwrap_or_default();
        }
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        match &rest[..end] {
            "self" | "" => {}
            "super" => drop(path.pop()),
            part => path.push(part.to_owned()),
        }
        let behind = &rest[end..];
        match behind.strip_prefix("::") {
            Some(more) => rest = more,
            None => {
                found.push(path);
                // `as name`, `*`, a generic argument: not ours.
                let next = behind.find([',', '}', ';', '\n']).unwrap_or(behind.len());
                return &behind[next..];
            }
        }
    }
}

#[test]
fn paths_are_found_in_every_form() {
    let code = "use crate::{a, b::{self, C, d::E as F}};\nfn f(x: super::g::H) { self::i::j() }\nuse super::super::k;";
    let module: Module = ["m", "n"].map(String::from).to_vec();
    let found: BTreeSet<String> = paths(&module, code).iter().map(|p| p.join("::")).collect();
    let wanted = ["a", "b", "b::C", "b::d::E", "k", "m::g::H", "m::n::i::j"];
    assert_eq!(found, wanted.map(String::from).into());
}
