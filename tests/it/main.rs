//! Tests of the binary from outside, a module per behaviour.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod access;
mod answers;
mod attack;
mod cli_dispatch;
mod cli_down;
mod cli_install;
mod cli_list;
mod cli_options;
mod cli_status;
mod clock;
mod config;
mod crash;
mod daemon_life;
mod docs;
mod exec;
mod grpc;
mod haproxy;
mod haproxy_check;
mod hostile;
mod http_rules;
mod hung;
mod limits;
mod mariadb;
mod memcached;
mod mysql;
mod mysql_peers;
mod pages;
mod postgres;
mod postgresql;
mod redis;
mod smtp;
mod sockets;
mod spool_faults;
mod spool_garbage;
mod support;
mod tls;
mod zookeeper;
