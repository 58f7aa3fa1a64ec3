//! The settings of who may do what: rows of [`SETTINGS`](super::SETTINGS).

use super::row::{USUAL, networks, row, set};
use super::settings::Setting;
use crate::settings::{list, mode, networks as read_networks, or_null, paths, port_ranges, quoted};

/// The rows.
pub(super) const ROWS: &[Setting] = &[
    row! { daemon.allow_from: networks, "Who may connect at all. Others are dropped before a byte is read, and counted. `private` is loopback, RFC 1918 and fc00::/7; `any` is everything." },
    Setting {
        name: "allowed_ports",
        kind: "list of ports or ranges",
        doc: "Ports that may be probed at all, such as `[80, 443, 8000-8999]`. Narrow it where pollers should learn nothing of other local services.",
        parse: |c, r| set(&mut c.probe.allowed_ports, port_ranges(r)),
        show: |c| list(&c.probe.allowed_ports),
        ..USUAL
    },
    row! { daemon.remote_spool_from: networks, "Where `POST /spool/…` may come from, when `allow_remote_spool_changes` is set." },
    Setting {
        name: "remote_spool_tokens",
        kind: "list of paths",
        doc: "Files with a bearer token each; with any, `POST /spool/…` must carry one of them (`Authorization: Bearer …`). Several make rotation possible. A token has 16 characters or more (`openssl rand -hex 32`). SIGHUP reads them again.",
        parse: |c, r| {
            set(
                &mut c.daemon.remote_spool_tokens,
                paths(r, "/etc/hacheck/spool.token"),
            );
        },
        show: |c| {
            list(
                &c.daemon
                    .remote_spool_tokens
                    .iter()
                    .map(|p| p.to_string_lossy())
                    .collect::<Vec<_>>(),
            )
        },
        ..USUAL
    },
    Setting {
        name: "listen_unix",
        kind: "path of a socket",
        doc: "A unix socket to listen on too, for callers on this host; they count as 127.0.0.1. A socket that a dead daemon left behind is replaced.",
        restart: true,
        parse: |c, r| {
            set(
                &mut c.daemon.listen_unix,
                r.path("/run/hacheck/hacheck.sock").map(Some),
            );
        },
        show: |c| {
            or_null(c.daemon.listen_unix.as_ref(), |p| {
                quoted(&p.to_string_lossy())
            })
        },
        ..USUAL
    },
    Setting {
        name: "listen_unix_mode",
        kind: "octal mode",
        doc: "Who may connect to that socket: the file's permissions.",
        restart: true,
        parse: |c, r| set(&mut c.daemon.listen_unix_mode, mode(r)),
        show: |c| format!("\"{:04o}\"", c.daemon.listen_unix_mode),
        ..USUAL
    },
];
