//! The declaration of settings: [`settings!`](crate::settings::settings) makes a struct, its defaults and its table of
//! [`Setting`]s of one list, so that each setting stands once.

use super::elsewhere::read_setting;
use super::kind::Kind;
use super::read::{Fields, Reader};

/// Declares the settings of a room:
///
/// ```ignore
/// settings! {
///     /// What the struct is for.
///     pub struct Settings {
///         /// Service names that are remembered.
///         max_services: usize = 100_000, count("names", 1, 10_000_000), restart;
///     }
/// }
/// ```
///
/// A setting has its text, key, type, default, and a [`Kind`] with unit and range. The text is both the documentation of
/// the field and what the reference says of the key: sentences in Markdown. What follows the kind are methods of
/// [`Setting`]: `restart` marks one that the daemon reads only once (all others apply at SIGHUP), `read_by(f)` one that
/// is read with an eye on others. Without a kind it is a field that no key sets.
///
/// This makes the struct with public fields, its `Default`, and `Settings::table()`.
macro_rules! settings {
    (
        $(#[$about:meta])+
        pub struct $Settings:ident {$(
            $(#[doc = $text:literal])+
            $key:ident: $type:ty = $default:expr
                $(, $kind:expr $(, $method:ident $(($argument:expr))?)*)?;
        )+}
    ) => {
        $(#[$about])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $Settings {$(
            $(#[doc = $text])+
            pub $key: $type,
        )+}

        impl Default for $Settings {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        impl $Settings {
            /// The settings, in the order of the reference.
            #[must_use]
            pub fn table() -> Vec<$crate::settings::Setting<Self>> {
                let mut table = Vec::new();
                $(
                    #[allow(unused_variables, reason = "of a field without a kind")]
                    let text = concat!($($text),+);
                    $(
                        let setting = $crate::settings::Setting::new(
                            stringify!($key),
                            text,
                            $kind,
                            |settings: &Self| &settings.$key,
                            |settings: &mut Self| &mut settings.$key,
                        );
                        table.push(setting $(.$method($($argument)?))*);
                    )?
                )+
                table
            }
        }
    };
}
pub(crate) use settings;

/// One key of the settings `S`: what people are told of it, and how its value is read and shown.
pub struct Setting<S> {
    /// The key.
    pub name: &'static str,
    /// Its type, in words for people.
    pub kind: &'static str,
    /// The unit of its values; empty when there is none.
    pub unit: &'static str,
    /// What it does and why one would change it: sentences on one line.
    pub doc: &'static str,
    /// Whether a change needs a restart: the daemon reads the value only once. All others apply at SIGHUP.
    pub restart: bool,
    /// Whether its value is never shown.
    pub secret: bool,
    value: Box<dyn FieldAccess<S>>,
}

/// The value of one key within settings `S`.
trait FieldAccess<S>: Send + Sync {
    /// Reads the value into the settings, or notes faults.
    fn read(&self, settings: &mut S, reader: &Reader<'_>);
    /// The value as YAML.
    fn show(&self, settings: &S) -> String;
    /// The number behind a limit.
    fn limit(&self, settings: &S) -> Option<f64>;
}

impl<S: 'static> Setting<S> {
    /// A setting that is a field of `S`.
    pub fn new<T: 'static>(
        name: &'static str,
        doc: &'static str,
        kind: Kind<T>,
        get: fn(&S) -> &T,
        get_mut: fn(&mut S) -> &mut T,
    ) -> Self {
        Self {
            name,
            kind: kind.words,
            unit: kind.unit,
            // The text of a doc comment begins with a space.
            doc: doc.trim_start(),
            restart: false,
            secret: kind.secret,
            value: Box::new(Field { kind, get, get_mut }),
        }
    }

    /// The same, where a change needs a restart.
    #[must_use]
    pub fn restart(self) -> Self {
        Self {
            restart: true,
            ..self
        }
    }

    /// The same, read by a function that sees the other settings, as far as they were read before it.
    #[must_use]
    pub(crate) fn read_by(self, read: fn(&mut S, &Reader<'_>)) -> Self {
        let value = self.value;
        Self {
            value: Box::new(ReadBy { value, read }),
            ..self
        }
    }

    /// The same setting of a whole that has `S` as a part.
    pub fn within<W: 'static>(
        self,
        get: fn(&W) -> &S,
        get_mut: fn(&mut W) -> &mut S,
    ) -> Setting<W> {
        Setting {
            name: self.name,
            kind: self.kind,
            unit: self.unit,
            doc: self.doc,
            restart: self.restart,
            secret: self.secret,
            value: Box::new(Part {
                value: self.value,
                get,
                get_mut,
            }),
        }
    }

    /// Reads the value into the settings, from wherever it stands, or notes faults.
    pub fn read(&self, settings: &mut S, fields: &Fields<'_>) {
        read_setting(self.name, self.secret, fields, |reader| {
            self.value.read(settings, reader);
        });
    }

    /// The value as YAML; settings that show the same have the same value (but for secrets).
    #[must_use]
    pub fn show(&self, settings: &S) -> String {
        self.value.show(settings)
    }

    /// The number behind a limit, in bytes, seconds or pieces, for `/metrics`; none when the key is no limit.
    #[must_use]
    pub fn limit(&self, settings: &S) -> Option<f64> {
        self.value.limit(settings)
    }
}

/// A field of a struct.
struct Field<S, T> {
    kind: Kind<T>,
    get: fn(&S) -> &T,
    get_mut: fn(&mut S) -> &mut T,
}

impl<S, T> FieldAccess<S> for Field<S, T> {
    fn read(&self, settings: &mut S, reader: &Reader<'_>) {
        // A setting at fault keeps its default, and reading goes on.
        if let Some(value) = (self.kind.read)(reader) {
            *(self.get_mut)(settings) = value;
        }
    }

    fn show(&self, settings: &S) -> String {
        (self.kind.show)((self.get)(settings))
    }

    fn limit(&self, settings: &S) -> Option<f64> {
        (self.kind.limit)((self.get)(settings))
    }
}

/// A value that is read with an eye on others.
struct ReadBy<S> {
    value: Box<dyn FieldAccess<S>>,
    read: fn(&mut S, &Reader<'_>),
}

impl<S> FieldAccess<S> for ReadBy<S> {
    fn read(&self, settings: &mut S, reader: &Reader<'_>) {
        (self.read)(settings, reader);
    }

    fn show(&self, settings: &S) -> String {
        self.value.show(settings)
    }

    fn limit(&self, settings: &S) -> Option<f64> {
        self.value.limit(settings)
    }
}

/// A value of settings `S` that are a part of `W`.
struct Part<S, W> {
    value: Box<dyn FieldAccess<S>>,
    get: fn(&W) -> &S,
    get_mut: fn(&mut W) -> &mut S,
}

impl<S, W> FieldAccess<W> for Part<S, W> {
    fn read(&self, settings: &mut W, reader: &Reader<'_>) {
        self.value.read((self.get_mut)(settings), reader);
    }

    fn show(&self, settings: &W) -> String {
        self.value.show((self.get)(settings))
    }

    fn limit(&self, settings: &W) -> Option<f64> {
        self.value.limit((self.get)(settings))
    }
}
