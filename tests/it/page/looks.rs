//! How the page looks in every situation: contrast, width, names for whoever cannot see it.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::situations::SITUATIONS;
use crate::support::browser::{Browser, Tab};

/// Text and its ground differ at least so much (WCAG 2, 1.4.3).
const CONTRAST: f64 = 4.5;

const WIDTHS: [u32; 4] = [320, 390, 768, 1280];

/// Gives the texts with the least contrast to what is behind them, as `[ratio, text]`.
const LEAST_CONTRAST: &str = include_str!("contrast.js");

/// Gives what reaches out of the window.
const TOO_WIDE: &str = r"
    [...document.querySelectorAll('body *')]
        .filter(node => node.checkVisibility() && node.getBoundingClientRect().right > innerWidth + 0.5)
        .map(node => node.localName + ' ' + node.textContent.slice(0, 40))";

/// Set to a folder, it is filled with pictures of all situations, to be looked at.
const PICTURES: &str = "HACHECK_PICTURES";

#[test]
fn every_situation_can_be_read_in_both_themes_at_all_widths() {
    let browser = Browser::start();
    for situation in &SITUATIONS {
        let mut host = (situation.host)();
        let tab = host.open(&browser);
        tab.wait_for("document.title.includes(':')");
        (situation.then)(&mut host);
        tab.wait_for_text(situation.says);
        can_be_read(&tab, situation.name);
    }
}

/// Checks a page in both themes at all widths.
#[track_caller]
pub fn can_be_read(tab: &Tab, name: &str) {
    for theme in ["light", "dark"] {
        tab.theme(theme);
        picture(tab, name, theme);
        unfold(tab);
        let least = tab.value(LEAST_CONTRAST);
        let ratio = least[0][0].as_f64().unwrap();
        assert!(ratio >= CONTRAST, "{name}, {theme}: {least}");
        for width in WIDTHS {
            tab.resize(width, 900);
            assert_eq!(tab.value(TOO_WIDE), json!([]), "{name} at {width}");
        }
    }
    has_names(tab, name);
    assert_eq!(unexpected(tab), [""; 0], "{name}");
}

pub fn unfold(tab: &Tab) {
    tab.value("document.querySelectorAll('details').forEach(fold => { fold.open = true; })");
    let filled =
        "[...document.querySelectorAll('details')].every(fold => fold.querySelector('code'))";
    tab.wait_for(filled);
}

/// What the console holds besides that a dead daemon cannot be reached.
fn unexpected(tab: &Tab) -> Vec<String> {
    let mut console = tab.console();
    console.retain(|entry| !entry.contains("ERR_CONNECTION_REFUSED"));
    console
}

/// Whatever can be used, and every picture, has a name.
fn has_names(tab: &Tab, situation: &str) {
    const ROLES: [&str; 8] = [
        "DisclosureTriangle",
        "button",
        "image",
        "img",
        "link",
        "progressbar",
        "searchbox",
        "table",
    ];
    tab.command("Accessibility.enable", &json!({}));
    let tree = tab.command("Accessibility.getFullAXTree", &json!({}));
    let text = |node: &Value, what: &str| node[what]["value"].as_str().map(str::to_owned);
    let mut seen = 0;
    for node in tree["nodes"].as_array().unwrap() {
        let role = text(node, "role").unwrap_or_default();
        if node["ignored"] == true || !ROLES.contains(&role.as_str()) {
            continue;
        }
        seen += 1;
        let name = text(node, "name").unwrap_or_default();
        assert!(
            !name.is_empty(),
            "{situation}: a {role} without a name: {node}"
        );
    }
    assert!(seen > 5, "{situation}: {seen} nodes");
}

fn picture(tab: &Tab, situation: &str, theme: &str) {
    let Some(folder) = std::env::var_os(PICTURES).map(PathBuf::from) else {
        return;
    };
    for width in [390, 1280] {
        tab.resize(width, 900);
        tab.picture(&folder.join(format!("{situation}-{width}-{theme}.png")));
    }
}
