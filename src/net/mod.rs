//! Networks and addresses: which an operator allows, and which are never asked.
//!
//! Rule: a leaf, and pure.

mod network;

pub use network::{Network, is_metadata};
