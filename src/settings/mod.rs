//! Settings: from the text of a YAML file to typed values, with everything that is wrong with it.
//!
//! Rules: a leaf; what the keys are is for the rooms that declare them. Faults are collected, so that all are reported
//! together, each with line, key and remedy. No message quotes a secret.
//!
//! The way of a file: [`read_text`] has `decode` make bytes text, `Document` make text a tree whose nodes know their lines,
//! `tidy` settle keys that stand twice (with a warning) and merge keys; then a [`Reader`] reads each value, and every
//! complaint lands in a [`FaultSink`].

mod decode;
mod elsewhere;
mod fault;
mod file;
mod kind;
mod maps;
mod numbers;
mod part;
mod problem;
mod raw;
mod read;
mod reference;
mod secret;
mod setting;
mod show;
mod tree;
mod values;

pub(crate) use fault::FaultSink;
pub use fault::{Fault, Faults};
pub(crate) use file::{ExaminedFile, WarnOfMore, content, map_of_settings, read_text};
pub(crate) use kind::{
    Kind, any_text, bytes, count, flag, mode, networks, path, paths, port_ranges, ports, seconds,
    seconds_or_ever, secret, text, times,
};
pub(crate) use maps::collect;
pub(crate) use part::{known_keys, read_part, read_table, show_part};
#[cfg(test)]
pub(crate) use raw::Document;
pub(crate) use raw::{Node, YamlValue};
pub(crate) use read::{Fields, Reader};
pub(crate) use reference::{effective, reference_markdown};
pub use secret::Secret;
pub use setting::Setting;
pub(crate) use setting::settings;
pub(crate) use show::{list, map, quoted};
pub(crate) use values::command;
