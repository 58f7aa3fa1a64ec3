//! The options of an applet, as all generators see them.

use argh::FlagInfoKind;
use hacheck::applet::Applet;

/// One option.
pub struct Opt {
    pub short: Option<char>,
    /// With its two dashes.
    pub long: String,
    /// The name of its value, in lower case; none for a switch.
    pub value: Option<String>,
    pub about: String,
}

impl Opt {
    /// `-c/--config-file FILE`.
    pub fn spelled(&self) -> String {
        let short = self.short.map(|c| format!("-{c}/")).unwrap_or_default();
        let value = self.value.as_ref().map(|v| format!(" {}", v.to_uppercase())).unwrap_or_default();
        format!("{short}{}{value}", self.long)
    }
}

/// All of an applet, but for `--help` and `--version`, which every applet has.
pub fn of(applet: &Applet) -> Vec<Opt> {
    let option = |flag: &argh::FlagInfo<'_>| Opt {
        short: flag.short,
        long: flag.long.to_owned(),
        value: match flag.kind {
            FlagInfoKind::Switch => None,
            FlagInfoKind::Option { arg_name } => Some(arg_name.to_lowercase()),
        },
        about: flag.description.to_owned(),
    };
    let info = (applet.info)();
    info.flags.iter().filter(|f| !f.hidden && f.long != "--help").map(option).collect()
}
