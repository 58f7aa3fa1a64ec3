//! Tests of the binary from outside, a module per behaviour.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod agent;
mod answers;
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
mod mariadb;
mod memcached;
mod mysql;
mod mysql_peers;
mod packaging;
mod pages;
mod pollers;
mod postgres;
mod postgresql;
mod prometheus;
mod redis;
mod roll;
mod smtp;
mod sockets;
mod spool_faults;
mod spool_garbage;
mod support;
mod systemd;
mod tls;
mod wait;
mod zookeeper;
