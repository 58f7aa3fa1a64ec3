//! `hacheck fleet`: the picture of a fleet, in a terminal and on its page, by a real etcd.

mod access;
mod page;
mod scene;
mod site;
mod terminal;
