//! The commands of the fleet: `hadown --fleet` and its like, and `hacheck fleet`.
//!
//! Rules: a runtime starts here only, for commands that ask the engine. What is written is planned by pure functions from
//! what was read, and is one transaction that compares it; so two operators at once never mix. A command ends well only
//! when every host that lives has done it.

pub(crate) mod applet;
mod board;
mod client;
mod down;
mod downed;
mod forget;
mod hosts;
pub(crate) mod local;
mod log;
mod output;
mod pages;
mod plan;
mod pollers;
mod reading;
pub(crate) mod request;
mod roles;
mod roll;
mod scope;
mod screen;
mod screen_hosts;
mod screen_rows;
mod serve;
mod show;
mod site;
pub(crate) mod slot;
mod status;
mod up;
mod waiting;
mod write;

pub(crate) use down::act as down;
pub(crate) use downed::act as downed;
pub(crate) use pollers::act as pollers;
pub(crate) use roll::{NewRoll, ResumedRoll, RollRequest, RollTask, act as roll};
pub(crate) use status::act as status;
pub(crate) use up::act as up;
