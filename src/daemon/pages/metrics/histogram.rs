//! How long things took, by upper bounds.

use super::{Exposition, get};
use crate::daemon::counters::{BUCKETS, Durations};

/// Adds one histogram; its metric has begun.
pub(super) fn add(
    page: &mut Exposition,
    name: &str,
    labels: &[(&str, &str)],
    durations: &Durations,
) {
    let count = buckets(page, &format!("{name}_bucket"), labels, durations);
    #[allow(clippy::cast_precision_loss)] // a sum for graphs
    let sum = get(&durations.microseconds) as f64 / 1e6;
    page.sample(&format!("{name}_sum"), labels, sum);
    page.sample(&format!("{name}_count"), labels, count);
}

/// The samples of all buckets. Gives the count of the last one, which is that of all: what ends between two reads must
/// not make a bucket larger than the count.
fn buckets(
    page: &mut Exposition,
    name: &str,
    labels: &[(&str, &str)],
    durations: &Durations,
) -> u64 {
    // Buckets of this format hold all that is shorter, while the counters hold what lies between two bounds.
    let mut below = 0;
    for (bound, count) in BUCKETS.iter().zip(&durations.buckets) {
        below += get(count);
        bucket(page, name, labels, &bound.to_string(), below);
    }

    let count = below + get(&durations.longer);
    bucket(page, name, labels, "+Inf", count);
    count
}

fn bucket(page: &mut Exposition, name: &str, labels: &[(&str, &str)], bound: &str, count: u64) {
    let labels = [labels, &[("le", bound)]].concat();
    page.sample(name, &labels, count);
}
