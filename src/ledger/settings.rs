//! The settings of what is remembered of pollers and services.

/// The settings of what is remembered of pollers and services.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `max_services`: service names that statistics remember.
    pub max_services: usize,
    /// `max_pollers`: load balancers that `/pollers` and `hadown --wait` remember.
    pub max_pollers: usize,
    /// `max_addresses_per_service`: pollers that are counted for one service.
    pub max_addresses_per_service: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_services: 100_000,
            max_pollers: 10_000,
            max_addresses_per_service: 256,
        }
    }
}
