//! The setting `pollers`: what `--wait` knows of pollers that do not say what they see.

use std::fs;
use std::process::Stdio;

use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::waiting::ended_while;
use crate::support::{Ran, TempDir, run};

fn poll(daemon: &Daemon, service: &str, user_agent: &str) {
    daemon.get_with(
        &format!("/spool/{service}/1"),
        &[("User-Agent", user_agent)],
    );
}

/// `hadown --wait` of a service, for a second at the most.
fn down(daemon: &Daemon, service: &str) -> Ran {
    let port = daemon.address.port().to_string();
    let wait = ["--wait", "--min-pollers", "0", "--timeout", "1", "-r", "x"];
    daemon.run(
        "hadown",
        &[&["-p", &port], &wait[..], &["--force", service]].concat(),
    )
}

/// The same while a poller asks again and again.
fn down_while_polled(daemon: &Daemon, options: &[&str], user_agent: &str) -> Ran {
    let port = daemon.address.port().to_string();
    let wait = ["--wait", "--min-pollers", "0", "-r", "x", "web"];
    let args = [&["-p", &port], options, &wait].concat();
    let mut command = daemon.spool.command("hadown", &args);
    let waiting = command.stderr(Stdio::piped()).spawn().unwrap();
    ended_while(waiting, || poll(daemon, "web", user_agent))
}

#[test]
fn a_monitor_that_the_configuration_names_never_holds_anything_up_from_the_reload_on() {
    let daemon = Daemon::with_config("log_level: info\n");
    poll(&daemon, "web", "ELB-HealthChecker/2.0");
    down(&daemon, "web").code_is(1);
    daemon.reload(
        "pollers: [{user_agent: ELB-, counts: false}]\n",
        "configuration read from",
    );
    down(&daemon, "web").code_is(0);
    let port = daemon.address.port().to_string();
    let listed = daemon.run("halist", &["-p", &port, "--pollers"]).out;
    assert!(
        listed.contains("(not waited for, by the setting pollers)"),
        "{listed}"
    );
    // Some are built in.
    poll(&daemon, "api", "Blackbox Exporter/0.25.0");
    down(&daemon, "api").code_is(0);
}

#[test]
fn a_slow_monitor_beside_a_balancer_is_waited_for_unless_the_configuration_says_that_it_is_none() {
    for (counts, code) in [("yes", 1), ("no", 0)] {
        let daemon = Daemon::with_config(&format!(
            "pollers:\n- {{user_agent: odd, polls_down: 1, counts: yes}}\n\
             - {{user_agent: monitor, interval: 30, counts: {counts}}}\n"
        ));
        poll(&daemon, "web", "monitor");
        poll(&daemon, "web", "odd");
        let ran = down_while_polled(&daemon, &["--timeout", "3"], "odd");
        ran.is_with(code, "", "127.0.0.1 odd: done, told 503 often enough");
        assert_eq!(ran.err.contains("monitor: "), code == 1, "{}", ran.err);
    }
}

#[test]
fn a_poller_with_a_configured_interval_is_waited_for_from_its_first_poll() {
    let daemon = Daemon::with_config(
        "pollers: [{service: 'web*', user_agent: odd, interval: 30}, {service: api, counts: yes}]\n",
    );
    for (service, user_agent, code) in [
        ("web1", "odd/1", 1),
        ("web1", "other", 1),
        ("web2", "other", 0),
        ("mail", "odd/1", 0),
        // A person's tool too, where the configuration says so.
        ("api", "curl/8", 1),
    ] {
        poll(&daemon, service, user_agent);
        assert_eq!(
            down(&daemon, service).code,
            Some(code),
            "{service} {user_agent}"
        );
    }
}

#[test]
fn the_first_rule_that_fits_says_how_often_a_balancer_must_be_told_and_polls_overrides_it() {
    let daemon = Daemon::with_config(
        "pollers:\n- {from: 192.0.2.0/24, polls_down: 9}\n- {user_agent: odd, service: web, polls_down: 1}\n\
         - {user_agent: odd, polls_down: 7, polls_up: 7}\n- {user_agent: Envoy, polls_up: 2}\n",
    );
    for user_agent in ["odd", "Envoy/HC", "other"] {
        poll(&daemon, "web", user_agent);
    }
    let page = daemon.get("/pollers").json();
    let expected = |index: usize| page["pollers"][index]["expected"].clone();
    let of_envoy = json!({"polls_down": 1, "polls_up": 2, "interval": 60.0, "counts": null});
    let of_odd = json!({"polls_down": 1, "polls_up": null, "interval": null, "counts": null});
    assert_eq!((expected(0), expected(1)), (of_envoy, of_odd), "{page}");
    let polls_on =
        Daemon::with_config("pollers: [{user_agent: odd, polls_down: 1, counts: yes}]\n");
    (0..5).for_each(|_| poll(&polls_on, "web", "odd"));
    let ran = down_while_polled(&polls_on, &[], "odd");
    ran.is_with(0, "", "127.0.0.1 odd: done, told 503 often enough");
    assert!(!ran.err.contains(" of 3 times"), "{}", ran.err);
    // More than come between two looks of `hadown`, on a busy host too.
    let ran = down_while_polled(&polls_on, &["--polls", "400"], "odd");
    ran.is_with(0, "", " of 400 times");
}

#[test]
fn polls_that_are_closer_together_than_the_configured_interval_do_not_shorten_it() {
    for (rule, is_short) in [("interval: 30", false), ("polls_down: 9", true)] {
        let daemon = Daemon::with_config(&format!("pollers: [{{user_agent: ELB, {rule}}}]\n"));
        // Machines that poll from one address, one after the other.
        (0..4).for_each(|_| poll(&daemon, "web", "ELB-HealthChecker/2.0"));
        let page = daemon.get("/pollers").json();
        let interval = page["pollers"][0]["interval"].as_f64().unwrap();
        assert_eq!(interval < 30.0, is_short, "{rule}: {page}");
    }
}

#[test]
fn the_rules_are_shown_with_what_is_built_in_and_read_back_as_they_were() {
    let folder = TempDir::new();
    let file = folder.path().join("hacheck.yml");
    let shown = |text: &str| {
        fs::write(&file, text).unwrap();
        let ran = run("hacheck", &["config", "-c", file.to_str().unwrap()]);
        ran.code_is(0);
        ran.out
    };
    let rule = "pollers: [{from: [\"10.0.0.0/8\"], user_agent: nerve, polls_down: 6}]";
    let text = shown(&format!("{rule}\n"));
    for line in [
        rule,
        "# - {user_agent: Envoy/HC, polls_down: 1, interval: 60}",
        "# - {user_agent: \"Blackbox Exporter/\", counts: false}",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(shown(&text), text);
}
