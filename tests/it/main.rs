//! Tests of the binary from outside, a module per behaviour.

// A test that cannot go on may panic, also outside of #[test] functions, which is all that clippy.toml exempts.
#![allow(clippy::unwrap_used)]

mod cli_dispatch;
mod cli_down;
mod cli_install;
mod cli_list;
mod cli_options;
mod cli_status;
mod mariadb;
mod mysql;
mod mysql_peers;
mod postgres;
mod postgresql;
mod support;
