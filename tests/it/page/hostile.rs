//! What strangers may write on the page is text: it runs nothing, loads nothing, and looks like nothing of ours.

use serde_json::{Value, json};

use super::looks::unfold;
use super::situations::Host;
use crate::support::balancer::Balancer;
use crate::support::browser::{Browser, Tab};
use crate::support::daemon::Daemon;
use crate::support::upstream::{Upstream, http};
use crate::support::{PATIENCE, wait_until};

pub const IMAGE: &str = "<img src=x onerror=alert(1)>";
pub const SCRIPT: &str = "<script>alert(2)</script>";

#[test]
fn hostile_names_reasons_and_answers_are_text() {
    let browser = Browser::start();
    let page = "<html><title>x</title><img src=x onerror=alert(3)>";
    let mut host = Host::answering("500 <b>Oh", page).polled();
    let [api, _] = host.checks();
    let checks = [&api, "/tcp/made.up/1/$(reboot);'`id`"];
    let balancer = Balancer::start(host.daemon.address, "<b>lb9</b>", &checks);
    host.balancers.push(balancer);
    let reason = format!("{IMAGE} \u{202e}{SCRIPT}");
    let entry = json!({"reason": reason, "by": "<u>mallory</u>"}).to_string();
    host.daemon.spool.put("api", &entry);
    host.daemon.spool.put("a<b>$(reboot)", &entry);
    let tab = host.open(&browser);
    are_text(
        &tab,
        &[
            IMAGE,
            SCRIPT,
            "<u>mallory</u>",
            "<title>x</title>",
            "<b>lb9</b>",
            "a<b>$(reboot)",
        ],
    );
    // A command to copy is one word where a stranger chose it.
    shows_command(&tab, "haup 'a<b>$(reboot)'");
}

/// Checks that a page shows what strangers wrote, and that nothing became of it.
#[track_caller]
pub fn are_text(tab: &Tab, texts: &[&str]) {
    for text in texts {
        unfold(tab);
        tab.wait_for_text(text);
    }
    let kinds =
        "['img', 'u', 'iframe', 'script'].map(kind => document.querySelectorAll(kind).length)";
    assert_eq!(tab.value(kinds), json!([0, 0, 0, 1]));
    let turned = tab.value("document.body.textContent.includes('\\u202e')");
    assert_eq!(turned, false, "the direction of writing");
    assert_eq!(tab.console(), [""; 0]);
}

#[track_caller]
pub fn shows_command(tab: &Tab, command: &str) {
    let commands =
        tab.value("[...document.querySelectorAll('code')].map(code => code.textContent)");
    let commands = commands.as_array().unwrap();
    assert!(commands.contains(&Value::from(command)), "{commands:?}");
}

#[test]
fn the_page_asks_this_host_only() {
    let (browser, host) = (Browser::start(), Host::quiet().polled());
    let tab = host.open(&browser);
    tab.wait_for_text("all 2 services take traffic");
    let own = |name: &str| format!("http://{}/{name}", host.daemon.address);
    assert_eq!(
        requests(&tab),
        ["overview", "ui", "ui.css", "ui.js"].map(own)
    );
}

/// The addresses that a page has asked for.
pub fn requests(tab: &Tab) -> Vec<String> {
    let mut requests = tab.requests();
    requests.retain(|url| !url.starts_with("data:"));
    requests.sort();
    requests.dedup();
    requests
}

#[test]
fn the_browser_refuses_what_the_page_never_does() {
    let browser = Browser::start();
    let elsewhere = Upstream::answering("alert(4)");
    let daemon = Daemon::start();
    let tab = browser.open(&format!("http://{}/ui", daemon.address));
    tab.wait_for("document.title.includes(':')");
    let thrown = |code: &str| {
        let attempt = format!("try {{ {code}; 'worked' }} catch (e) {{ e.name }}");
        tab.value(&attempt)
    };
    assert_eq!(thrown("document.body.innerHTML = '<b>x'"), "TypeError");
    let script = "document.createElement('script').src = 'ui.js'";
    assert_eq!(thrown(script), "TypeError");
    assert_eq!(thrown("eval('1')"), "EvalError");
    let fetched = format!(
        "fetch('http://{}/').then(() => 'worked', e => e.name)",
        elsewhere.address
    );
    assert_eq!(tab.value(&fetched), "TypeError");
    assert_eq!(elsewhere.seen(), [""; 0]);
    tab.value(
        "const text = document.createElement('p');
         text.setAttribute('style', 'color: red');
         const frame = document.createElement('iframe');
         frame.src = 'ui';
         document.body.append(text, frame)",
    );
    for refusal in [
        "style-src",
        "default-src",
        "connect-src",
        "TrustedHTML",
        "TrustedScriptURL",
    ] {
        wait_for_console(&tab, refusal);
    }
}

#[test]
fn another_page_can_neither_run_a_services_answer_nor_frame_this_one() {
    let browser = Browser::start();
    let script = Upstream::start(|_| Some(http("200 OK", "window.ran = true")));
    let daemon = Daemon::start();
    let address = daemon.address;
    let relayed = format!("http://{address}/http/x/{}/", script.port());
    let body = format!("<iframe src=http://{address}/ui></iframe><script src={relayed}></script>");
    let page = Upstream::start(move |_| Some(http("200 OK\r\nContent-Type: text/html", &body)));
    let tab = browser.open(&format!("http://{}/", page.address));
    wait_for_console(&tab, "frame-ancestors");
    // Which is only so once the script was there, and is none by its type.
    tab.wait_for("document.readyState === 'complete'");
    assert_eq!(script.seen().len(), 1);
    assert_eq!(tab.value("window.ran === undefined"), true);
}

/// Waits until the browser says that it refused something.
#[track_caller]
fn wait_for_console(tab: &Tab, text: &str) {
    let mut console = vec![];
    let what = format!("{text} in the console");
    wait_until(PATIENCE, &what, || {
        console = tab.console();
        console.iter().any(|entry| entry.contains(text))
    });
}
