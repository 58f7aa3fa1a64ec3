//! Writing orders: one transaction, compared with what was read.
//!
//! Rule: whoever writes in between wins, and the plan is made anew. A write of which nobody knows is looked up: it is done
//! when its id is there; else it can never win any more, since the next one is compared with a later revision.

use std::time::Instant;

use super::client::FleetClient;
use super::plan::{Author, ORDERS_MAX, Plan};
use crate::cli::args::reason;
use crate::cli::failure::{Failure, failed};
use crate::fleet::engine::{Committed, Transaction};
use crate::fleet::{AuditLine, Order, Paths, Record as _, Snapshot};
use crate::os::host_names::HostNames;

/// How often a write is tried that others come before.
const ATTEMPTS: usize = 10;

/// What was written.
pub(super) struct WrittenOrders {
    pub(super) orders: Vec<Order>,
    pub(super) notes: Vec<String>,
    /// What was read before.
    pub(super) snapshot: Snapshot,
    /// When it was there.
    pub(super) began: Instant,
}

/// Who orders here.
pub(super) fn author() -> Author {
    Author {
        by: reason::user(),
        from: HostNames::read().short,
    }
}

/// Writes what a plan says of what is read; plans again where somebody else wrote in between.
pub(super) fn write(
    client: &mut FleetClient,
    make: &dyn Fn(&Snapshot) -> Result<Plan, Failure>,
) -> Result<WrittenOrders, Failure> {
    let mut writer = OrderWriter {
        client,
        make,
        unknown: Vec::new(),
    };

    match writer.write() {
        Ok(written) => Ok(written),
        Err(failure) => Err(with_doubt(failure, &writer.unknown)),
    }
}

/// Tries to write until it is known whether something was written.
struct OrderWriter<'a> {
    client: &'a mut FleetClient,
    make: &'a dyn Fn(&Snapshot) -> Result<Plan, Failure>,
    /// The plans of which nobody knows whether they were written.
    unknown: Vec<Plan>,
}

impl OrderWriter<'_> {
    fn write(&mut self) -> Result<WrittenOrders, Failure> {
        for _ in 0..ATTEMPTS {
            if let Some(written) = self.try_once()? {
                return Ok(written);
            }
        }

        Err(failed!(
            "others keep changing these orders; nothing was ordered; try again"
        ))
    }

    /// `None` where somebody else came before, or nobody knows what came of it.
    fn try_once(&mut self) -> Result<Option<WrittenOrders>, Failure> {
        let snapshot = self.client.snapshot()?;
        // A write that timed out may have been done, and may still come at a member that was frozen. In the prototype one
        // that nobody compared came two seconds later, over the order that had followed it.
        let mut unknown = self.unknown.iter();
        if let Some(at) = unknown.position(|plan| is_there(&snapshot, plan)) {
            return Ok(Some(written(self.unknown.swap_remove(at), snapshot)));
        }

        let plan = (self.make)(&snapshot)?;
        refuse_too_many(&plan)?;
        if plan.orders.is_empty() {
            return Ok(Some(written(plan, snapshot)));
        }

        match self.commit(&plan, &snapshot)? {
            Committed::Done(_) => return Ok(Some(written(plan, snapshot))),
            Committed::Conflict => {}
            Committed::Unknown(_) => self.unknown.push(plan),
        }

        Ok(None)
    }

    fn commit(&mut self, plan: &Plan, snapshot: &Snapshot) -> Result<Committed, Failure> {
        // The line of the log is written with the orders, or not at all: what happened is what is logged.
        let lease = self.client.log_lease()?;
        let transaction = transaction(&self.client.paths, snapshot, &plan.orders, lease);
        self.client.commit(&transaction)
    }
}

fn written(plan: Plan, snapshot: Snapshot) -> WrittenOrders {
    WrittenOrders {
        orders: plan.orders,
        notes: plan.notes,
        snapshot,
        began: Instant::now(),
    }
}

/// Whether a plan has been written: all of its orders, or none.
fn is_there(snapshot: &Snapshot, plan: &Plan) -> bool {
    match plan.orders.first() {
        Some(order) => is_written(snapshot, order),
        None => false,
    }
}

fn is_written(snapshot: &Snapshot, order: &Order) -> bool {
    let found = snapshot.orders.get(&order.register());
    // Another id is another operator's order, even one with the same words.
    found.is_some_and(|found| found.id == order.id)
}

/// A failure after a write of which nobody knows.
fn with_doubt(failure: Failure, unknown: &[Plan]) -> Failure {
    // One stands for all: they are written together or not at all.
    let Some(order) = unknown.iter().flat_map(|plan| &plan.orders).next() else {
        return failure;
    };

    failure.and_line(format!(
        "whether {} was ordered is unknown; 'hastatus --fleet {}' tells when etcd answers",
        order.key, order.key
    ))
}

fn refuse_too_many(plan: &Plan) -> Result<(), Failure> {
    match plan.orders.len() {
        n if n > ORDERS_MAX => Err(failed!(
            "these are {n} orders, and at most {ORDERS_MAX} can be written together; name fewer services"
        )),
        _ => Ok(()),
    }
}

/// The orders, each with its line of the log, where nobody has changed what was read.
fn transaction(paths: &Paths, snapshot: &Snapshot, orders: &[Order], lease: i64) -> Transaction {
    let mut transaction = Transaction::new();
    for order in orders {
        let path = paths.order(&order.key, &order.selector);
        let line = paths.log_line(order.at);
        transaction = transaction
            .unchanged(&path, snapshot.mod_revision(&path))
            .put(&path, order.to_value())
            .put_leased(&line, audit_line(order).to_json(), lease);
    }

    transaction
}

/// What the log says of an order.
fn audit_line(order: &Order) -> AuditLine {
    AuditLine {
        at: order.at,
        by: order.by.clone(),
        from: order.from.clone(),
        what: order.state.as_str().to_owned(),
        key: order.key.file_name(),
        selector: order.selector.to_string(),
        reason: order.reason.clone(),
        order: order.id.clone(),
        ..AuditLine::default()
    }
}
