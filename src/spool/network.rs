//! Network file systems, which no spool should lie on.

use std::path::Path;

use nix::sys::statfs::statfs;

/// The kind of a network file system (statfs(2)), where a path lies on one: locks and renames of other hosts, and
/// what happens when the network is gone, are then out of hacheck's hands.
#[must_use]
pub fn network_file_system(path: &Path) -> Option<&'static str> {
    // Where it cannot be asked, nothing is warned of.
    let kind = statfs(path).ok()?.filesystem_type().0;
    // The type's width differs between platforms; the numbers are 32 bits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    network_kind(kind as u32)
}

/// The kinds of statfs(2) and linux/magic.h.
fn network_kind(kind: u32) -> Option<&'static str> {
    Some(match kind {
        0x6969 => "NFS",
        0x517b => "SMB",
        0xff53_4d42 => "CIFS",
        0xfe53_4d42 => "SMB2",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x00c3_6400 => "Ceph",
        0x7375_7245 => "Coda",
        0x0102_1997 => "9P",
        0x0116_1970 => "GFS2",
        0x7461_636f => "OCFS2",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x6573_5546 => "FUSE",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        for (kind, name) in [
            (0x6969, "NFS"),
            (0xff53_4d42, "CIFS"),
            (0x6573_5546, "FUSE"),
        ] {
            assert_eq!(network_kind(kind), Some(name));
        }
        // ext4, XFS, Btrfs, tmpfs, overlayfs.
        for kind in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert_eq!(network_kind(kind), None, "{kind:#x}");
        }
        assert_eq!(network_file_system(Path::new("/proc")), None);
    }
}
