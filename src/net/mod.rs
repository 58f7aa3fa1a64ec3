//! Hosts, networks and ports: as they are written, which are this host's, which an operator
//! allows, who may be logged in to, and which are never asked.
//!
//! Rule: a leaf, and pure but for the look at this host's own addresses.

mod host;
mod listeners;
mod local;
mod login_to;
mod metadata;
mod network;
mod ports;

pub use host::{Host, HostError};
pub(crate) use host::{is_name_byte, without_brackets};
pub use listeners::OwnListeners;
pub use local::LocalAddresses;
pub use login_to::LoginTo;
pub(crate) use metadata::is_metadata;
pub use network::Network;
pub use ports::Ports;
