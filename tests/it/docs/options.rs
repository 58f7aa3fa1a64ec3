//! The options of an applet, as all generators see them.

use argh::FlagInfoKind;
use hacheck::cli::{Applet, may_lack_value};

/// One option.
pub struct Opt {
    pub short: Option<char>,
    /// With its two dashes.
    pub long: String,
    /// The name of its value, in lower case; none for a switch.
    pub value: Option<String>,
    /// The value may be left out; else it stands behind `=`.
    pub may_lack_value: bool,
    pub about: String,
}

impl Opt {
    /// `-c/--config-file FILE`.
    pub fn spelled(&self) -> String {
        let short = self.short.map(|c| format!("-{c}/")).unwrap_or_default();
        let value = self.value.as_ref().map(|v| match self.may_lack_value {
            true => format!("[={v}]"),
            false => format!(" {}", v.to_uppercase()),
        });
        let value = value.unwrap_or_default();
        format!("{short}{}{value}", self.long)
    }
}

/// Those that an applet shows, but for `--help` and `--version`, which every applet has.
pub fn of(applet: &Applet) -> Vec<Opt> {
    let flags = applet.options();
    flags.map(|flag| shown(applet, flag)).collect()
}

/// Those that an applet takes, shown or not.
pub fn taken(applet: &Applet) -> Vec<Opt> {
    (applet.info)().flags.iter().map(option).collect()
}

/// An option as this applet shows it.
fn shown(applet: &Applet, flag: &'static argh::FlagInfo<'static>) -> Opt {
    let option = option(flag);
    let takes_value = !option.may_lack_value || applet.optional_value(flag).is_some();
    Opt {
        value: option.value.filter(|_| takes_value),
        about: applet.description(flag).to_owned(),
        ..option
    }
}

fn option(flag: &argh::FlagInfo<'_>) -> Opt {
    Opt {
        short: flag.short,
        long: flag.long.to_owned(),
        value: match flag.kind {
            FlagInfoKind::Switch => None,
            FlagInfoKind::Option { arg_name } => Some(arg_name.to_lowercase()),
        },
        may_lack_value: may_lack_value(flag),
        about: flag.description.to_owned(),
    }
}
