//! Settings: from the text of a YAML file to typed values, with everything that is wrong with it.
//!
//! Rules: a leaf; what the keys are is for the rooms that declare them. Faults are collected, so that all are reported
//! together, each with line, key and remedy. No message quotes a secret.
//!
//! The way of a file: [`decode()`] makes bytes text, [`Document`] makes text a tree whose nodes know their lines, [`tidy`]
//! settles keys that stand twice (with a warning) and merge keys, a [`Reader`] reads each value, and every complaint lands in a [`FaultSink`].

mod decode;
mod elsewhere;
mod fault;
mod kind;
mod maps;
mod numbers;
mod part;
mod problem;
mod raw;
mod read;
mod secret;
mod setting;
mod show;
mod tree;
mod values;

pub use decode::{MAX_FILE, decode};
pub use fault::{Fault, FaultSink, Faults};
pub use kind::{
    Kind, any_text, bytes, count, flag, mode, networks, path, paths, port_ranges, ports, seconds,
    seconds_or_ever, secret, text, times,
};
pub use maps::collect;
pub use part::{known_keys, read_part, show_part};
pub use problem::Problem;
pub use raw::{Document, Node, Value};
pub use read::{Fields, Reader};
pub use secret::Secret;
pub use setting::Setting;
pub(crate) use setting::settings;
pub use show::{list, map, quoted};
pub use tree::tidy;
pub use values::command;
