//! Tests of the binary from outside, a module per behaviour.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod cli_dispatch;
mod cli_down;
mod cli_install;
mod cli_list;
mod cli_options;
mod cli_status;
mod config;
mod docs;
mod exec;
mod groups;
mod grpc;
mod haproxy;
mod haproxy_check;
mod health_checker;
mod heartbeat;
mod http_rules;
mod memcached;
mod redis;
mod smtp;
mod sockets;
mod support;
mod tls;
mod watches;
mod zookeeper;
