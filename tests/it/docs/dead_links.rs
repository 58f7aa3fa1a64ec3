//! Links in documents lead somewhere: to a file of the repository, and in Markdown to a heading that is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold no documents of ours.
const LEFT_OUT: [&str; 2] = ["target", ".git"];

/// All Markdown files below a folder.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_symlink() || LEFT_OUT.contains(&name) {
            continue;
        }
        if path.is_dir() {
            documents(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The text without its blocks of code and without code within a line.
fn prose(markdown: &str) -> String {
    let mut out = String::new();
    let mut in_block = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            let outside = line.split('`').step_by(2);
            out += &outside.collect::<Vec<_>>().join("`");
            out.push('\n');
        }
    }
    out
}

/// What links and pictures lead to.
fn targets(markdown: &str) -> Vec<String> {
    let text = prose(markdown);
    let links = text.split("](").skip(1);
    links
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let mut in_block = false;
    let mut anchors = BTreeSet::new();
    for line in markdown.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if line.starts_with('#') && !in_block {
            anchors.insert(anchor(line.trim_start_matches('#').trim()));
        }
    }
    anchors
}

fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let text: String = heading.chars().filter(kept).collect();
    text.to_lowercase().replace(' ', "-")
}

/// Why a link of a document leads nowhere; none where it does.
fn fault(document: &Path, target: &str) -> Option<String> {
    if target.starts_with("https://") || target.starts_with("http://") {
        return None;
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => document.to_owned(),
        file => document.parent().unwrap().join(file),
    };
    if !path.exists() {
        return Some(format!("{}: no file {target}", document.display()));
    }
    if heading.is_empty() {
        return None;
    }
    let text = fs::read_to_string(&path).unwrap();
    if anchors(&text).contains(heading) {
        return None;
    }
    Some(format!("{}: no heading {target}", document.display()))
}

#[test]
fn no_link_of_a_document_is_dead() {
    let mut files = Vec::new();
    documents(Path::new("."), &mut files);
    let mut faults = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let found = targets(&text);
        faults.extend(found.iter().filter_map(|t| fault(file, t)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_dead_link_is_found_and_code_is_no_link() {
    let text = "[a](b.md#c) `[d](e)` ![f](g.png)\n```\n[h](i)\n```\n";
    assert_eq!(targets(text), ["b.md#c", "g.png"]);
    let readme = Path::new("README.md");
    assert!(fault(readme, "docs/nowhere.md").is_some());
    assert!(fault(readme, "docs/checks.md#nowhere").is_some());
    assert_eq!(fault(readme, "docs/checks.md#groups"), None);
}

#[test]
fn every_document_is_named_in_the_readme() {
    let readme = fs::read_to_string("README.md").unwrap();
    for entry in fs::read_dir("docs").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let link = format!("](docs/{name}");
        assert!(
            !name.ends_with(".md") || readme.contains(&link),
            "README.md has no link to docs/{name}"
        );
    }
}
