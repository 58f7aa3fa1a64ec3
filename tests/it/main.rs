//! Tests of the binary from outside, a module per behaviour.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod access;
mod agent;
mod answers;
mod architecture;
mod attack;
mod behind_haproxy;
mod boot;
mod cases;
mod cli_compat;
mod cli_dispatch;
mod cli_down;
mod cli_install;
mod cli_list;
mod cli_options;
mod cli_status;
mod clock;
mod compat_uber;
mod completion;
mod config;
mod conformance;
mod container;
mod crash;
mod cross_site;
mod daemon_life;
mod dashboard;
mod docs;
mod exec;
mod fairness;
mod groups;
mod grpc;
mod haproxy_probe;
mod health_checker;
mod heartbeat;
mod heartbeat_http;
mod hostile;
mod http2;
mod http_rules;
mod hung;
mod instances;
mod kept;
mod known_pollers;
mod limits;
mod listeners;
mod login_to;
mod mariadb;
mod memcached;
mod memory;
mod metrics;
mod mysql;
mod mysql_peers;
mod own_files;
mod own_listeners;
mod page;
mod pages;
mod pollers;
mod postgres_peers;
mod postgres_server;
mod prometheus;
mod rebinding;
mod redis;
mod roll;
mod services;
mod shared_pages;
mod slowloris;
mod smtp;
mod soak;
mod sockets;
mod spool_faults;
mod spool_garbage;
mod spool_mounts;
mod support;
mod systemd;
mod test_runner;
mod the_package;
mod tls;
mod top;
mod upstreams;
mod wait;
mod watches;
mod zookeeper;
