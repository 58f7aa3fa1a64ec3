//! Rows of [`SETTINGS`](super::SETTINGS) by their shapes, a line each: `row! { key: shape, restart, "doc" }`.
//!
//! Rule: what such a row reads, shows and bounds is the field of [`Config`](super::Config) with the key's name. A row
//! that is like no other is written out as a [`Setting`].

use std::time::Duration;

use super::settings::Setting;
use crate::net::Network;
use crate::settings::{Secret, list, or_null};

/// What most rows have in common.
pub(super) const USUAL: Setting = Setting {
    name: "",
    kind: "number",
    unit: "",
    doc: "",
    restart: false,
    secret: false,
    parse: |_, _| {},
    show: |_| String::new(),
    limit: None,
};

/// One row: the key, which is also the field, its shape, `restart` where a change needs one, and the doc.
macro_rules! row {
    (@ $part:ident.$key:ident { $($fields:tt)* } restart, $doc:literal) => {
        row! { @ $part.$key { restart: true, $($fields)* } $doc }
    };
    (@ $part:ident.$key:ident { $($fields:tt)* } $doc:literal) => {
        Setting { name: stringify!($key), doc: $doc, $($fields)* ..USUAL }
    };
    ($part:ident.$key:ident: count($unit:literal, $min:expr, $max:expr), $($rest:tt)+) => {
        row! { @ $part.$key {
            unit: $unit,
            parse: |c, r| set(&mut c.$part.$key, r.count($min, $max)),
            show: |c| c.$part.$key.to_string(),
            limit: Some(|c| c.$part.$key as f64),
        } $($rest)+ }
    };
    ($part:ident.$key:ident: seconds($min:expr, $max:expr), $($rest:tt)+) => {
        row! { @ $part.$key {
            unit: "seconds",
            parse: |c, r| set(&mut c.$part.$key, r.seconds($min, $max)),
            show: |c| seconds(c.$part.$key),
            limit: Some(|c| c.$part.$key.as_secs_f64()),
        } $($rest)+ }
    };
    ($part:ident.$key:ident: bytes($min:expr, $max:expr), $($rest:tt)+) => {
        row! { @ $part.$key {
            kind: "size",
            unit: "bytes, or with KiB, MiB, GiB",
            parse: |c, r| set(&mut c.$part.$key, r.bytes($min, $max)),
            show: |c| size_words(c.$part.$key),
            limit: Some(|c| c.$part.$key as f64),
        } $($rest)+ }
    };
    ($part:ident.$key:ident: flag, $($rest:tt)+) => {
        row! { @ $part.$key {
            kind: "true or false",
            parse: |c, r| set(&mut c.$part.$key, r.boolean()),
            show: |c| c.$part.$key.to_string(),
        } $($rest)+ }
    };
    ($part:ident.$key:ident: text, $($rest:tt)+) => {
        row! { @ $part.$key {
            kind: "text",
            parse: |c, r| set(&mut c.$part.$key, r.text().map(Some)),
            show: |c| or_null(c.$part.$key.as_ref(), |t| quoted(t)),
        } $($rest)+ }
    };
    ($part:ident.$key:ident: secret, $($rest:tt)+) => {
        row! { @ $part.$key {
            kind: "text",
            secret: true,
            parse: |c, r| set(&mut c.$part.$key, r.any_text().map(|t| Some(Secret::new(t)))),
            show: |c| secret(c.$part.$key.as_ref()),
        } $($rest)+ }
    };
    ($part:ident.$key:ident: tls, $($rest:tt)+) => {
        row! { @ $part.$key {
            kind: "`off`, `auto` or `required`",
            parse: |c, r| set(&mut c.$part.$key, TlsUse::read(r)),
            show: |c| c.$part.$key.word().into(),
        } $($rest)+ }
    };
    ($part:ident.$key:ident: networks, $($rest:tt)+) => {
        row! { @ $part.$key {
            kind: "list of networks",
            parse: |c, r| set(&mut c.$part.$key, read_networks(r)),
            show: |c| networks(&c.$part.$key),
        } $($rest)+ }
    };
}

pub(super) use row;

pub(super) fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

pub(super) fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

pub(super) fn secret(value: Option<&Secret>) -> String {
    or_null(value, |_| "\"***\"".into())
}

/// Networks as they are shown: the word that stands for all or for the private ones, where it fits.
pub(super) fn networks(networks: &[Network]) -> String {
    if networks == Network::any() {
        "any".into()
    } else if networks == Network::private() {
        "private".into()
    } else {
        list(networks)
    }
}
