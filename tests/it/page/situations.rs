//! Hosts in each situation that the page tells apart, with the words by which it is known.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::balancer::Balancer;
use crate::support::browser::{Browser, Tab};
use crate::support::daemon::{Daemon, Setup};
use crate::support::upstream::{Upstream, http};
use crate::support::wait_until;

/// A host with the services `api` and `web`, and what polls it.
pub struct Host {
    pub daemon: Daemon,
    pub balancers: Vec<Balancer>,
    pub services: [Upstream; 2],
}

impl Host {
    /// One whose services pass, and that nobody polls yet.
    pub fn quiet() -> Self {
        Self::answering("200 OK", "fine")
    }

    /// The same, where `web` answers so.
    pub fn answering(status: &'static str, body: &'static str) -> Self {
        Self {
            daemon: Setup::new().config("cache_time: 0.1\n").start(),
            balancers: vec![],
            services: [
                Upstream::answering("fine").forgetful(),
                Upstream::start(move |_| Some(http(status, body))).forgetful(),
            ],
        }
    }

    /// The checks of both services.
    pub fn checks(&self) -> [String; 2] {
        let [api, web] = &self.services;
        [
            format!("/http/api/{}/health", api.port()),
            format!("/http/web/{}/health", web.port()),
        ]
    }

    /// Lets two balancers poll everything, and waits until they do so steadily.
    pub fn polled(mut self) -> Self {
        for node in ["lb1", "lb2"] {
            let [api, web] = self.checks();
            let balancer = Balancer::start(self.daemon.address, node, &[&api, &web]);
            self.balancers.push(balancer);
        }
        let is_steady = |poller: &Value| poller["polls"].as_u64() >= Some(5);
        wait_until(Duration::from_secs(30), "the balancers poll", || {
            let answer = self.daemon.get("/pollers").json();
            let pollers = answer["pollers"].as_array().unwrap();
            pollers.len() == 4 && pollers.iter().all(is_steady)
        });
        self
    }

    /// Lets a balancer poll `web` that never changes its mind.
    pub fn stuck(mut self, up: bool) -> Self {
        let [_, web] = self.checks();
        let balancer = Balancer::stuck(self.daemon.address, "lb3", &[&web], up);
        self.balancers.push(balancer);
        self
    }

    pub fn sessions(self, count: u32) -> Self {
        self.balancers.iter().for_each(|b| b.sessions(count));
        self
    }

    pub fn down(self, reason: &str, name: &str) -> Self {
        self.daemon.run("hadown", &["-r", reason, name]);
        self
    }

    pub fn url(&self) -> String {
        format!("http://{}/ui", self.daemon.address)
    }

    pub fn open<'a>(&self, browser: &'a Browser) -> Tab<'a> {
        browser.open(&self.url())
    }
}

/// A situation: its name, how it comes about, what the page then says.
pub struct Situation {
    pub name: &'static str,
    pub host: fn() -> Host,
    pub says: &'static str,
    /// What happens once the page is open.
    pub then: fn(&mut Host),
}

fn nothing(_: &mut Host) {}

pub const SITUATIONS: [Situation; 10] = [
    Situation {
        name: "well",
        host: || Host::quiet().polled(),
        says: "In rotation: all 2 services take traffic.",
        then: nothing,
    },
    Situation {
        name: "downed",
        host: || Host::quiet().polled().down("new disk", "web"),
        says: "1 of 2 services takes traffic; web is down by hand.",
        then: nothing,
    },
    Situation {
        name: "failing",
        host: || Host::answering("500 Oh", "database is gone").polled(),
        says: "1 of 2 services takes traffic; web is failing.",
        then: nothing,
    },
    Situation {
        name: "draining",
        host: || Host::quiet().polled().sessions(9).down("deploy 413", "web"),
        says: "1 of 2 services takes traffic; web is draining.",
        then: nothing,
    },
    Situation {
        name: "leaving",
        host: || Host::quiet().polled().stuck(true).down("kernel", "all"),
        says: "Leaving rotation: the whole host was taken down",
        then: nothing,
    },
    Situation {
        name: "returning",
        host: || Host::quiet().polled().stuck(false),
        says: "1 of 2 services takes traffic; web is coming back.",
        then: nothing,
    },
    Situation {
        name: "unreadable",
        host: || Host::quiet().polled().down("new disk", "web"),
        says: "Spool unreadable. 1 of 2 services takes traffic; web is down by hand.",
        then: |host| {
            let root = host.daemon.spool.root();
            std::fs::rename(&root, root.with_extension("gone")).unwrap();
        },
    },
    Situation {
        name: "silent",
        host: || Host::quiet().polled(),
        says: "No load balancer asks this host.",
        then: |host| host.balancers.clear(),
    },
    Situation {
        name: "dead",
        host: || Host::quiet().polled(),
        says: "hacheck does not answer. What stands here is old.",
        then: |host| host.daemon.process.signal(Signal::SIGKILL),
    },
    Situation {
        name: "unasked",
        host: || Host::quiet().down("a typing error", "wbe"),
        says: "No load balancer asks for it. Taken down",
        then: nothing,
    },
];
