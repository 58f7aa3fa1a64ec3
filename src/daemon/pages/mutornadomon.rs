//! `/mutornadomon`: figures of the process, in the shape of that package.

use std::net::IpAddr;

use hyper::StatusCode;
use serde_json::json;

use super::DaemonState;
use crate::http::reply::{self, Reply};
use crate::os::figures;

/// The answer for callers of other hosts.
pub(super) fn refused(from: IpAddr) -> Option<Reply> {
    if from.is_loopback() {
        return None;
    }

    let text = "only for callers on this host";
    Some(reply::text(StatusCode::FORBIDDEN, text))
}

pub(super) fn page(state: &DaemonState, _: Option<&str>) -> Reply {
    let figures = figures::process_figures();
    reply::json(&json!({
        "process": {
            "uptime": state.started.elapsed().as_secs_f64(),
            "meminfo": {"rss_bytes": figures.rss_bytes, "vsz_bytes": figures.vsz_bytes},
            "cpu": {
                "user_time": figures.user_seconds,
                "system_time": figures.system_seconds,
                "num_threads": figures.threads,
            },
            "num_fds": figures.open_files,
        },
        "counters": {"requests": state.counters.requests()},
        "gauges": {"open_connections": state.connections.count()},
    }))
}
