//! HTTP/1 on both sides: the listener for pollers, the answers they get, and the one request that a probe sends.

mod answer;
mod chunks;
pub mod client;
pub mod connections;
pub mod listen;
pub mod reply;
mod settings;
mod stall;
pub mod unix;

pub use settings::Settings;
