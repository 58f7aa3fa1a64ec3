//! Orders for one key as the downtime that this host writes. Pure.

use std::cmp::Ordering;

use serde_json::{Value, json};

use crate::fleet::picture::FLEET_ORIGIN;
use crate::fleet::{Order, Record as _};
use crate::names::sort::sort_by;
use crate::spool::{Downtime, Key, Mark};

/// The key of the entry's JSON that holds the order which gives reason and end.
const ORDER: &str = "order";

/// The key that holds the other orders.
const OTHERS: &str = "orders";

/// The downtime of the orders that hold a key, of which there is at least one: the one that ends last gives reason and end.
pub(super) fn downtime(orders: &[&Order]) -> Option<Downtime> {
    let orders = last_first(orders);
    let (first, others) = orders.split_first()?;
    let mut downtime = Downtime {
        reason: first.reason.clone(),
        expiration: first.expiration,
        creation: begun(&orders),
        ..Downtime::default()
    };

    downtime.set_by(&first.by);
    downtime.set_origin(&format!("{FLEET_ORIGIN}{}", first.selector));
    if let Some(mark) = mark(&orders) {
        downtime.set_mark(mark);
    }

    // The orders stand in the entry, so that a host that lost all else still knows what to hold, and what a lift lifts.
    downtime.extra.insert(ORDER.into(), json!(first));
    if !others.is_empty() {
        downtime.extra.insert(OTHERS.into(), json!(others));
    }

    Some(downtime)
}

/// The orders by their ends, the last one first; of those with one end the newest first.
fn last_first<'a>(orders: &[&'a Order]) -> Vec<&'a Order> {
    let mut orders = orders.to_vec();
    sort_by(&mut orders, |a, b| by_end(b, a));
    orders
}

fn by_end(one: &Order, other: &Order) -> Ordering {
    let by_end = ends(one).total_cmp(&ends(other));
    by_end.then(one.at.cmp(&other.at))
}

fn ends(order: &Order) -> f64 {
    order.expiration.unwrap_or(f64::INFINITY)
}

/// When the first of the orders began.
fn begun(orders: &[&Order]) -> Option<f64> {
    let begun = orders.iter().filter_map(|order| order.creation);
    begun.min_by(f64::total_cmp)
}

/// The strongest way in which one of the orders is told; `None` is as usual.
fn mark(orders: &[&Order]) -> Option<Mark> {
    let mut strongest = Mark::Drain;
    for order in orders {
        // One order that is told as usual is the strongest: without a mark of its own.
        if order.mark()? == Mark::Soft {
            strongest = Mark::Soft;
        }
    }

    Some(strongest)
}

/// The orders that an entry was made of.
#[must_use]
pub(super) fn orders(key: &Key, downtime: &Downtime) -> Vec<Order> {
    let first = downtime.extra.get(ORDER);
    let others = downtime.extra.get(OTHERS).and_then(Value::as_array);
    let values = first.into_iter().chain(others.into_iter().flatten());
    let mut orders: Vec<Order> = values.filter_map(read).collect();
    // Anybody may write into the folder: an order of another key would lift what it names.
    orders.retain(|order| order.key == *key);
    orders
}

fn read(value: &Value) -> Option<Order> {
    Order::parse(value.to_string().as_bytes()).ok()
}

/// The order that gives an entry its reason.
#[must_use]
pub fn order_of(downtime: &Downtime) -> Option<Order> {
    read(downtime.extra.get(ORDER)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{OrderState, Selector};

    fn order(at: u64, reason: &str, end: Option<f64>) -> Order {
        let key = Key::parse("web").unwrap();
        let mut order = Order::new(at, OrderState::Down, key, Selector::every_host());
        order.reason = reason.to_owned();
        order.expiration = end;
        order.creation = Some(1000.0 - f64::from(u32::try_from(at).unwrap()));
        order.by = "alice".to_owned();
        order
    }

    #[test]
    fn the_order_that_ends_last_gives_reason_and_end_and_the_others_stand_beside_it() {
        let orders = [
            order(1, "short", Some(50.0)),
            order(2, "long", Some(99.0)),
            order(3, "short too", Some(50.0)),
        ];
        let all: Vec<&Order> = orders.iter().collect();
        let merged = downtime(&all).unwrap();
        assert_eq!(merged.reason, "long");
        assert_eq!(
            (merged.expiration, merged.creation),
            (Some(99.0), Some(997.0))
        );
        let read = Downtime::parse(merged.to_json().as_bytes());
        assert_eq!(read.by(), Some("alice"));
        assert_eq!(order_of(&read).unwrap(), orders[1]);
        let mut back = super::orders(&orders[0].key, &read);
        back.sort_by_key(|order| order.at);
        assert_eq!(back, orders);
    }

    #[test]
    fn an_order_without_an_end_ends_last_and_of_two_the_newer_one_counts() {
        let orders = [
            order(1, "old", None),
            order(2, "new", None),
            order(3, "timed", Some(99.0)),
        ];
        let merged = downtime(&orders.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!((merged.reason.as_str(), merged.expiration), ("new", None));
        assert_eq!(downtime(&[]), None);
    }

    #[test]
    fn the_strongest_way_of_telling_counts() {
        let with = |soft, drain| Order {
            soft,
            drain,
            ..order(1, "x", None)
        };
        let (usual, soft, drain) = (with(false, false), with(true, false), with(false, true));
        for (orders, mark) in [
            (&[&usual][..], None),
            (&[&soft], Some(Mark::Soft)),
            (&[&drain], Some(Mark::Drain)),
            (&[&drain, &soft], Some(Mark::Soft)),
            (&[&drain, &usual], None),
            (&[&soft, &usual, &drain], None),
        ] {
            assert_eq!(downtime(orders).unwrap().mark(), mark, "{orders:?}");
        }
    }

    #[test]
    fn an_entry_of_other_making_has_no_orders() {
        let key = Key::parse("web").unwrap();
        for content in ["", "{}", r#"{"order":7,"orders":{}}"#, r#"{"orders":[7]}"#] {
            let downtime = Downtime::parse(content.as_bytes());
            assert!(super::orders(&key, &downtime).is_empty(), "{content}");
            assert_eq!(order_of(&downtime), None);
        }
    }
}
