//! The tools of other projects that this binary stands in for.

pub(crate) mod health_checker;
pub(crate) mod heartbeat;
