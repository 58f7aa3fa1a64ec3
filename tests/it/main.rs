//! Tests of the binary from outside, a module per behaviour.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod boot;
mod cli_dispatch;
mod cli_down;
mod cli_install;
mod cli_list;
mod cli_options;
mod cli_status;
mod completion;
mod config;
mod container;
mod docs;
mod haproxy;
mod packaging;
mod prometheus;
mod support;
mod systemd;
