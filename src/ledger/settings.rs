//! The settings of what is remembered of pollers and services.

use crate::settings::{count, settings};

settings! {
    /// What is remembered of pollers and services.
    pub struct LedgerSettings {
        /// Service names that statistics remember.
        max_services: usize = 100_000, count("names", 1, 10_000_000), restart;
        /// Load balancers that `/pollers`, `hadown --wait` and `haroll` remember.
        max_pollers: usize = 10_000, count("pollers", 2, 1_000_000), restart;
        /// Pollers that `/status/count` counts for one service; the one that asked least makes room.
        max_addresses_per_service: usize = 256, count("addresses", 1, 100_000), restart;
    }
}
