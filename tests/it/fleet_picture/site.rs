//! `hacheck fleet --serve`, running.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;

use serde_json::Value;

use super::scene::Scene;
use crate::support::browser::{Browser, Tab};
use crate::support::client::{self, Response};
use crate::support::process::{Process, bound_to_us};
use crate::support::{BINARY, PATIENCE, wait_until};

/// The page of a fleet.
pub struct Site {
    pub process: Process,
    pub address: SocketAddr,
}

impl Site {
    /// Serves it at a free port, and waits until the engine was read.
    pub fn start(scene: &Scene, args: &[&str]) -> Self {
        let site = Self::start_at(scene, "127.0.0.1:0", args);
        wait_until(PATIENCE, "the engine was read", || {
            site.answer("")["engine"]["read"].is_f64()
        });
        site
    }

    pub fn start_at(scene: &Scene, address: &str, args: &[&str]) -> Self {
        let mut command = bound_to_us(BINARY, &[]);
        command.args(scene.args(&[&["--serve", address], args].concat()));
        command.stderr(Stdio::piped());
        let mut process = Process::spawn(&mut command);
        let mut line = String::new();
        let stderr = process.child().stderr.take().unwrap();
        BufReader::new(stderr).read_line(&mut line).unwrap();
        let (_, rest) = line
            .split_once("http://")
            .unwrap_or_else(|| panic!("{line}"));
        let address = rest.trim_end().trim_end_matches('/').parse().unwrap();
        Self { process, address }
    }

    pub fn get(&self, path: &str) -> Response {
        self.get_for(path, "localhost")
    }

    /// What somebody gets who names a host.
    pub fn get_for(&self, path: &str, host: &str) -> Response {
        self.request("GET", path, &[("Host", host)])
    }

    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        client::request(self.address, method, path, headers)
    }

    /// `/fleet.json`, for the hosts that hold a text.
    pub fn answer(&self, text: &str) -> Value {
        let answer = self.get(&format!("/fleet.json?text={text}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn open<'a>(&self, browser: &'a Browser) -> Tab<'a> {
        browser.open(&self.url())
    }
}
