use std::time::Instant;

use super::*;

const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

fn connections(connections: usize, per_address: usize) -> Arc<Connections> {
    let settings = HttpSettings {
        max_connections_per_address: per_address,
        ..HttpSettings::default()
    };
    let memory = MemoryBudget::new(1000);
    Arc::new(Connections::new(connections, settings, memory))
}

/// Enters a connection that stays until it is evicted; gives what its task holds.
fn enter(all: &Arc<Connections>, address: IpAddr) -> Arc<OpenConnection> {
    let mut own = None;
    all.enter(address, |open| {
        own = Some(Arc::downgrade(&open));
        tokio::spawn(async move {
            let _open = open;
            std::future::pending::<()>().await;
        })
        .abort_handle()
    });
    own.and_then(|o| o.upgrade())
        .expect("the task has it, and has not run yet")
}

fn ids(all: &Connections) -> Vec<Id> {
    all.table().staying()
}

#[tokio::test]
async fn the_longest_idle_one_makes_room_and_a_busy_one_never_does() {
    let all = connections(3, 100);
    let first = enter(&all, ONE);
    let second = enter(&all, ONE).id;
    let third = enter(&all, TWO).id;
    let asked = first.busy(Instant::now());
    all.shed();
    assert_eq!(ids(&all), [first.id, third]);
    drop(asked);
    // It has just been answered, so the other one has waited for longer.
    all.shed();
    assert_eq!(ids(&all), [first.id]);
    let _asked = first.busy(Instant::now());
    all.shed();
    assert_eq!((ids(&all), all.dropped()), (vec![first.id], 2));
    assert_ne!(second, third);
}

#[tokio::test]
async fn an_address_with_too_many_gives_up_its_own() {
    let all = connections(100, 2);
    let other = enter(&all, TWO).id;
    let old = enter(&all, ONE).id;
    let kept = enter(&all, ONE).id;
    let new = enter(&all, ONE).id;
    assert_eq!(ids(&all), [other, kept, new]);
    assert!(!ids(&all).contains(&old));
    assert_eq!((all.dropped(), all.dropped_for_address()), (1, 1));
}

#[tokio::test]
async fn the_only_idle_connection_of_an_address_is_spared_as_its_request_may_be_on_its_way() {
    let all = connections(100, 2);
    let busy = [enter(&all, ONE), enter(&all, ONE)];
    let _asked = busy.each_ref().map(|open| open.busy(Instant::now()));
    let came = enter(&all, ONE).id;
    let next = enter(&all, ONE).id;
    assert_eq!(ids(&all), [busy[0].id, busy[1].id, came, next]);
    let last = enter(&all, ONE).id;
    assert_eq!(ids(&all), [busy[0].id, busy[1].id, next, last]);
}

#[tokio::test]
async fn room_comes_when_a_busy_connection_becomes_idle() {
    let all = connections(1, 100);
    let only = enter(&all, ONE);
    let asked = only.busy(Instant::now());
    let waiting = {
        let all = Arc::clone(&all);
        tokio::spawn(async move { all.room().await })
    };
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop((asked, only));
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((all.count(), all.dropped()), (0, 1));
}

#[tokio::test]
async fn nothing_stays_in_the_table() {
    let all = connections(1000, 7);
    let mut kept = Vec::new();
    for i in 0..500 {
        let address = if i % 3 == 0 { ONE } else { TWO };
        let open = enter(&all, address);
        match i % 4 {
            0 => kept.push(open.busy(Instant::now())),
            1 => drop(open.busy(Instant::now())),
            _ => {}
        }
    }
    drop(kept);
    all.table().abort_all();
    tokio::time::timeout(Duration::from_secs(20), all.drained())
        .await
        .unwrap();
    assert!(all.table().is_empty());
}

#[tokio::test]
async fn a_connection_is_busy_until_its_last_request_is_answered() {
    let all = connections(10, 100);
    let one = enter(&all, ONE);
    let first = one.busy(Instant::now());
    let second = one.busy(Instant::now());
    drop(first);
    all.shed();
    assert_eq!(ids(&all), [one.id]);
    drop(second);
    all.shed();
    assert!(ids(&all).is_empty());
}
