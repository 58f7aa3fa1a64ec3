//! Lists of connections that lie in a slab: a connection is put in and taken out without a search.

use slab::Slab;

use super::{Id, Row};

/// A list of connections, the oldest first. Its links are in the connections' rows; `links` says which ones.
#[derive(Default)]
pub(super) struct List {
    pub(super) first: Option<Id>,
    pub(super) last: Option<Id>,
}

/// The neighbours of a connection in one list.
#[derive(Default, Clone, Copy)]
pub(super) struct Links {
    pub(super) before: Option<Id>,
    pub(super) after: Option<Id>,
}

/// Picks the links of one kind of list.
pub(super) type LinksOf = fn(&mut Row) -> &mut Links;

pub(super) fn links(row: &mut Row) -> &mut Links {
    &mut row.links
}

pub(super) fn address_links(row: &mut Row) -> &mut Links {
    &mut row.address_links
}

impl List {
    /// Adds a connection as the newest.
    pub(super) fn push(&mut self, rows: &mut Slab<Row>, links: LinksOf, id: Id) {
        let last = self.last.replace(id);
        *links(&mut rows[id]) = Links {
            before: last,
            after: None,
        };

        // In an empty list this sets `first`.
        *self.after(last, rows, links) = Some(id);
    }

    /// Takes a connection out.
    pub(super) fn remove(&mut self, rows: &mut Slab<Row>, links: LinksOf, id: Id) {
        let Links { before, after } = *links(&mut rows[id]);
        // Its own links are left as they are: `push` sets both.
        *self.after(before, rows, links) = after;
        *self.before(after, rows, links) = before;
    }

    /// What says which one comes after one; after none comes the first.
    fn after<'a>(
        &'a mut self,
        id: Option<Id>,
        rows: &'a mut Slab<Row>,
        links: LinksOf,
    ) -> &'a mut Option<Id> {
        match id {
            Some(id) => &mut links(&mut rows[id]).after,
            None => &mut self.first,
        }
    }

    /// What says which one comes before one; before none comes the last.
    fn before<'a>(
        &'a mut self,
        id: Option<Id>,
        rows: &'a mut Slab<Row>,
        links: LinksOf,
    ) -> &'a mut Option<Id> {
        match id {
            Some(id) => &mut links(&mut rows[id]).before,
            None => &mut self.last,
        }
    }
}
