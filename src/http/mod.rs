//! HTTP/1 on both sides: the listener for pollers, the answers they get, and the one request that a probe sends.

pub(crate) mod accept;
mod answer;
mod chunks;
pub mod client;
pub(crate) mod connections;
pub(crate) mod phrase;
pub(crate) mod reply;
pub(crate) mod server;
mod settings;
pub mod unix;
mod write_timeout;

pub use settings::Settings;
