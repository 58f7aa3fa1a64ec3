//! `/metrics`: what the families tell, and whose words may stand in their labels.

use crate::support::daemon::Daemon;
use crate::support::unix_now;
use crate::support::upstream::{Upstream, http};

/// Polls as a balancer does that sees `view`, with so many sessions.
fn poll(daemon: &Daemon, path: &str, node: &str, view: &str, sessions: u32) {
    let state = format!(
        "{view}; address=127.0.0.1; port=80; name=back/s1; node={node}; weight=1/2; scur={sessions}/9; qcur=0"
    );
    daemon.get_with(path, &[("X-Haproxy-Server-State", &state)]);
}

fn poll_steadily(daemon: &Daemon, path: &str) {
    for _ in 0..6 {
        poll(daemon, path, "lb1", "UP", 3);
    }
}

fn metrics(daemon: &Daemon) -> String {
    daemon.get("/metrics").body
}

#[test]
fn downtimes_are_told_by_their_names_in_the_spool_with_begin_and_end() {
    let daemon = Daemon::start();
    assert_eq!(daemon.metric("hacheck_host_down"), 0.0);
    let end = format!("{}", unix_now() + 3600.0);
    daemon
        .run("hadown", &["-r", "x", "-e", &end, "web:8080"])
        .is(0, "");
    daemon.run("hadown", &["-r", "x", "all"]).is(0, "");
    let name = "{name=\"web:8080\"}";
    let created = daemon.metric(&format!("hacheck_downtime_created_timestamp_seconds{name}"));
    assert!((unix_now() - created).abs() < 60.0, "{created}");
    let expires = daemon.metric(&format!("hacheck_downtime_expires_timestamp_seconds{name}"));
    assert!((expires - end.parse::<f64>().unwrap()).abs() < 1.0);
    assert_eq!(daemon.metric("hacheck_host_down"), 1.0);
    let page = metrics(&daemon);
    assert!(!page.contains("expires_timestamp_seconds{name=\"all\"}"));
    daemon.run("haup", &["all", "web:8080"]).is(0, "");
    assert_eq!(daemon.metric("hacheck_host_down"), 0.0);
    assert!(!metrics(&daemon).contains(name));
}

#[test]
fn the_state_of_a_service_is_told_once_it_is_polled_steadily() {
    let daemon = Daemon::start();
    poll_steadily(&daemon, "/spool/web/80");
    daemon.get("/spool/stranger/80");
    let state = |service: &str, state: &str| {
        daemon.metric(&format!(
            "hacheck_service_state{{service=\"{service}\",state=\"{state}\"}}"
        ))
    };
    assert_eq!((state("web", "in"), state("web", "down")), (1.0, 0.0));
    assert!(!metrics(&daemon).contains("stranger"));
    daemon.run("hadown", &["-r", "x", "web"]).is(0, "");
    poll(&daemon, "/spool/web/80", "lb1", "UP", 3);
    assert_eq!((state("web", "in"), state("web", "leaving")), (0.0, 1.0));
    poll(&daemon, "/spool/web/80", "lb1", "DOWN", 0);
    assert_eq!((state("web", "leaving"), state("web", "down")), (0.0, 1.0));
}

#[test]
fn services_beyond_metrics_services_are_left_out_and_those_polled_most_stay() {
    let daemon = Daemon::with_config("metrics_services: 1\n");
    for made_up in 0..20 {
        poll_steadily(&daemon, &format!("/spool/a{made_up}/80"));
    }
    // Last: who has not polled for some intervals is forgotten.
    poll_steadily(&daemon, "/spool/web/80");
    poll_steadily(&daemon, "/spool/web/80");
    let page = metrics(&daemon);
    let states = page
        .lines()
        .filter(|l| l.starts_with("hacheck_service_state{"));
    assert_eq!(states.count(), 7, "{page}");
    // Which state it is in depends on how long the other polls took.
    assert!(
        page.contains("hacheck_service_state{service=\"web\",state=\"in\"}"),
        "{page}"
    );
    let none = Daemon::with_config("metrics_services: 0\n");
    poll_steadily(&none, "/spool/web/80");
    assert!(!metrics(&none).contains("service_state{"));
}

#[test]
fn what_polls_from_outside_pollers_from_gets_no_label_and_no_say() {
    let daemon = Daemon::with_config("pollers_from: [10.0.0.0/8]\n");
    poll_steadily(&daemon, "/spool/made-up/80");
    let page = metrics(&daemon);
    assert!(!page.contains("made-up"), "{page}");
    assert_eq!(daemon.metric("hacheck_sessions{rotation=\"in\"}"), 0.0);
}

#[test]
fn sessions_and_balancers_that_disagree_are_counted() {
    let daemon = Daemon::start();
    for (node, view, sessions) in [("lb1", "UP", 3), ("lb2", "UP", 4), ("lb3", "DOWN", 2)] {
        poll(&daemon, "/spool/web/80", node, view, sessions);
    }
    let sessions =
        |rotation| daemon.metric(&format!("hacheck_sessions{{rotation=\"{rotation}\"}}"));
    assert_eq!((sessions("in"), sessions("out")), (7.0, 2.0));
    assert_eq!(daemon.metric("hacheck_pollers_disagreeing"), 1.0);
    let last = daemon.metric("hacheck_last_poll_timestamp_seconds");
    assert!((unix_now() - last).abs() < 60.0, "{last}");
    poll(&daemon, "/spool/web/80", "lb3", "UP", 2);
    assert_eq!(daemon.metric("hacheck_pollers_disagreeing"), 0.0);
}

#[test]
fn changes_of_states_are_counted_by_kind() {
    let upstream = Upstream::start(|request| {
        let status = if request.contains("sick") {
            "500 Oh"
        } else {
            "200 OK"
        };
        Some(http(status, "x"))
    });
    let daemon = Daemon::start();
    let changes = |kind| daemon.metric(&format!("hacheck_state_changes_total{{kind=\"{kind}\"}}"));
    let before = ["fail", "pass", "down", "lifted", "start"].map(changes);
    assert_eq!(before, [0.0, 0.0, 0.0, 0.0, 1.0]);
    daemon.get(&format!("/http/web/{}/sick", upstream.port()));
    daemon.get(&format!("/http/web/{}/well", upstream.port()));
    daemon.run("hadown", &["-r", "x", "web"]).is(0, "");
    assert_eq!((changes("fail"), changes("down")), (1.0, 1.0));
    daemon.run("haup", &["web"]).is(0, "");
    assert_eq!((changes("lifted"), changes("pass")), (1.0, 0.0));
}

#[test]
fn answers_and_probes_have_histograms_and_the_process_its_standard_names() {
    let upstream = Upstream::start(|_| Some(http("200 OK", "x")));
    let daemon = Daemon::start();
    for _ in 0..3 {
        daemon
            .get(&format!("/http/web/{}/", upstream.port()))
            .is(200, "x");
    }
    let answers = daemon.metric("hacheck_request_duration_seconds_count");
    assert!(answers >= 3.0, "{answers}");
    let all = daemon.metric("hacheck_request_duration_seconds_bucket{le=\"+Inf\"}");
    assert!(all >= answers);
    assert!(daemon.metric("hacheck_request_duration_seconds_sum") > 0.0);
    let probes = daemon.metric("hacheck_probe_duration_seconds_count{protocol=\"http\"}");
    assert_eq!(probes, 1.0);
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_threads",
    ] {
        let value = daemon.metric(name);
        // CPU time is told in hundredths of a second.
        assert!(
            value > 0.0 || name == "process_cpu_seconds_total",
            "{name} {value}"
        );
    }
    let started = daemon.metric("process_start_time_seconds");
    assert!((unix_now() - started).abs() < 60.0, "{started}");
}
