//! The settings of what is remembered of pollers and services.

use super::rules::{PollerRules, poller_rules};
use crate::settings::{count, settings};

settings! {
    /// What is remembered of pollers and services.
    pub struct LedgerSettings {
        /// Service names that statistics remember.
        max_services: usize = 100_000, count("names", 1, 10_000_000), restart;
        /// Load balancers that `/pollers`, `hadown --wait` and `haroll` remember.
        max_pollers: usize = 10_000, count("pollers", 2, 1_000_000), restart;
        /// What is known of some pollers, for `--wait` and `haroll`: a list of rules, of which the first that fits a poller
        /// counts. `from` (networks), `user_agent` (its beginning) and `service` (or a pattern such as `web-*`) say whom a
        /// rule is of; `polls_down` and `polls_up` how often a balancer that does not tell its view must be told before it
        /// has acted (3 unless known; `--polls` overrides both), `interval` how many seconds are between its polls until
        /// they show a longer one, and `counts` whether it is waited for from its first poll (`true`) or never (`false`, a
        /// monitor). What a rule leaves out is as built in, which `hacheck config` shows.
        pollers: PollerRules = PollerRules::default(), poller_rules();
        /// Pollers that `/status/count` counts for one service; the one that asked least makes room.
        max_addresses_per_service: usize = 256, count("addresses", 1, 100_000), restart;
    }
}
