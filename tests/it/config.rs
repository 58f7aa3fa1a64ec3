//! A corpus of configuration files, one mistake each, with the exact message beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hacheck::applet;
use hacheck::config::{self, Config};

/// The corpus, relative to the folder that tests run in: messages name the file as it was given.
fn corpus(folder: &str, least: usize) -> Vec<PathBuf> {
    let folder = Path::new("tests/data/config").join(folder);
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<_> = files.filter(|p| p.extension().is_some_and(|e| e == "yml")).collect();
    assert!(files.len() >= least, "only {} files in {}", files.len(), folder.display());
    files.into_iter().collect()
}

fn beside(file: &Path, extension: &str) -> String {
    let file = file.with_extension(extension);
    fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

#[test]
fn every_bad_file_is_refused_with_its_exact_message() {
    let mut wrong = String::new();
    for file in corpus("bad", 40) {
        let failure = applet::config::run(&["-c", file.to_str().unwrap()]).unwrap_err();
        let expected = beside(&file, "err");
        if failure.code != 1 || failure.message != expected.trim_end() {
            wrong += &format!("{}\n expected: {expected} got:      {}\n", file.display(), failure.message);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_good_file_gives_its_settings_and_warnings() {
    let mut wrong = String::new();
    for file in corpus("good", 5) {
        let loaded = config::load(&file).unwrap_or_else(|faults| panic!("{faults}"));
        let mut got: String = loaded.warnings.iter().map(|w| format!("{w}\n")).collect();
        let shown = config::effective(&loaded.config);
        got.extend(shown.lines().filter(|l| l.contains("# default")).map(|l| format!("{l}\n")));
        let expected = beside(&file, "out");
        if got != expected {
            wrong += &format!("{}\n expected:\n{expected} got:\n{got}", file.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_sentence() {
    let said = |path: &str| config::load(Path::new(path)).unwrap_err().to_string();
    assert_eq!(said("tests/data/none.yml"), "tests/data/none.yml: there is no such file; check the path given with -c");
    assert_eq!(said("tests/data"), "tests/data: this is a folder; name a file in it");
    assert_eq!(said("Cargo.toml/x"), "Cargo.toml/x: a part of the path is not a folder; check the path given with -c");
    assert_eq!(said("/dev/zero"), "/dev/zero: the file is larger than 1 MiB; is it a configuration?");
    assert_eq!(config::load(Path::new("/dev/null")).unwrap().config, Config::default());
}
