//! The settings that bound what pollers can make of the daemon: rows of [`SETTINGS`](super::SETTINGS).
//!
//! Rule: every limit shows in `/metrics` as `hacheck_limit`, so each row here says its number.

use super::row::{USUAL, row, seconds, set};
use super::settings::Setting;
use crate::settings::{or_null, size_words};

/// The rows.
#[allow(clippy::cast_precision_loss)] // limits above 2^53 mean nothing
pub(super) const ROWS: &[Setting] = &[
    row! { http.max_connections_per_address: count("connections", 1, 10_000_000), restart, "Connections of one address at once. At the limit the one that is idle longest makes room; a new one is never refused." },
    row! { http.write_timeout: seconds(0.1, 3600.0), restart, "How long a poller may leave an answer unread before its connection is closed." },
    row! { http.max_head: bytes(8 << 10, 1 << 20), restart, "A request head up to this size always fits; of one above twice that the answer is 431." },
    row! { http.max_headers: count("headers", 16, 10_000), restart, "Headers of a request; with more the answer is 431." },
    row! { daemon.max_request_body: bytes(1 << 10, 1 << 30), "Most of a form that `POST /spool/…` takes; of a longer one the answer is 413." },
    Setting {
        name: "max_waiting",
        unit: "requests",
        doc: "Requests that wait for the result of a probe, but for checks that passed in the last ten minutes. When one more comes, the one that waited longest gets 503 with Retry-After. Unset is half of the connections, so that requests that wait never keep new pollers out.",
        parse: |c, r| set(&mut c.check.max_waiting, r.count(1, 10_000_000).map(Some)),
        show: |c| or_null(c.check.max_waiting.as_ref(), ToString::to_string),
        ..USUAL
    },
    row! { ledger.max_addresses_per_service: count("addresses", 1, 100_000), restart, "Pollers that `/status/count` counts for one service; the one that asked least makes room." },
    row! { log.log_rate: count("lines per second", 1, 10_000_000), "Lines of the log; more are left out, counted, and their number is logged. Those of single requests (debug) are not bounded." },
];
