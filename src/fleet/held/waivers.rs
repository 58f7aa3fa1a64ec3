//! Orders that this host does not obey, by the decision of somebody on it: kept on its disk, so that no engine is needed.
//!
//! Rule: a waiver is for one order, by its id. The next order of the same register is obeyed again.

use std::collections::BTreeMap;

use super::merge;
use crate::fleet::{Order, WaivedOrder};
use crate::names::Key;
use crate::spool::{Spool, SpoolError, unix_now};

/// The file beside the entries.
const FILE: &str = "waivers";

/// The waivers by their registers.
pub(super) type Waivers = BTreeMap<String, WaivedOrder>;

/// Reads the waivers. A file that is none waives nothing.
pub(super) fn read(spool: &Spool) -> Result<Waivers, SpoolError> {
    let content = spool.read_beside(FILE)?.unwrap_or_default();
    Ok(serde_json::from_slice(&content).unwrap_or_default())
}

/// Waives the orders that hold a key down on this host, and lifts what they wrote. Gives those orders; there may be none.
///
/// # Errors
/// When it could not be written or lifted.
pub fn waive(spool: &Spool, key: &Key, by: &str, reason: &str) -> Result<Vec<Order>, SpoolError> {
    let Some(downtime) = spool.read(key)? else {
        return Ok(Vec::new());
    };

    let orders = merge::orders(key, &downtime);
    let mut waivers = read(spool)?;
    for order in &orders {
        waivers.insert(order.register(), waiver(order, by, reason));
    }

    // First the waivers, or the daemon would write the entry again.
    // Texts, and a time that is finite: these always have a JSON.
    let json = serde_json::to_vec(&waivers).unwrap_or_default();
    spool.replace_beside(FILE, &json)?;
    spool.up(key)?;
    Ok(orders)
}

fn waiver(order: &Order, by: &str, reason: &str) -> WaivedOrder {
    WaivedOrder {
        order: order.id.clone(),
        by: by.to_owned(),
        reason: reason.to_owned(),
        since: unix_now(),
    }
}
