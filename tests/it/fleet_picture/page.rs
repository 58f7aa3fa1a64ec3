//! The page in a real browser.

use nix::sys::signal::Signal;
use serde_json::json;

use super::scene::Scene;
use super::site::Site;
use crate::page::hostile::{IMAGE, SCRIPT, are_text, requests, shows_command};
use crate::page::live::{COUNT, IS_STALE, WATCH, refreshed};
use crate::page::looks::can_be_read;
use crate::support::browser::{Browser, Tab};

#[test]
fn every_situation_can_be_read_in_both_themes_at_all_widths() {
    let browser = Browser::start();
    for (name, scene, says) in [
        (
            "fleet-well",
            Scene::quiet(),
            "Every service has all its hosts.",
        ),
        ("fleet-down", Scene::one_down(), "web02 is down."),
        ("fleet-busy", Scene::busy(), "web05 is lost."),
        (
            "fleet-lost-orders",
            Scene::wiped(),
            "Hosts hold orders that etcd has lost.",
        ),
    ] {
        let site = Site::start(&scene, &[]);
        let tab = site.open(&browser);
        tab.wait_for_text(says);
        if name == "fleet-busy" {
            tab.wait_for_text("api, at most 1 down: 1 of 3 hosts done, 1 under way, 1 waiting; run by bob@ops2, for ");
        }
        can_be_read(&tab, name);
    }
}

#[test]
fn an_engine_that_is_away_is_the_loudest_state_until_it_is_back() {
    let (browser, mut scene) = (Browser::start(), Scene::busy());
    let site = Site::start(&scene, &[]);
    let tab = site.open(&browser);
    tab.wait_for_text("web05 is lost.");
    tab.value(WATCH);
    scene.kill_all();
    tab.wait_for(IS_STALE);
    tab.wait_for("since !== null");
    let since = tab.value("parseFloat(since.match(/[0-9.]+/)[0])");
    assert!(since.as_f64() < Some(11.0), "no news for {since} s");
    tab.wait_for_text("etcd cannot be read. What stands here is old.");
    tab.wait_for("document.title.includes('etcd cannot be read')");
    // What was known stays.
    tab.wait_for_text("new disk");
    can_be_read(&tab, "fleet-away");
    (0..crate::support::etcd::MEMBERS).for_each(|member| scene.etcd.start_member(member));
    tab.wait_for(&format!("!({IS_STALE})"));
    tab.wait_for_text("web05 is lost.");
}

#[test]
fn a_page_whose_server_is_gone_says_so() {
    let (browser, scene) = (Browser::start(), Scene::quiet());
    let site = Site::start(&scene, &[]);
    let tab = site.open(&browser);
    tab.wait_for_text("Every service has all its hosts.");
    tab.value(WATCH);
    site.process.signal(Signal::SIGKILL);
    tab.wait_for(IS_STALE);
    tab.wait_for("since !== null");
    let since = tab.value("parseFloat(since.match(/[0-9.]+/)[0])");
    assert!(since.as_f64() < Some(11.0), "no news for {since} s");
    tab.wait_for_text("hacheck fleet does not answer. What stands here is old.");
}

#[test]
fn hostile_names_reasons_and_tags_are_text() {
    let browser = Browser::start();
    let scene = Scene::empty()
        .host(
            "web01",
            "<b>zone</b>",
            &json!({
                "services": [IMAGE, "$(reboot)"], "version": SCRIPT, "port": 81,
                "problems": ["<iframe src=/>"], "tags": {"<u>": "<i>x</i>"},
            }),
        )
        .reports(
            "web01",
            IMAGE,
            "local",
            "<u>mallory</u>",
            &format!("{SCRIPT} \u{202e}x"),
        )
        .slot("web01", "$(reboot)", "<b>r-1</b>");
    scene.put("hosts/<b>evil<b>", "{}");
    let site = Site::start(&scene, &[]);
    let tab = site.open(&browser);
    tab.wait_for_text(SCRIPT);
    are_text(
        &tab,
        &[
            IMAGE,
            "<u>mallory</u>",
            "<iframe src=/>",
            "<u>=<i>x</i>",
            "<b>r-1</b>",
            "<b>evil<b>",
        ],
    );
    shows_command(&tab, "hastatus --fleet '$(reboot)'");
}

#[test]
fn the_page_asks_this_host_only_and_leads_to_the_pages_of_hosts() {
    let (browser, scene) = (
        Browser::start(),
        Scene::quiet().host("web04", "b", &json!({"port": 0})),
    );
    let site = Site::start(&scene, &[]);
    let tab = site.open(&browser);
    tab.wait_for_text("Every service has all its hosts.");
    let own = |name: &str| format!("http://{}/{name}", site.address);
    assert_eq!(
        requests(&tab),
        ["", "fleet.css", "fleet.js", "fleet.json?text="].map(own)
    );
    let links =
        tab.value("[...document.querySelectorAll('#hosts a')].map(a => a.getAttribute('href'))");
    let page = |host: &str| json!(format!("http://{host}:3333/ui"));
    assert_eq!(
        links,
        json!([page("web01"), page("web02"), page("web03"), null])
    );
}

#[test]
fn nothing_is_replaced_or_read_out_while_nothing_changes() {
    let (browser, mut scene) = (Browser::start(), Scene::busy());
    let site = Site::start(&scene, &[]);
    let tab = site.open(&browser);
    tab.wait_for_text("web05 is lost.");
    let fold = "[...document.querySelectorAll('details')].find(d => d.dataset.key === 'api')";
    tab.value(&format!(
        "{fold}.open = false; {fold}.firstElementChild.focus()"
    ));
    tab.press_enter();
    tab.wait_for(&format!("{fold}.open"));
    tab.wait_for_text("hastatus --fleet api");
    tab.value(COUNT);
    refreshed(&tab, 4);
    assert_eq!(tab.value("changed"), json!([]));
    assert_eq!(tab.value("announced"), 0);
    scene = scene
        .host("api03", "c", &json!({"services": ["api"]}))
        .lost("api01");
    tab.wait_for_text("api01 and web05 are lost.");
    assert_eq!(
        tab.value(&format!(
            "document.activeElement === {fold}.firstElementChild"
        )),
        true
    );
    assert_eq!(tab.value(&format!("{fold}.open")), true);
    drop(scene);
}

#[test]
fn many_hosts_are_counted_and_a_text_finds_each() {
    let browser = Browser::start();
    let mut scene = Scene::quiet();
    for n in 10..40 {
        scene = scene.host(&format!("db{n}"), "c", &json!({"services": ["db"]}));
    }
    scene = scene.lost("db17");
    let site = Site::start(&scene, &[]);
    let tab = site.open(&browser);
    tab.wait_for_text("db17 is lost.");
    assert_eq!(shown(&tab), json!(["db17"]));
    tab.wait_for_text("and 32 more hosts, all up");
    search(&tab, "DB3");
    tab.wait_for_text("23 hosts do not hold that text");
    assert_eq!(
        tab.value("document.querySelectorAll('#hosts li').length"),
        10
    );
    search(&tab, "zone=a");
    tab.wait_for_text("31 hosts do not hold that text");
    assert_eq!(shown(&tab), json!(["web01", "web02"]));
    search(&tab, "nobody");
    tab.wait_for_text("33 hosts do not hold that text");
    assert_eq!(shown(&tab), json!([]));
}

fn shown(tab: &Tab) -> serde_json::Value {
    tab.value("[...document.querySelectorAll('#hosts a')].map(a => a.textContent)")
}

fn search(tab: &Tab, text: &str) {
    tab.value(&format!(
        "document.getElementById('filter').value = '{text}';
         document.getElementById('filter').dispatchEvent(new Event('input'))"
    ));
}
