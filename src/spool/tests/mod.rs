//! The spool on real folders, with everything in them that can go wrong.

mod gate;
#[allow(dead_code, reason = "the integration tests use more of it")]
#[path = "../../../tests/it/support/temp.rs"]
mod temp;
mod writers;

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;

use super::*;
use temp::TempDir;

/// The end of some downtimes: after any test.
const FAR: f64 = 4e9;

struct Fixture {
    folder: TempDir,
    spool: Spool,
}

impl Fixture {
    fn new() -> Self {
        let folder = TempDir::new();
        let spool = Spool::at(folder.path().join("spool"));
        spool.create_root().unwrap();
        Self { folder, spool }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.spool.root().join(name)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn files(&self) -> Vec<String> {
        let name = |e: std::io::Result<fs::DirEntry>| {
            e.unwrap().file_name().to_string_lossy().into_owned()
        };
        let mut names: Vec<_> = fs::read_dir(self.spool.root()).unwrap().map(name).collect();
        names.sort();
        names
    }

    fn gate(&self) -> Gate {
        Gate::open(self.spool.clone()).unwrap()
    }

    fn fifo(&self, name: &str) {
        nix::unistd::mkfifo(&self.path(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn because(reason: &str) -> Downtime {
    Downtime {
        reason: reason.into(),
        ..Downtime::default()
    }
}

#[test]
fn creation_stays_for_the_same_reason_and_is_new_for_another() {
    let f = Fixture::new();
    f.put(
        "web",
        r#"{"reason": "r", "creation": 1000.0, "expiration": null}"#,
    );
    let creation = || {
        f.spool
            .read(&key("web"))
            .unwrap()
            .unwrap()
            .creation
            .unwrap()
    };
    f.spool
        .down(
            &key("web"),
            Downtime {
                expiration: Some(FAR),
                ..because("r")
            },
        )
        .unwrap();
    assert_eq!(creation(), 1000.0);
    f.spool.down(&key("web"), because("other")).unwrap();
    assert!((creation() - unix_now()).abs() < 60.0, "{}", creation());
}

#[test]
fn creation_is_new_after_an_expired_or_a_plain_text_downtime() {
    let f = Fixture::new();
    f.put(
        "web",
        r#"{"reason": "r", "creation": 1000.0, "expiration": 2000.0}"#,
    );
    f.put("mail", "r");
    for name in ["web", "mail"] {
        f.spool.down(&key(name), because("r")).unwrap();
        let creation = f.spool.read(&key(name)).unwrap().unwrap().creation.unwrap();
        assert!((creation - unix_now()).abs() < 60.0, "{name}: {creation}");
    }
}

#[test]
fn an_expired_downtime_is_up_and_its_file_goes() {
    let f = Fixture::new();
    f.put("web", r#"{"expiration": 1000}"#);
    assert_eq!(f.spool.read(&key("web")).unwrap(), None);
    assert_eq!(f.files(), [""; 0]);
}

#[test]
fn a_downtime_prolonged_after_it_was_seen_expired_is_not_removed() {
    let f = Fixture::new();
    f.put("web", r#"{"expiration": 4e9}"#);
    // What a reader does that saw the file before it was prolonged.
    f.spool.remove_expired("web");
    assert_eq!(f.files(), ["web"]);
}

#[test]
fn up_tells_whether_something_was_down() {
    let f = Fixture::new();
    f.put("web:80", "");
    assert!(f.spool.up(&key("web:80")).unwrap());
    assert!(!f.spool.up(&key("web:80")).unwrap());
}

#[test]
fn a_folder_named_like_a_key_can_be_neither_read_nor_changed() {
    let f = Fixture::new();
    fs::create_dir(f.path("web")).unwrap();
    assert!(
        f.spool
            .read(&key("web"))
            .unwrap_err()
            .to_string()
            .contains("it is a folder")
    );
    assert!(f.spool.down(&key("web"), because("r")).is_err());
    assert!(f.spool.up(&key("web")).is_err());
    assert_eq!(f.files(), ["web"], "a temporary file stayed");
}

#[test]
fn the_list_is_sorted_and_tells_odd_entries_apart() {
    let f = Fixture::new();
    for (name, content) in [
        ("b", "rb"),
        ("a:80", "r1"),
        ("a:::1:80", "r2"),
        ("gone", r#"{"expiration": 1}"#),
    ] {
        f.put(name, content);
    }
    for odd in ["web:http", "web:080", "web:127.0.0.1:80"] {
        f.put(odd, "x");
    }
    fs::create_dir(f.path("sub")).unwrap();
    fs::write(
        f.spool.root().join(std::ffi::OsStr::from_bytes(b"\xff")),
        "x",
    )
    .unwrap();
    let listing = f.spool.list().unwrap();
    let down: Vec<_> = listing
        .downtimes
        .iter()
        .map(|(k, d)| (k.file_name(), d.reason.as_str()))
        .collect();
    assert_eq!(
        down,
        [
            ("a:80".into(), "r1"),
            ("a:::1:80".into(), "r2"),
            ("b".into(), "rb")
        ]
    );
    let odd: Vec<_> = listing.odd.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        odd,
        ["sub", "web:080", "web:127.0.0.1:80", "web:http", "\u{fffd}"]
    );
}

#[test]
fn a_link_inside_the_root_is_followed_and_one_out_of_it_is_not() {
    let f = Fixture::new();
    f.put("mail", "inside");
    fs::write(f.folder.path().join("secret"), "outside").unwrap();
    symlink("mail", f.path("web")).unwrap();
    symlink("../secret", f.path("out")).unwrap();
    assert_eq!(f.spool.read(&key("web")).unwrap().unwrap().reason, "inside");
    let unread = f.spool.read(&key("out")).unwrap().unwrap().reason;
    assert_eq!(unread, "the spool entry out cannot be read");
    f.spool.down(&key("out"), because("r")).unwrap();
    assert_eq!(
        fs::read_to_string(f.folder.path().join("secret")).unwrap(),
        "outside",
        "written through a link"
    );
}

#[test]
fn a_file_over_one_mebibyte_is_a_downtime() {
    let f = Fixture::new();
    f.put("web", vec![b'x'; (1 << 20) + 1]);
    let reason = f.spool.read(&key("web")).unwrap().unwrap().reason;
    assert!(
        reason.starts_with("(spool file over 1 MiB) xxx") && reason.len() < 1000,
        "{reason}"
    );
    f.put("web", vec![b'x'; 1 << 20]);
    assert_eq!(
        f.spool.read(&key("web")).unwrap().unwrap().reason.len(),
        1 << 20
    );
}

#[test]
fn the_root_is_made_but_not_the_folder_above_it() {
    let folder = TempDir::new();
    let error = Spool::at(folder.path().join("no/such"))
        .create_root()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("create the folder above it"),
        "{error}"
    );
    let spool = Spool::at(folder.path().join("new"));
    spool.create_root().unwrap();
    spool.create_root().unwrap();
    assert_eq!(
        fs::metadata(spool.root()).unwrap().mode() & 0o027,
        0,
        "others may enter"
    );
}
