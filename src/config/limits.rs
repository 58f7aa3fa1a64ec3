//! The settings that bound what pollers can make of the daemon: rows of [`SETTINGS`](super::SETTINGS).
//!
//! Rule: every limit shows in `/metrics` as `hacheck_limit`, so each row here says its number.

use super::read::size_words;
use super::settings::{Setting, USUAL, seconds, set};

/// The rows.
#[allow(clippy::cast_precision_loss)] // limits above 2^53 mean nothing
pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "max_connections_per_address",
        unit: "connections",
        doc: "Connections of one address at once. At the limit the one that is idle longest makes room; a new one is never refused.",
        restart: true,
        parse: |c, r| set(&mut c.max_connections_per_address, r.count(1, 10_000_000)),
        show: |c| c.max_connections_per_address.to_string(),
        limit: Some(|c| c.max_connections_per_address as f64),
        ..USUAL
    },
    Setting {
        name: "write_timeout",
        unit: "seconds",
        doc: "How long a poller may leave an answer unread before its connection is closed.",
        restart: true,
        parse: |c, r| set(&mut c.write_timeout, r.seconds(0.1, 3600.0)),
        show: |c| seconds(c.write_timeout),
        limit: Some(|c| c.write_timeout.as_secs_f64()),
        ..USUAL
    },
    Setting {
        name: "max_head",
        kind: "size",
        unit: "bytes, or with KiB, MiB, GiB",
        doc: "A request head up to this size always fits; of one above twice that the answer is 431.",
        restart: true,
        parse: |c, r| set(&mut c.max_head, r.bytes(8 << 10, 1 << 20)),
        show: |c| size_words(c.max_head),
        limit: Some(|c| c.max_head as f64),
        ..USUAL
    },
    Setting {
        name: "max_headers",
        unit: "headers",
        doc: "Headers of a request; with more the answer is 431.",
        restart: true,
        parse: |c, r| set(&mut c.max_headers, r.count(16, 10_000)),
        show: |c| c.max_headers.to_string(),
        limit: Some(|c| c.max_headers as f64),
        ..USUAL
    },
    Setting {
        name: "max_request_body",
        kind: "size",
        unit: "bytes, or with KiB, MiB, GiB",
        doc: "Most of a form that `POST /spool/…` takes; of a longer one the answer is 413.",
        parse: |c, r| set(&mut c.max_request_body, r.bytes(1 << 10, 1 << 30)),
        show: |c| size_words(c.max_request_body),
        limit: Some(|c| c.max_request_body as f64),
        ..USUAL
    },
    Setting {
        name: "max_waiting",
        unit: "probes",
        doc: "Probes that wait for one of the `max_clients` places; further ones get 503 with Retry-After at once.",
        parse: |c, r| set(&mut c.max_waiting, r.count(1, 10_000_000)),
        show: |c| c.max_waiting.to_string(),
        limit: Some(|c| c.max_waiting as f64),
        ..USUAL
    },
    Setting {
        name: "max_addresses_per_service",
        unit: "addresses",
        doc: "Pollers that `/status/count` counts for one service; the one that asked least makes room.",
        restart: true,
        parse: |c, r| set(&mut c.max_addresses_per_service, r.count(1, 100_000)),
        show: |c| c.max_addresses_per_service.to_string(),
        limit: Some(|c| c.max_addresses_per_service as f64),
        ..USUAL
    },
    Setting {
        name: "log_rate",
        unit: "lines per second",
        doc: "Lines of the log; more are left out, counted, and their number is logged. Those of single requests (debug) are counted apart.",
        parse: |c, r| set(&mut c.log_rate, r.count(1, 10_000_000)),
        show: |c| c.log_rate.to_string(),
        limit: Some(|c| c.log_rate as f64),
        ..USUAL
    },
];
