//! The host's page in a real browser, and the answers that it is made of.

mod answers;
pub mod hostile;
pub mod live;
pub mod looks;
pub mod situations;
