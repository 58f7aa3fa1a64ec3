//! Headless Chromium, driven over `--remote-debugging-pipe`: JSON messages that end with a zero byte, on its descriptors
//! 3 and 4. No WebSocket, no driver, no port.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use super::process::{Process, bound_to_us};
use super::{PATIENCE, TempDir};

/// Moves the pipes from where a child has them to where Chromium looks for them, and keeps its chatter out of ours.
const WITH_PIPES: &str = r#"exec "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null"#;

const OPTIONS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
];

/// A running browser; it is killed when this is dropped.
pub struct Browser {
    _process: Process,
    _profile: TempDir,
    commands: RefCell<ChildStdin>,
    messages: Receiver<Value>,
    events: RefCell<Vec<Value>>,
    number: Cell<u64>,
}

impl Browser {
    #[track_caller]
    pub fn start() -> Self {
        let profile = TempDir::new();
        let mut command = bound_to_us("sh", &[]);
        command
            .args(["-c", WITH_PIPES, "sh", "chromium"])
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Process::spawn(&mut command);
        let commands = process.child().stdin.take().unwrap();
        let answers = process.child().stdout.take().unwrap();
        Self {
            _process: process,
            _profile: profile,
            commands: RefCell::new(commands),
            messages: listen(answers),
            events: RefCell::default(),
            number: Cell::new(0),
        }
    }

    /// Opens a page, with its console and its requests recorded from the beginning.
    #[track_caller]
    pub fn open(&self, url: &str) -> Tab<'_> {
        let target = self.command(None, "Target.createTarget", &json!({"url": "about:blank"}));
        let target = target["targetId"].as_str().unwrap().to_owned();
        let attach = json!({"targetId": target, "flatten": true});
        let session = self.command(None, "Target.attachToTarget", &attach);
        let tab = Tab {
            browser: self,
            session: session["sessionId"].as_str().unwrap().to_owned(),
        };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            tab.command(&format!("{domain}.enable"), &json!({}));
        }
        tab.resize(1280, 900);
        tab.command("Page.navigate", &json!({"url": url}));
        tab
    }

    /// Sends a command and waits for its answer; what else comes meanwhile is kept.
    #[track_caller]
    fn command(&self, session: Option<&str>, method: &str, params: &Value) -> Value {
        let id = self.number.get() + 1;
        self.number.set(id);
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        self.commands
            .borrow_mut()
            .write_all(format!("{message}\0").as_bytes())
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = match self.messages.recv_timeout(left) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => panic!("no answer of chromium to {method}"),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("chromium ended, or is not there: apt-get install chromium")
                }
            };
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.borrow_mut().push(message);
        }
    }
}

/// Reads messages to the end, in a thread of its own, so that waiting for one can have a deadline.
fn listen(answers: ChildStdout) -> Receiver<Value> {
    let (sender, messages) = mpsc::channel();
    thread::spawn(move || {
        for message in BufReader::new(answers).split(0) {
            let Ok(message) = message else { return };
            let message = serde_json::from_slice(&message).expect("chromium speaks JSON");
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    messages
}

/// A page that is open.
pub struct Tab<'a> {
    browser: &'a Browser,
    session: String,
}

impl Tab<'_> {
    #[track_caller]
    pub fn command(&self, method: &str, params: &Value) -> Value {
        self.browser.command(Some(&self.session), method, params)
    }

    /// The value of an expression, which may be a promise.
    #[track_caller]
    pub fn value(&self, expression: &str) -> Value {
        let params = json!({
            "expression": expression,
            "returnByValue": true,
            "awaitPromise": true,
            // Else the expression itself may do what the page may not.
            "allowUnsafeEvalBlockedByCSP": false,
        });
        let answer = self.command("Runtime.evaluate", &params);
        let thrown = answer.get("exceptionDetails");
        assert!(thrown.is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn wait_for(&self, expression: &str) {
        let start = Instant::now();
        while self.value(expression) != true {
            let text = self.value("document.body?.innerText");
            assert!(
                start.elapsed() < PATIENCE,
                "not within {PATIENCE:?}: {expression}\n{text}"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the page's text holds this.
    #[track_caller]
    pub fn wait_for_text(&self, text: &str) {
        // While the page is still to be loaded, there is no body.
        let text = json!(text);
        self.wait_for(&format!(
            "document.body?.innerText.includes({text}) === true"
        ));
    }

    pub fn resize(&self, width: u32, height: u32) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Light or dark, as the reader's system would ask for.
    pub fn theme(&self, name: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": name}]);
        self.command("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// Presses the Enter key.
    pub fn press_enter(&self) {
        for (kind, text) in [("keyDown", "\r"), ("keyUp", "")] {
            let key = json!({
                "type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": text,
            });
            self.command("Input.dispatchKeyEvent", &key);
        }
    }

    /// Writes a picture.
    pub fn picture(&self, to: &Path) {
        let picture = self.command("Page.captureScreenshot", &json!({}));
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(picture["data"].as_str().unwrap())
            .unwrap();
        fs::write(to, bytes).unwrap();
    }

    /// What the console holds: messages, uncaught exceptions, refusals of the browser.
    pub fn console(&self) -> Vec<String> {
        const KINDS: [&str; 3] = [
            "Log.entryAdded",
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
        ];
        self.events(|method| KINDS.contains(&method))
            .iter()
            .map(|event| event["params"].to_string())
            .collect()
    }

    /// The addresses that were asked for.
    pub fn requests(&self) -> Vec<String> {
        self.events(|method| method == "Network.requestWillBeSent")
            .iter()
            .map(|event| {
                event["params"]["request"]["url"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }

    fn events(&self, wanted: impl Fn(&str) -> bool) -> Vec<Value> {
        // Events of what was done so far come before the answer to this.
        self.value("0");
        let events = self.browser.events.borrow();
        let ours = events.iter().filter(|event| {
            event["sessionId"] == *self.session && event["method"].as_str().is_some_and(&wanted)
        });
        ours.cloned().collect()
    }
}
