//! Blocks of configuration in documents: what is hacheck's is read without a fault, HAProxy takes the whole files that are
//! HAProxy's, and all YAML and JSON is well formed.

use std::fs;

use hacheck::config;

use crate::support::{TempDir, haproxy};

/// A block of a document.
struct Block {
    file: String,
    language: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for entry in fs::read_dir("docs").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "md") {
            let text = fs::read_to_string(&path).unwrap();
            blocks_of(path.to_str().unwrap(), &text, &mut blocks);
        }
    }
    blocks
}

fn blocks_of(file: &str, text: &str, blocks: &mut Vec<Block>) {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
            blocks.push(Block {
                file: file.to_owned(),
                language: language.to_owned(),
                text: text.join("\n") + "\n",
            });
        }
    }
}

/// Whether a block is a configuration of hacheck: it begins with one of its keys.
fn is_ours(text: &str) -> bool {
    let key = text.split(':').next().unwrap_or_default();
    config::settings().iter().any(|setting| setting.name == key)
}

#[test]
fn configurations_that_documents_show_have_no_fault() {
    let mut seen = 0;
    for block in blocks().iter().filter(|block| block.language == "yaml") {
        let (file, text) = (&block.file, &block.text);
        // What reads secrets of its own is for tests that have them.
        if !is_ours(text) || text.contains("password_file") {
            continue;
        }
        let text = text.replace("${DB_PASSWORD}", "secret");
        let read = config::parse(text.as_bytes(), file);
        let loaded = read.unwrap_or_else(|faults| panic!("{file}:\n{text}\n{faults}"));
        let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.is_empty(), "{file}:\n{text}\n{warnings:?}");
        seen += 1;
    }
    assert!(seen > 3, "only {seen} blocks");
}

#[test]
fn yaml_and_json_that_documents_show_is_well_formed() {
    for block in blocks() {
        let text = &block.text;
        let fault = match block.language.as_str() {
            "yaml" => serde_yaml::from_str::<serde_yaml::Value>(text)
                .err()
                .map(|e| e.to_string()),
            "json" => serde_json::from_str::<serde_json::Value>(text)
                .err()
                .map(|e| e.to_string()),
            _ => None,
        };
        assert_eq!(fault, None, "{}:\n{text}", block.file);
    }
}

#[test]
fn haproxy_takes_the_files_that_documents_show() {
    let folder = TempDir::new();
    let whole = |block: &&Block| block.language == "haproxy" && block.text.contains("defaults\n");
    for block in blocks().iter().filter(whole) {
        let file = folder.file("haproxy.cfg");
        fs::write(&file, &block.text).unwrap();
        haproxy::takes(&file, &block.file);
    }
}
