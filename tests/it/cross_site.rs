//! Web pages of other sites cannot make a browser change the spool; tools, and pages of this host, can.

use crate::support::client::Response;
use crate::support::daemon::Daemon;

const CONFIG: &str = "allow_remote_spool_changes: yes\n";

const FOREIGN: &str = "a web page of another site";

fn post(daemon: &Daemon, status: &str, headers: &[(&str, &str)]) -> Response {
    let path = format!("/spool/all/0?status={status}&reason=why");
    daemon.request("POST", &path, headers)
}

#[test]
fn a_page_of_another_site_takes_nothing_down_and_lifts_nothing() {
    let daemon = Daemon::with_config(CONFIG);
    let port = daemon.address.port();
    let foreign_on_our_port = format!("http://pages.example:{port}");
    let other_port_of_ours = format!("http://127.0.0.1:{}", port ^ 1);
    let refused = [
        ("Origin", "https://pages.example"),
        ("Origin", &foreign_on_our_port),
        ("Origin", &other_port_of_ours),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ];
    for header in refused {
        post(&daemon, "down", &[header]).says(403, FOREIGN);
    }
    // A page whose name was pointed here by its own name server.
    let host = format!("pages.example:{port}");
    let rebound = [("Host", host.as_str()), ("Origin", &foreign_on_our_port)];
    post(&daemon, "down", &rebound).says(403, FOREIGN);
    assert!(daemon.spool.files().is_empty());
    post(&daemon, "down", &[]).is(200, "");
    for header in refused {
        post(&daemon, "up", &[header]).says(403, FOREIGN);
    }
    assert_eq!(daemon.spool.files(), ["all"]);
    assert_eq!(
        daemon.logged("refused a spool change of all from 127.0.0.1: a web page"),
        1
    );
}

#[test]
fn a_page_of_this_host_may_change_the_spool() {
    let daemon = Daemon::with_config(CONFIG);
    let port = daemon.address.port();
    let name = nix::unistd::gethostname().unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", name.to_str().unwrap()] {
        let origin = format!("http://{host}:{port}");
        let headers = [
            ("Origin", origin.as_str()),
            ("Sec-Fetch-Site", "same-origin"),
        ];
        post(&daemon, "down", &headers).is(200, "");
    }
    post(&daemon, "up", &[("Sec-Fetch-Site", "none")]).is(200, "");
}

#[test]
fn a_page_behind_a_proxy_of_page_hosts_may_change_the_spool() {
    let daemon = Daemon::with_config(&format!("{CONFIG}page_hosts: [pages.proxy.example]\n"));
    let proxied = ("Origin", "https://pages.proxy.example");
    let same = ("Sec-Fetch-Site", "same-origin");
    post(&daemon, "down", &[proxied, same]).is(200, "");
    let other_port = ("Origin", "https://pages.proxy.example:8443");
    post(&daemon, "up", &[other_port]).says(403, FOREIGN);
    assert_eq!(daemon.spool.files(), ["all"]);
}

#[test]
fn spool_changes_without_tokens_are_warned_about_at_the_start() {
    let daemon = Daemon::with_config(CONFIG);
    daemon.wait_for_log(
        "can take every service of this host out of rotation; set remote_spool_tokens",
    );
    let quiet = Daemon::with_config("cache_time: 1\n");
    assert_eq!(quiet.logged("out of rotation"), 0);
}
