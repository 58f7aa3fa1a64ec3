//! What `hadown --fleet` writes: an order for each key, or nothing where one of them is refused.

use super::{Author, Plan, count, new_order};
use crate::cli::failure::{Failure, failed};
use crate::cli::fleet::output::described_order;
use crate::cli::fleet::request::FleetRequest;
use crate::cli::fleet::scope;
use crate::fleet::picture::FleetPicture;
use crate::fleet::{Order, OrderState, Selector, Snapshot, register};
use crate::names::Key;
use crate::spool::{Mark, unix_now};

const NOTHING_FORCE: &str = "nothing was ordered; --force orders it anyway";

/// Plans downtimes.
pub(in crate::cli::fleet) fn down(
    request: &FleetRequest,
    snapshot: &Snapshot,
    fleet: &str,
    author: &Author,
) -> Result<Plan, Failure> {
    let planner = DownPlanner {
        request,
        snapshot,
        fleet,
        author,
        now: unix_now(),
    };

    let mut plan = Plan::default();
    let mut failures = Vec::new();
    for key in &request.keys {
        if let Err(failure) = planner.plan(key, &mut plan) {
            failures.push(failure);
        }
    }

    // One that is refused keeps the others from being written, so that all or nothing is.
    Failure::unless_empty(&failures)?;
    Ok(plan)
}

/// What a plan is made from.
struct DownPlanner<'a> {
    request: &'a FleetRequest,
    snapshot: &'a Snapshot,
    fleet: &'a str,
    author: &'a Author,
    now: f64,
}

impl<'a> DownPlanner<'a> {
    /// Plans the downtime of one key.
    fn plan(&self, key: &Key, plan: &mut Plan) -> Result<(), Failure> {
        self.refuse_empty(key)?;
        let before = self.before(key);
        if let Some(before) = before {
            let note = self.replacement(key, before)?;
            plan.notes.push(note);
        }

        for sentence in self.emptied(key) {
            self.refuse_emptied(&sentence)?;
            plan.notes.push(sentence);
        }

        let order = self.order(key, before);
        plan.orders.push(order);
        Ok(())
    }

    fn refuse_empty(&self, key: &Key) -> Result<(), Failure> {
        if self.request.force {
            return Ok(());
        }

        let selector = &self.request.selector;
        match scope::refuse_empty(self.snapshot, self.fleet, key, selector, self.now) {
            Ok(()) => Ok(()),
            Err(failure) => Err(failure.and_line(NOTHING_FORCE)),
        }
    }

    /// The downtime of a key that is in force for the same hosts.
    fn before(&self, key: &Key) -> Option<&'a Order> {
        let register = register(key, &self.request.selector);
        let before = self.snapshot.orders.get(&register)?;
        before.holds(self.now).then_some(before)
    }

    /// Says that a downtime is replaced, where it may be.
    fn replacement(&self, key: &Key, before: &Order) -> Result<String, Failure> {
        let described = described_order(before);
        if self.request.if_up {
            return Err(failed!(
                "{key} is already down: {described}; it stays as it is (--if-up)"
            ));
        }

        Ok(format!(
            "{key} was already ordered down: {described}; replaced"
        ))
    }

    /// A sentence for each service that nobody would be left to serve.
    fn emptied(&self, key: &Key) -> Vec<String> {
        let selector = &self.request.selector;
        let mut sentences = Vec::new();
        for service in scope::services(self.snapshot, key, selector) {
            // Those that are not selected may be the ones that are left.
            let picture = self.picture(&service, &Selector::every_host());
            if is_emptied(&picture, selector) {
                let who = who_goes(&picture, selector);
                sentences.push(format!("that leaves {service} without a server: {who}"));
            }
        }

        sentences
    }

    fn refuse_emptied(&self, sentence: &str) -> Result<(), Failure> {
        // With --wait the operator relies on balancers that go on without these hosts, and here they cannot.
        match self.request.wait {
            Some(_) if !self.request.force => {
                Err(failed!("{sentence}; --force takes it down anyway"))
            }
            _ => Ok(()),
        }
    }

    fn order(&self, key: &Key, before: Option<&Order>) -> Order {
        let request = self.request;
        let selector = &request.selector;
        let mut order = new_order(self.snapshot, key, selector, OrderState::Down, self.author);
        order.reason = request.reason.clone().unwrap_or_default();
        order.expiration = request.expiration;
        order.creation = Some(creation(before, &order.reason, self.now));
        order.soft = request.mark == Some(Mark::Soft);
        order.drain = request.mark == Some(Mark::Drain);
        order.hosts = count(self.picture(key, selector).rows.len());
        order
    }

    fn picture(&self, key: &Key, selector: &Selector) -> FleetPicture<'a> {
        FleetPicture::new(self.snapshot, key, selector, self.now)
    }
}

/// When the downtime began: as before for an equal reason.
fn creation(before: Option<&Order>, reason: &str, now: f64) -> f64 {
    match before {
        // The same downtime with another end: since when it is down is what people ask.
        Some(before) if before.reason == reason => before.creation.unwrap_or(now),
        _ => now,
    }
}

/// Whether a service has servers now, and none without those that are selected.
fn is_emptied(picture: &FleetPicture<'_>, selector: &Selector) -> bool {
    // What nobody serves now is left no worse.
    picture.left_without(selector) == 0 && picture.sums().up > 0
}

/// `all 40 hosts that serve it`, or how many of them, where the others are out already.
fn who_goes(picture: &FleetPicture<'_>, selector: &Selector) -> String {
    let all = picture.rows.len();
    let taken = picture.selected_by(selector);
    match taken == all {
        true if all == 1 => "the only host that serves it".to_owned(),
        true => format!("all {all} hosts that serve it"),
        false => format!("{taken} of {all} hosts that serve it, and the others are out already"),
    }
}
