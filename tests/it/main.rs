//! Behaviour through the library's and the binary's real interfaces; one module per area.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod config;
