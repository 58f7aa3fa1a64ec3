//! The page while things change: what is new appears, what is not stays as it is.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use super::situations::Host;
use crate::support::browser::{Browser, Tab};

pub const IS_STALE: &str = "document.getElementById('head').className === 'stale'";

/// Counts elements that come or go, and what is read out.
pub const COUNT: &str = r"
    window.changed = [];
    window.announced = 0;
    const isElement = node => node.nodeType === Node.ELEMENT_NODE;
    new MutationObserver(changes => {
        const nodes = changes.flatMap(change => [...change.addedNodes, ...change.removedNodes]);
        changed.push(...nodes.filter(isElement).map(node => node.outerHTML));
    }).observe(document.body, {childList: true, subtree: true});
    new MutationObserver(() => { announced += 1; })
        .observe(document.getElementById('live'), {childList: true, characterData: true, subtree: true});
";

/// Remembers for how long there was no answer when the page first said so.
pub const WATCH: &str = r"
    window.since = null;
    new MutationObserver(() => {
        const head = document.getElementById('head');
        if (head.className === 'stale') since ??= document.getElementById('fresh').textContent;
    }).observe(document.getElementById('head'), {attributes: true});
";

#[test]
fn a_killed_daemon_is_the_loudest_state_until_it_is_back() {
    let (browser, host) = (Browser::start(), Host::quiet().polled());
    let tab = host.open(&browser);
    tab.wait_for_text("all 2 services take traffic");
    tab.value(WATCH);
    host.daemon.process.signal(Signal::SIGKILL);
    tab.wait_for(IS_STALE);
    tab.wait_for("since !== null");
    let since = tab.value("parseFloat(since.match(/[0-9.]+/)[0])");
    assert!(since.as_f64() < Some(11.0), "no answer for {since} s");
    let title = tab.value("document.title");
    let title = title.as_str().unwrap();
    assert!(title.contains("hacheck does not answer"), "{title}");
    let Host { daemon, .. } = host;
    let _again = daemon.start_again();
    tab.wait_for(&format!("!({IS_STALE})"));
    tab.wait_for_text("hacheck started");
}

#[test]
fn nothing_is_replaced_or_read_out_while_nothing_changes() {
    let (browser, host) = (Browser::start(), Host::quiet().polled());
    host.daemon.run("hadown", &["-r", "new disk", "web"]);
    let tab = host.open(&browser);
    tab.wait_for_text("web is down by hand");
    focus(&tab, "api");
    tab.press_enter();
    tab.wait_for(&is_open("api", true));
    tab.wait_for_text("hadown --wait=drained");
    tab.value(COUNT);
    // Four answers: time itself is what must change nothing.
    refreshed(&tab, 4);
    assert_eq!(tab.value("changed"), json!([]));
    assert_eq!(tab.value("announced"), 0);
    assert_eq!(tab.value(&has_focus("api")), true);
    assert_eq!(tab.value(&is_open("api", true)), true);
}

#[test]
fn focus_and_folds_outlive_a_change() {
    let (browser, host) = (Browser::start(), Host::quiet().polled());
    let tab = host.open(&browser);
    tab.wait_for_text("all 2 services take traffic");
    focus(&tab, "web");
    tab.press_enter();
    tab.wait_for(&is_open("web", true));
    focus(&tab, "api");
    // Its service moves to the top, being the worst.
    host.daemon.run("hadown", &["-r", "new disk", "web"]);
    tab.wait_for_text("web is down by hand");
    assert_eq!(tab.value(&has_focus("api")), true);
    assert_eq!(tab.value(&is_open("web", true)), true);
    focus(&tab, "web");
    tab.press_enter();
    tab.wait_for(&is_open("web", false));
    refreshed(&tab, 2);
    assert_eq!(
        tab.value(&is_open("web", false)),
        true,
        "it folds out again"
    );
    assert_eq!(tab.value(&has_focus("web")), true);
    tab.wait_for_text("Down: web by ");
}

#[test]
fn the_verdict_is_read_out_once_when_it_changes() {
    let (browser, host) = (Browser::start(), Host::quiet().polled());
    let tab = host.open(&browser);
    tab.wait_for_text("all 2 services take traffic");
    tab.value(COUNT);
    host.daemon.run("hadown", &["-r", "new disk", "api"]);
    let live = "document.getElementById('live').textContent";
    tab.wait_for(&format!("{live}.includes('api is down by hand')"));
    refreshed(&tab, 2);
    let last = tab.value("announced");
    refreshed(&tab, 2);
    assert_eq!(tab.value("announced"), last);
    assert!(last.as_u64() < Some(4), "leaving, down: not {last} times");
}

#[test]
fn a_name_shows_only_the_services_that_hold_it() {
    let (browser, host) = (Browser::start(), Host::quiet().polled());
    let names = ["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "b9"];
    for name in names {
        host.daemon.run("hadown", &["-r", "x", name]);
    }
    let tab = host.open(&browser);
    tab.wait_for("document.getElementById('filter')?.hidden === false");
    tab.value(
        "const filter = document.getElementById('filter');
         filter.value = 'B9';
         filter.dispatchEvent(new Event('input'))",
    );
    let shown = "[...document.querySelectorAll('.name')].filter(n => n.checkVisibility()).map(n => n.textContent)";
    assert_eq!(tab.value(shown), json!(["b9"]));
}

/// A service's fold, as an expression.
fn fold(service: &str) -> String {
    format!("[...document.querySelectorAll('details')].find(d => d.dataset.key === '{service}')")
}

fn focus(tab: &Tab, service: &str) {
    tab.value(&format!("{}.firstElementChild.focus()", fold(service)));
}

fn has_focus(service: &str) -> String {
    format!(
        "document.activeElement === {}.firstElementChild",
        fold(service)
    )
}

fn is_open(service: &str, open: bool) -> String {
    format!("{}.open === {open}", fold(service))
}

/// Waits for so many answers.
pub fn refreshed(tab: &Tab, answers: usize) {
    let is_question = |url: &&String| url.ends_with("/overview") || url.contains("/fleet.json");
    let asked = || tab.requests().iter().filter(is_question).count();
    let before = asked();
    crate::support::wait_until(Duration::from_secs(60), "the page asks", || {
        // One more, as the last one may not be answered yet.
        asked() > before + answers
    });
}
