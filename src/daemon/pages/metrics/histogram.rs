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
    let bucket = format!("{name}_bucket");
    let mut below = 0;
    for (bound, count) in BUCKETS.iter().zip(&durations.buckets) {
        below += get(count);
        let bound = bound.to_string();
        page.sample(&bucket, &[labels, &[("le", &bound)]].concat(), below);
    }
    // What ends between the reads must not make a bucket larger than the count.
    let count = below + get(&durations.longer);
    page.sample(&bucket, &[labels, &[("le", "+Inf")]].concat(), count);
    #[allow(clippy::cast_precision_loss)] // a sum for graphs
    let sum = get(&durations.microseconds) as f64 / 1e6;
    page.sample(&format!("{name}_sum"), labels, sum);
    page.sample(&format!("{name}_count"), labels, count);
}
