//! Hosts, networks and ports: as they are written, which an operator allows, and which are never asked.
//!
//! Rule: a leaf, and pure.

mod host;
mod metadata;
mod network;
mod ports;

pub use host::{Host, HostError};
pub use metadata::is_metadata;
pub use network::Network;
pub use ports::Ports;
