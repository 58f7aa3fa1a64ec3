use super::*;
use crate::probe::{self, Check, Protocol, Target};
use std::time::Duration;

fn settings(time: f64, entries: usize, bytes: usize) -> CheckSettings {
    CheckSettings {
        cache_time: Some(Duration::from_secs_f64(time)),
        cache_entries: entries,
        cache_bytes: bytes,
        ..CheckSettings::default()
    }
}

fn cache(time: f64, entries: usize, bytes: usize) -> Arc<Cache> {
    Arc::new(Cache::new(&settings(time, entries, bytes)))
}

fn key(port: u16) -> CacheKey {
    let check = Check {
        protocol: Protocol::find("tcp").unwrap(),
        target: Arc::new(Target::local(port, "/")),
    };
    CacheKey::of(
        &check,
        &probe::Context::plain(probe::ProbeSettings::default()),
    )
    .unwrap()
}

fn look_up(cache: &Arc<Cache>, port: u16, fresh: bool, rank: Rank) -> Lookup {
    let wanted = Wanted { fresh, rank };
    cache.look_up(&key(port), wanted, Instant::now())
}

fn begin(cache: &Arc<Cache>, port: u16, fresh: bool) -> (Ticket, RunningProbe) {
    match look_up(cache, port, fresh, Rank::Stranger) {
        Lookup::Begin(ticket, running) => (ticket, running),
        _ => panic!("expected to begin a probe of port {port}"),
    }
}

fn body(found: &Lookup) -> Option<&[u8]> {
    match found {
        Lookup::Stored(outcome) => Some(&outcome.body),
        _ => None,
    }
}

#[test]
fn a_result_is_found_until_it_expires() {
    let cache = cache(3600.0, 10, 1 << 20);
    begin(&cache, 1, false).0.deliver(Outcome::healthy("a"));
    assert_eq!(
        body(&look_up(&cache, 1, false, Rank::Stranger)),
        Some(&b"a"[..])
    );
    cache.set(&settings(0.0, 10, 1 << 20));
    begin(&cache, 2, false).0.deliver(Outcome::healthy("b"));
    begin(&cache, 2, false).0.deliver(Outcome::healthy("c"));
}

#[test]
fn an_expired_result_gives_its_memory_back_though_nobody_asks_for_it() {
    let cache = cache(3600.0, 1000, 1 << 20);
    for port in 1..=600 {
        begin(&cache, port, false).0.deliver(Outcome::healthy("a"));
    }
    cache.drop_expired(Instant::now());
    assert_eq!(cache.size().0, 600);
    cache.drop_expired(Instant::now() + Duration::from_secs(3601));
    assert_eq!(cache.size(), (0, 0));
    assert_eq!(cache.counts().expirations, 600);
}

#[test]
fn a_running_probe_is_joined_but_not_by_who_wants_a_fresh_result() {
    let cache = cache(3600.0, 10, 1 << 20);
    let (first, _) = begin(&cache, 1, false);
    assert!(matches!(
        look_up(&cache, 1, false, Rank::Stranger),
        Lookup::Running(_)
    ));
    let (second, _) = begin(&cache, 1, true);
    second.deliver(Outcome::healthy("new"));
    first.deliver(Outcome::healthy("old"));
    assert_eq!(
        body(&look_up(&cache, 1, false, Rank::Stranger)),
        Some(&b"new"[..]),
        "the older probe overwrote the newer one"
    );
}

#[tokio::test]
async fn fresh_results_of_one_key_are_found_one_at_a_time_and_shared_by_those_who_came_before() {
    let cache = cache(3600.0, 10, 1 << 20);
    let (first, _) = begin(&cache, 1, true);
    let (mut second, _) = begin(&cache, 1, true);
    let joins = || matches!(look_up(&cache, 1, true, Rank::Stranger), Lookup::Running(_));
    assert!(joins());
    let mut turn = Box::pin(second.turn());
    let not_yet = tokio::time::timeout(Duration::ZERO, turn.as_mut()).await;
    assert!(not_yet.is_err(), "two run at once");
    first.deliver(Outcome::healthy("old"));
    turn.await;
    assert!(!joins(), "it may have begun before they asked");
}

#[test]
fn nobody_waits_for_a_probe_of_a_lower_rank() {
    let cache = cache(3600.0, 10, 1 << 20);
    let ranks = [Rank::Stranger, Rank::Established, Rank::Configuration];
    let mut running = Vec::new();
    for rank in ranks {
        match look_up(&cache, 1, false, rank) {
            Lookup::Begin(ticket, _) => running.push(ticket),
            _ => panic!("{rank:?} found one to join"),
        }
    }
    for rank in ranks {
        let found = look_up(&cache, 1, false, rank);
        assert!(matches!(found, Lookup::Running(_)), "{rank:?}");
    }
    running.pop().unwrap().deliver(Outcome::healthy("a"));
    let stored = look_up(&cache, 1, false, Rank::Configuration);
    assert_eq!(body(&stored), Some(&b"a"[..]));
}

#[tokio::test]
async fn a_dropped_ticket_is_a_failure_for_all_who_wait() {
    let cache = cache(3600.0, 10, 1 << 20);
    let (ticket, running) = begin(&cache, 1, false);
    drop(ticket);
    assert_eq!(running.outcome().await.status, 503);
}

#[test]
fn entries_and_bytes_are_bounded() {
    let by_entries = cache(3600.0, 10, 1 << 20);
    let by_bytes = cache(3600.0, 1000, 20_000);
    for port in 0..500 {
        for cache in [&by_entries, &by_bytes] {
            begin(cache, port, false)
                .0
                .deliver(Outcome::healthy("x".repeat(1000)));
        }
    }
    assert_eq!(by_entries.size().0, 10);
    assert_eq!(by_entries.counts().evictions, 490);
    assert!(
        by_bytes.size().1 <= 20_000 && by_bytes.size().0 > 5,
        "{:?}",
        by_bytes.size()
    );
    let entries = by_bytes.lock().entries.len();
    assert_eq!(
        entries,
        by_bytes.size().0,
        "entries without a result stay behind"
    );
}

#[test]
fn counts_are_those_of_the_originals() {
    let cache = cache(3600.0, 10, 1 << 20);
    begin(&cache, 1, false).0.deliver(Outcome::healthy(""));
    look_up(&cache, 1, false, Rank::Stranger);
    let expected = CacheCounts {
        gets: 2,
        hits: 1,
        misses: 1,
        sets: 1,
        expirations: 0,
        evictions: 0,
    };
    assert_eq!(cache.counts(), expected);
}
