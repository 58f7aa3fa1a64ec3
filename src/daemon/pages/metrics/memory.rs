//! The budget for what is held for others.

use super::Exposition;
use crate::http::memory::MemoryBudget;

pub(super) fn add(page: &mut Exposition, memory: &MemoryBudget) {
    page.gauge(
        "hacheck_memory_used_bytes",
        "Memory of what is held for others, stored results included.",
        memory.used(),
    );
    page.gauge(
        "hacheck_memory_limit_bytes",
        "The most of it (memory_limit and cache_bytes).",
        memory.limit(),
    );
    page.counter(
        "hacheck_memory_refusals_total",
        "Requests answered with 503 because it was used up.",
        memory.refusals(),
    );
}
