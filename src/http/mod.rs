//! HTTP on both sides: connections of pollers and the replies that they get, and the clients of probes.

pub(crate) mod accept;
pub(crate) mod any_stream;
pub(crate) mod client;
pub(crate) mod connections;
pub(crate) mod foreign;
mod forward;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub(crate) mod grpc;
pub(crate) mod grpc_client;
pub(crate) mod h2;
mod head_memory;
pub mod memory;
pub(crate) mod named_host;
pub(crate) mod page_file;
pub(crate) mod page_text;
pub(crate) mod phrase;
pub(crate) mod proxy;
mod read_after_write;
pub(crate) mod reply;
mod reply_body;
mod requests;
pub(crate) mod server;
mod settings;
mod tasks;
pub(crate) mod tls;
pub(crate) mod unix;
mod unpack;
mod unread;
mod write_timeout;

pub use settings::HttpSettings;
