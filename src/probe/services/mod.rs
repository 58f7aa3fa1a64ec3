//! `services`: what single services, and patterns of names, have in place of the global settings, as it is written.
//! `effective` merges it.

mod entry;
mod login;
mod script;
mod tls;

pub(crate) use self::entry::LONGEST;
pub(super) use self::entry::logins;
pub use self::entry::{ProxyProtocol, Service};
pub use self::login::ServiceLogin;
pub use self::script::ScriptStep;
pub use self::tls::ServiceTls;

/// A part of a service's settings that a service can also be without, whatever less exact entries say.
#[derive(Debug, Clone, PartialEq)]
pub enum OrOff<T> {
    /// Written `off`.
    Off,
    /// With these settings.
    On(T),
}
