//! The Debian package, made once for all tests, and Debian systems to install it on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::root::{as_root, succeed};
use super::{Ran, TempDir};

/// The package, as `packaging/build-deb` makes it.
pub fn package() -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let mut build = Command::new("packaging/build-deb");
        // What cargo tells a test about its crate would make build scripts think that everything has changed.
        let about_crate = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
            "CARGO_PRIMARY_",
        ];
        for (name, _) in
            std::env::vars().filter(|(name, _)| about_crate.iter().any(|a| name.starts_with(a)))
        {
            build.env_remove(name);
        }
        let made = succeed(build.stdin(Stdio::null()));
        let path = PathBuf::from(
            made.lines()
                .last()
                .expect("build-deb prints the path of the package"),
        );
        assert!(path.is_file(), "build-deb made no {}", path.display());
        path
    })
}

/// A fresh Debian system in a folder; it goes when this is dropped.
pub struct Chroot {
    folder: TempDir,
}

impl Chroot {
    pub fn new() -> Self {
        let folder = TempDir::new();
        succeed(
            as_root("tar")
                .arg("-xf")
                .arg(pristine())
                .arg("-C")
                .arg(folder.path()),
        );
        Self { folder }
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A shell command as root in it.
    pub fn command(&self, script: &str) -> Command {
        // /proc is mounted for this command alone, so that nothing is left to be unmounted.
        let enter = "mount -t proc proc \"$1/proc\"; exec chroot \"$1\" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
                     LC_ALL=C DEBIAN_FRONTEND=noninteractive sh -ec \"$2\"";
        let mut command = as_root("unshare");
        command
            .args(["--mount", "sh", "-ec", enter, "sh"])
            .arg(self.root())
            .arg(script);
        command
    }

    /// Runs a shell command as root in it, which must succeed; its standard output.
    #[track_caller]
    pub fn run(&self, script: &str) -> String {
        succeed(&mut self.command(script))
    }

    /// Runs a shell command as a user with the groups that the system gives him.
    pub fn run_as(&self, user: &str, script: &str) -> Ran {
        let script =
            format!("exec setpriv --reuid {user} --regid {user} --init-groups sh -c '{script}'");
        self.command(&script).output().unwrap().into()
    }

    /// Makes a file of the host known in it; its path there.
    pub fn bring(&self, file: &Path) -> String {
        let name = format!("/root/{}", file.file_name().unwrap().to_str().unwrap());
        succeed(as_root("cp").arg(file).arg(self.root().join(&name[1..])));
        name
    }
}

impl Drop for Chroot {
    fn drop(&mut self) {
        // Root's files; what cannot be removed stays in the folder for temporary files.
        let _ = as_root("rm")
            .args(["-rf", "--one-file-system"])
            .arg(self.root())
            .output();
    }
}

/// The system as debootstrap makes it, as an archive that later runs use again.
fn pristine() -> &'static Path {
    static PRISTINE: OnceLock<PathBuf> = OnceLock::new();
    PRISTINE.get_or_init(|| {
        let suite = codename();
        let archive = std::env::current_dir()
            .unwrap()
            .join(format!("target/tools/debian-{suite}.tar"));
        if archive.is_file() {
            return archive;
        }
        let (folder, partial) = (TempDir::new(), archive.with_extension("partial"));
        std::fs::create_dir_all(archive.parent().unwrap()).unwrap();
        let include = "--include=logrotate,systemd-standalone-sysusers,systemd-standalone-tmpfiles";
        succeed(
            as_root("debootstrap")
                .args(["--variant=minbase", include, &suite])
                .arg(folder.path()),
        );
        // Without what is mounted, or only there to install more.
        let leave_out = [
            "--exclude=./proc/*",
            "--exclude=./sys/*",
            "--exclude=./var/cache/apt/*",
            "--one-file-system",
        ];
        succeed(
            as_root("tar")
                .args(leave_out)
                .arg("-cf")
                .arg(&partial)
                .arg("-C")
                .arg(folder.path())
                .arg("."),
        );
        let _ = as_root("umount").arg(folder.path().join("proc")).output();
        succeed(
            as_root("rm")
                .args(["-rf", "--one-file-system"])
                .arg(folder.path()),
        );
        std::fs::rename(&partial, &archive).unwrap();
        archive
    })
}

/// The release of Debian that runs here: what is compiled here runs there.
fn codename() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap();
    let name = release
        .lines()
        .find_map(|l| l.strip_prefix("VERSION_CODENAME="));
    name.expect("the tests run on Debian: /etc/os-release has a VERSION_CODENAME")
        .trim_matches('"')
        .to_owned()
}
