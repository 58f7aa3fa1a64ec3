//! The door for fuzz/: what peers send, as far as it is read here. Built with the feature `fuzzing` only.

use super::Secret;
use super::Trace;
use super::amqp::wire::{AmqpWire, Method};
use super::lines::Lines;
use super::services::ScriptStep;
use super::tls_handshake::not_after;

const SECRET: &str = "s3cret";

/// Takes what a server says to the header of AMQP and to a login.
///
/// # Panics
/// When what is said about it has the password.
pub fn amqp(answer: &[u8]) {
    let _ = Method::decode(answer);
    let trace = Trace::start(false);
    let mut wire = AmqpWire::over(over(answer, &trace));
    wire.hide(SECRET);
    block_on(async {
        let mut answer = wire.start().await;
        while answer.is_ok() {
            answer = wire.ask(SECRET.as_bytes()).await;
        }
        if let Err(error) = answer {
            is_silent(&error.to_string());
        }
    });
    is_silent(&trace.current());
}

/// Takes what a server says to a script that sends a password.
///
/// # Panics
/// When what is said about it has the password.
pub fn script(answer: &[u8]) {
    let trace = Trace::start(false);
    let step = ScriptStep {
        send: Some(Secret::new("USER probe\r\nPASS s3cret\r\n".to_owned())),
        expect: None,
    };

    let mut lines = over(answer, &trace);
    for secret in step.secrets() {
        lines.hide(secret);
    }

    block_on(async {
        loop {
            match lines.line(4096).await {
                Ok(line) => is_silent(&lines.shown(&line)),
                Err(incomplete) => return is_silent(&incomplete.to_string()),
            }
        }
    });
    is_silent(&trace.current());
}

/// Takes a certificate.
///
/// # Panics
/// When what stands behind it changes what is read.
pub fn certificate(der: &[u8]) {
    if let Some(end) = not_after(der) {
        let longer = [der, b"more"].concat();
        assert_eq!(not_after(&longer), Some(end));
    }
}

fn over<'a>(answer: &'a [u8], trace: &'a Trace) -> Lines<'a> {
    Lines::over(tokio::io::join(answer, tokio::io::sink()), trace)
}

fn block_on(work: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.build().expect("a runtime without drivers");
    runtime.block_on(work);
}

fn is_silent(text: &str) {
    assert!(!text.contains(SECRET), "the password shows: {text}");
}
