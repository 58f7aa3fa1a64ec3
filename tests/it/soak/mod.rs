//! Hours of a fleet's life in a minute: load, hung and flapping services, operators, reloads and rotations, and every
//! answer checked against what the spool said at that time. `HACHECK_SOAK_SECONDS=3600` makes it an hour.

mod model;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use self::model::{Model, Span};
use crate::support::client;
use crate::support::daemon::{Daemon, Setup};
use crate::support::random::Random;
use crate::support::unix_now;
use crate::support::upstream::{Upstream, http};

/// The last one is the whole host; each service also has the instance on the healthy port.
const SERVICES: [&str; 6] = ["web", "db", "mail", "cache", "search", "all"];

/// Runs longer than this leave the machine to others too.
const PACED: u64 = 300;

struct Soak {
    daemon: Daemon,
    model: Model,
    /// Where what is checked answers "fine".
    healthy: u16,
    /// How much slower everybody is in a long run.
    pace: u32,
    stop: AtomicBool,
    answers: AtomicUsize,
    downs: AtomicUsize,
    faults: Mutex<Vec<String>>,
}

impl Soak {
    fn new(daemon: Daemon, healthy: u16, seconds: u64) -> Self {
        let services = SERVICES.iter().map(|s| (*s).to_owned());
        let instances = SERVICES[..SERVICES.len() - 1]
            .iter()
            .map(|s| format!("{s}:{healthy}"));
        Self {
            daemon,
            model: Model::new(services.chain(instances).collect()),
            healthy,
            pace: if seconds > PACED { 10 } else { 1 },
            stop: AtomicBool::new(false),
            answers: AtomicUsize::new(0),
            downs: AtomicUsize::new(0),
            faults: Mutex::default(),
        }
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && self.faults.lock().unwrap().is_empty()
    }

    fn rest(&self, milliseconds: usize) {
        thread::sleep(Duration::from_millis(milliseconds as u64) * self.pace);
    }

    /// An operator who owns one key: nobody else changes it, so what it did is what the spool says.
    fn operator(&self, key: usize) {
        let mut random = Random::new(100 + key as u64);
        let name = self.model.name(key);
        // The whole host is down only now and then, and not for long, or there would be nothing else to see.
        let longest_up = if name == "all" { 1000 } else { 200 };
        let mut number = 0;
        while self.goes_on() {
            self.rest(random.below(longest_up));
            number += 1;
            let reason = format!("reason {number} of {name}");
            if random.below(4) == 0 {
                self.downtime_that_ends(key, number, &reason, random.below(300) as u64);
                continue;
            }
            self.change(key, Some(number), None, &["hadown", "-r", &reason, name]);
            self.rest(random.below(30));
            self.change(key, None, None, &["haup", name]);
        }
    }

    fn change(&self, key: usize, down: Option<usize>, ends: Option<Instant>, command: &[&str]) {
        let begun = self.model.begin(key, down, ends);
        let ran = self.daemon.run(command[0], &command[1..]);
        self.model.finish(&begun);
        if ran.code != Some(0) {
            self.fault(format!("{command:?}: {ran:?}"));
        }
    }

    fn downtime_that_ends(&self, key: usize, number: usize, reason: &str, milliseconds: u64) {
        let lasts = Duration::from_millis(200 + milliseconds);
        let (ends, expiration) = (Instant::now() + lasts, unix_now() + lasts.as_secs_f64());
        let expiration = format!("{expiration:.6}");
        let command = [
            "hadown",
            "-e",
            &expiration,
            "-r",
            reason,
            self.model.name(key),
        ];
        self.change(key, Some(number), Some(ends), &command);
        // A little more than the model's drift: the next change is made to what it has become.
        let over = ends + Duration::from_millis(30);
        thread::sleep(over.saturating_duration_since(Instant::now()));
    }

    /// A poller; each answer must be one that the spool allowed at some moment between question and answer.
    fn poller(&self, address: SocketAddr, seed: u64) {
        let mut random = Random::new(seed);
        let all = SERVICES.len() - 1;
        while self.goes_on() {
            let service = random.below(all);
            let (name, healthy) = (SERVICES[service], self.healthy);
            let (path, keys) = match random.below(3) {
                0 => (format!("/spool/{name}/0"), vec![all, service]),
                1 => (
                    format!("/spool/{name}/{healthy}"),
                    vec![all, service, all + 1 + service],
                ),
                _ => (
                    format!("/http/{name}/{healthy}/"),
                    vec![all, service, all + 1 + service],
                ),
            };
            let asked = Instant::now();
            let answer = client::request(address, "GET", &path, &[]);
            let span = Span {
                asked,
                answered: Instant::now(),
            };
            if let Err(fault) = self.model.judge(name, &keys, span, &answer) {
                self.fault(format!("{path}: {fault}"));
            }
            self.answers.fetch_add(1, Ordering::Relaxed);
            self.downs
                .fetch_add(usize::from(answer.status == 503), Ordering::Relaxed);
            self.rest(usize::from(self.pace > 1));
        }
    }

    fn fault(&self, text: String) {
        self.faults.lock().unwrap().push(text);
    }

    /// Pollers of services that hang, flap or are not there, whose names change, who often do not wait for the answer,
    /// and who sometimes talk nonsense.
    fn noise(&self, address: SocketAddr, ports: &[u16], seed: u64) {
        let mut random = Random::new(seed);
        while self.goes_on() {
            let path = format!(
                "/http/made-up-{}/{}/{}",
                random.below(5000),
                random.pick(ports),
                random.below(50)
            );
            match random.below(8) {
                0 => {
                    let mut bytes = format!("GET {path} HTTP/1.1\r\n").into_bytes();
                    bytes.extend(random.bytes(100));
                    client::exchange(address, &bytes);
                }
                1..=2 => drop(client::request(address, "GET", &path, &[])),
                _ => drop(client::send(address, "GET", &path, &[])),
            }
            self.rest(usize::from(self.pace > 1));
        }
    }

    /// The service manager: reloads with other settings, and rotations of the log.
    fn manager(&self, log: &Path) {
        let mut round = 0;
        while self.goes_on() {
            round += 1;
            self.rest(100);
            // Between two lines there may be no file.
            let _ = std::fs::rename(log, log.with_extension(format!("{}", round % 3)));
            self.daemon.replace_config(&configuration(log, round % 2));
            self.daemon.process.signal(Signal::SIGHUP);
        }
    }

    /// Looks at the daemon's size until it is over; the figures of the middle third, and of the last.
    fn watch(&self, seconds: u64) -> [Size; 2] {
        let (start, third) = (Instant::now(), Duration::from_secs(seconds) / 3);
        let mut largest = [Size::default(); 3];
        while self.goes_on() && start.elapsed() < third * 3 {
            thread::sleep(Duration::from_millis(200));
            let now = Size::of(&self.daemon);
            // The first third is for everything to get its usual size.
            let at = if start.elapsed() < third {
                0
            } else {
                1 + usize::from(start.elapsed() > third * 2)
            };
            largest[at] = largest[at].or_larger(now);
        }
        println!("largest in each third: {largest:?}");
        [largest[1], largest[2]]
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Size {
    memory_mib: f64,
    files: f64,
}

impl Size {
    fn of(daemon: &Daemon) -> Self {
        let memory = daemon.metric("process_resident_memory_bytes");
        Self {
            memory_mib: memory / 1_048_576.0,
            files: daemon.metric("process_open_fds"),
        }
    }

    fn or_larger(self, other: Self) -> Self {
        Self {
            memory_mib: self.memory_mib.max(other.memory_mib),
            files: self.files.max(other.files),
        }
    }
}

/// Memories so small that they are full soon, and growth would show.
fn configuration(log: &Path, round: usize) -> String {
    let (cache, entries) = [("0.05", 500), ("0.1", 400)][round];
    format!(
        "log_path: {}\ncache_time: {cache}\nhealthcheck_timeout: 2\ncache_entries: {entries}\nmax_services: 1000\n\
         max_pollers: 500\n",
        log.display()
    )
}

#[test]
fn under_everything_at_once_each_answer_is_what_the_spool_said() {
    let seconds = std::env::var("HACHECK_SOAK_SECONDS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(20);
    let setup = Setup::new();
    let log = setup.log_file();
    let daemon = setup
        .config(configuration(&log, 0))
        .args(&["-n", "2"])
        .start();
    let healthy = Upstream::answering("fine").forgetful();
    let hung = Upstream::hung().forgetful();
    let turn = Arc::new(AtomicUsize::new(0));
    let flapping = Upstream::start(move |_| match turn.fetch_add(1, Ordering::Relaxed) % 14 {
        0..6 => Some(http("500 Internal Server Error", "no")),
        6 => None,
        7 => Some(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec()),
        _ => Some(http("200 OK", "yes")),
    })
    .forgetful();
    let noisy = [hung.port(), flapping.port(), healthy.port(), 1];
    let address = daemon.address;
    let soak = Soak::new(daemon, healthy.port(), seconds);
    let [middle, last] = thread::scope(|scope| {
        let soak = &soak;
        for key in 0..2 * SERVICES.len() - 1 {
            scope.spawn(move || soak.operator(key));
        }
        for seed in 0..3 {
            scope.spawn(move || soak.poller(address, seed));
        }
        scope.spawn(move || soak.noise(address, &noisy, 7));
        scope.spawn(|| soak.manager(&log));
        let sizes = soak.watch(seconds);
        soak.stop.store(true, Ordering::Relaxed);
        sizes
    });
    assert_eq!(*soak.faults.lock().unwrap(), [""; 0]);
    let (answers, downs) = (soak.answers.into_inner(), soak.downs.into_inner());
    println!("{answers} answers of the model's services, {downs} of them down");
    let share = downs as f64 / answers as f64;
    assert!(
        (0.1..0.9).contains(&share),
        "{downs} of {answers} answers were down: the test tests little"
    );
    assert!(
        last.memory_mib < middle.memory_mib + 8.0,
        "memory grows: {middle:?}, then {last:?}"
    );
    assert!(
        last.files < middle.files + 100.0,
        "open files grow: {middle:?}, then {last:?}"
    );
    let mut daemon = soak.daemon;
    daemon.is_sound();
}

#[test]
fn a_downtime_that_is_lost_behind_the_models_back_is_noticed() {
    let healthy = Upstream::answering("fine");
    let daemon = Daemon::start();
    let address = daemon.address;
    let soak = Soak::new(daemon, healthy.port(), 0);
    for (key, name) in SERVICES
        .into_iter()
        .enumerate()
        .filter(|(_, name)| *name != "all")
    {
        soak.change(
            key,
            Some(1),
            None,
            &["hadown", "-r", &format!("reason 1 of {name}"), name],
        );
        std::fs::remove_file(soak.daemon.spool.path(name)).unwrap();
    }
    // Ends only by a fault.
    soak.poller(address, 1);
    let faults = soak.faults.into_inner().unwrap();
    assert!(
        faults[0].contains("the answer was Response { status: 200"),
        "{faults:?}"
    );
}
