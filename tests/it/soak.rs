//! Hours of a fleet's life in a minute: load, hung and flapping services, operators, reloads and rotations, and every
//! answer checked against what the spool said at that time. `HACHECK_SOAK_SECONDS=3600` makes it an hour.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::client;
use crate::support::daemon::{Daemon, Setup};
use crate::support::random::Random;
use crate::support::upstream::{Upstream, http};

const SERVICES: [&str; 6] = ["web", "db", "mail", "cache", "search", "all"];

/// What an operator did to one service: from when to when it took effect, and the state it left.
#[derive(Debug, Clone, Copy)]
struct Change {
    begun: Instant,
    done: Instant,
    /// The number that is the downtime's reason; `None` is up.
    down: Option<usize>,
}

/// What the spool said, service by service, and when. The first entry is the state at the start.
struct History(Vec<Mutex<Vec<Change>>>);

impl History {
    fn new() -> Self {
        let now = Instant::now();
        let start = || Mutex::new(vec![Change { begun: now, done: now, down: None }]);
        Self(SERVICES.iter().map(|_| start()).collect())
    }

    /// The states that a service may have been seen in by a question that was asked and answered in this time: the one
    /// before, if no change was done before the question; and each that was begun before the answer.
    fn possible(&self, service: usize, asked: Instant, answered: Instant) -> Vec<Option<usize>> {
        let changes = self.0[service].lock().unwrap();
        let settled = changes.iter().rposition(|c| c.done <= asked).expect("the start is always settled");
        changes[settled..].iter().filter(|c| c.begun <= answered).map(|c| c.down).collect()
    }
}

struct Soak {
    daemon: Daemon,
    history: History,
    stop: AtomicBool,
    answers: AtomicUsize,
    downs: AtomicUsize,
    faults: Mutex<Vec<String>>,
}

impl Soak {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && self.faults.lock().unwrap().is_empty()
    }

    /// An operator who owns one service: nobody else changes it, so what it did is what the spool says.
    fn operator(&self, service: usize, seed: u64) {
        let mut random = Random::new(seed);
        let mut number = 0;
        while self.goes_on() {
            let was_down = self.history.0[service].lock().unwrap().last().is_some_and(|c| c.down.is_some());
            // The whole host is down only now and then, and not for long, or there would be nothing else to see.
            let rest = if service == SERVICES.len() - 1 && !was_down { 400 } else { 30 };
            thread::sleep(Duration::from_millis(random.below(rest) as u64));
            number += 1;
            let down = (!was_down).then_some(number);
            let begun = Instant::now();
            // Entered before it is begun: a poller may see it at any time from now on.
            let far = begun + Duration::from_secs(86_400);
            self.history.0[service].lock().unwrap().push(Change { begun, done: far, down });
            let name = SERVICES[service];
            let ran = match down {
                Some(n) => self.daemon.run("hadown", &["-r", &format!("reason {n} of {name}"), name]),
                None => self.daemon.run("haup", &[name]),
            };
            if ran.code != Some(0) {
                self.faults.lock().unwrap().push(format!("{name}: {ran:?}"));
            }
            if let Some(last) = self.history.0[service].lock().unwrap().last_mut() {
                last.done = Instant::now();
            }
        }
    }

    /// A poller; each answer must be one that the spool allowed at some moment between question and answer.
    fn poller(&self, address: SocketAddr, healthy: u16, seed: u64) {
        let mut random = Random::new(seed);
        let all = SERVICES.len() - 1;
        while self.goes_on() {
            let service = random.below(all);
            let name = SERVICES[service];
            let path =
                if random.below(2) == 0 { format!("/spool/{name}/0") } else { format!("/http/{name}/{healthy}/") };
            let asked = Instant::now();
            let answer = client::request(address, "GET", &path, &[]);
            let answered = Instant::now();
            let of_all = self.history.possible(all, asked, answered);
            let of_own = self.history.possible(service, asked, answered);
            let told = |which: &str, n: usize| {
                answer.status == 503 && answer.body.ends_with(&format!(": reason {n} of {which}"))
            };
            let allowed = of_all.iter().flatten().any(|n| told("all", *n))
                || (of_all.contains(&None) && of_own.iter().flatten().any(|n| told(name, *n)))
                || (of_all.contains(&None) && of_own.contains(&None) && answer.status == 200);
            if !allowed {
                let fault = format!("{path}: all may be {of_all:?}, {name} {of_own:?}, but the answer is {answer:?}");
                self.faults.lock().unwrap().push(fault);
            }
            self.answers.fetch_add(1, Ordering::Relaxed);
            self.downs.fetch_add(usize::from(answer.status == 503), Ordering::Relaxed);
        }
    }

    /// Pollers of services that hang or flap, whose names change, and who often do not wait for the answer.
    fn noise(&self, address: SocketAddr, ports: &[u16], seed: u64) {
        let mut random = Random::new(seed);
        while self.goes_on() {
            let path = format!("/http/made-up-{}/{}/{}", random.below(5000), random.pick(ports), random.below(50));
            let mut stream = client::send(address, "GET", &path, &[]);
            if random.below(3) == 0 {
                client::answer(&mut stream);
            }
        }
    }

    /// The service manager: reloads, and rotations of the log.
    fn manager(&self, log: &std::path::Path) {
        let mut round = 0;
        while self.goes_on() {
            round += 1;
            thread::sleep(Duration::from_millis(100));
            let old = log.with_extension(format!("{}", round % 3));
            // Between two lines there may be no file.
            let _ = std::fs::rename(log, old);
            self.daemon.process.signal(Signal::SIGHUP);
        }
    }

    fn figures(&self) -> (f64, f64) {
        (self.daemon.metric("hacheck_resident_memory_bytes"), self.daemon.metric("hacheck_open_fds"))
    }
}

#[test]
fn under_everything_at_once_each_answer_is_what_the_spool_said() {
    let seconds = std::env::var("HACHECK_SOAK_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(20);
    let setup = Setup::new();
    let log = setup.log_file();
    let config =
        format!("log_path: {}\ncache_time: 0.05\nhealthcheck_timeout: 0.5\nmax_services: 1000\n", log.display());
    let daemon = setup.config(config).args(&["-n", "2"]).start();
    let (healthy, hung) = (Upstream::answering("fine"), Upstream::hung());
    let turn = Arc::new(AtomicUsize::new(0));
    let flapping = Upstream::start(move |_| {
        let fails = turn.fetch_add(1, Ordering::Relaxed) % 7 < 3;
        Some(if fails { http("500 Internal Server Error", "no") } else { http("200 OK", "yes") })
    });
    let (address, port) = (daemon.address, healthy.port());
    let soak = Soak {
        daemon,
        history: History::new(),
        stop: AtomicBool::new(false),
        answers: AtomicUsize::new(0),
        downs: AtomicUsize::new(0),
        faults: Mutex::default(),
    };
    let noisy = [hung.port(), flapping.port(), port];
    thread::scope(|scope| {
        let soak = &soak;
        for service in 0..SERVICES.len() {
            scope.spawn(move || soak.operator(service, 100 + service as u64));
        }
        for seed in 0..3 {
            scope.spawn(move || soak.poller(address, port, seed));
        }
        scope.spawn(move || soak.noise(address, &noisy, 7));
        scope.spawn(|| soak.manager(&log));
        let end = Instant::now() + Duration::from_secs(seconds);
        // A third of the time for everything to have its usual size.
        let mut warm = None;
        while soak.goes_on() && Instant::now() < end {
            thread::sleep(Duration::from_millis(200));
            if warm.is_none() && end.saturating_duration_since(Instant::now()).as_secs() < seconds * 2 / 3 {
                warm = Some(soak.figures());
            }
        }
        soak.stop.store(true, Ordering::Relaxed);
        let (memory, files) = soak.figures();
        if let Some((memory_before, files_before)) = warm {
            let mib = |bytes: f64| bytes / 1_048_576.0;
            assert!(mib(memory - memory_before) < 24.0, "memory: {} MiB, then {}", mib(memory_before), mib(memory));
            assert!(files < files_before + 200.0, "open files: {files_before}, then {files}");
        }
    });
    assert_eq!(*soak.faults.lock().unwrap(), [""; 0]);
    let (answers, downs) = (soak.answers.into_inner(), soak.downs.into_inner());
    println!("{answers} answers of the model's services, {downs} of them down");
    assert!(downs > answers / 20 && downs < answers, "{downs} of {answers} answers were down: the test tests little");
    let mut daemon = soak.daemon;
    daemon.is_sound();
}
