//! The results that are stored.

use super::Exposition;
use crate::check::cache::{Cache, CacheCounts};

pub(super) fn add(page: &mut Exposition, cache: &Cache) {
    let counts = cache.counts();
    let (entries, bytes) = cache.size();
    look_ups(page, counts);
    page.counter(
        "hacheck_cache_evictions_total",
        "Results evicted because the cache was full.",
        counts.evictions,
    );
    page.counter(
        "hacheck_cache_expirations_total",
        "Stored results that had expired when they were asked for.",
        counts.expirations,
    );
    page.gauge("hacheck_cache_entries", "Results stored.", entries);
    page.gauge("hacheck_cache_bytes", "Memory of results stored.", bytes);
}

fn look_ups(page: &mut Exposition, counts: CacheCounts) {
    page.counter(
        "hacheck_cache_hits_total",
        "Look-ups that found a result or a running probe.",
        counts.hits,
    );
    page.counter(
        "hacheck_cache_misses_total",
        "Look-ups that began a probe.",
        counts.misses,
    );
}
