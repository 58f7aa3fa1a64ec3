//! The threads on which mysql_async runs.
//!
//! It computes proofs of passwords while it is polled, and panics on packets that it does not expect. So a probe has a
//! thread and a small runtime of its own: nobody waits for what it computes, and a panic ends there.
//!
//! Rule: at most [`THREADS`] run for pollers and as many for the configuration, apart from tokio's threads for files and
//! look-ups. What runs on one ends at its deadline, or as soon as nobody waits for it any more.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Once;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio::time::timeout_at;

use crate::probe::asker::Asker;
use crate::probe::slots::{Places, Seat};

/// The most threads at once; who comes then waits, within its deadline.
const THREADS: usize = 64;

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

const NAME: &str = "mysql";

/// The threads, and the seats on them.
pub(super) struct Threads {
    /// Its pool is used, and nothing else of it. `None` where it cannot be had.
    runtime: Option<Runtime>,
    seats: Places,
}

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Ended {
    /// The deadline came.
    Late,
    /// mysql_async panicked, with this message.
    Panicked(String),
    /// No runtime could be made.
    NoRuntime(io::Error),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("the deadline came"),
            Self::Panicked(message) if message.contains("parsec") => f.write_str(
                "the account's authentication plugin 'parsec' is not supported; give the account another plugin",
            ),
            Self::Panicked(message) => {
                write!(f, "mysql_async does not understand the server: {message}")
            }
            Self::NoRuntime(e) => write!(f, "cannot begin: {e}"),
        }
    }
}

impl Threads {
    pub(super) fn new() -> Self {
        Self::with(THREADS, IDLE)
    }

    fn with(threads: usize, idle: Duration) -> Self {
        keep_panics_quiet();
        let runtime = Builder::new_current_thread()
            .thread_name(NAME)
            // As many as there are seats: for pollers, and for the configuration.
            .max_blocking_threads(2 * threads)
            .thread_keep_alive(idle)
            .build();
        Self {
            runtime: runtime.ok(),
            seats: Places::new(threads),
        }
    }

    /// Waits for a free thread.
    pub(super) async fn seat(&self, asker: Asker) -> Seat {
        self.seats.take(asker).await
    }

    /// Runs a future on a thread until it is done, the deadline comes, or the caller goes away.
    pub(super) async fn run<F>(
        &self,
        _seat: Seat,
        deadline: Instant,
        work: F,
    ) -> Result<F::Output, Ended>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let Some(runtime) = &self.runtime else {
            return Err(Ended::NoRuntime(io::Error::other("no threads")));
        };

        // Dropped with this future, which tells the thread that nobody waits any more.
        let (_caller, caller_is_gone) = oneshot::channel();
        let thread = runtime.spawn_blocking(move || run_here(deadline, caller_is_gone, work));
        match thread.await {
            Ok(result) => result,
            Err(e) => Err(not_finished(e)),
        }
    }
}

/// Why a thread gave no result: a panic, or the end of the runtime.
fn not_finished(error: JoinError) -> Ended {
    match error.try_into_panic() {
        Ok(payload) => Ended::Panicked(message(&*payload)),
        Err(_) => Ended::Late,
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for the threads is forbidden where futures run, and needless.
            runtime.shutdown_background();
        }
    }
}

/// Everything that the work began, tasks of mysql_async's own too, ends with the runtime.
fn run_here<F: Future>(
    deadline: Instant,
    caller_is_gone: oneshot::Receiver<()>,
    work: F,
) -> Result<F::Output, Ended> {
    let runtime = small_runtime().map_err(Ended::NoRuntime)?;
    // In this order: what nobody waits for any more is not polled once more.
    runtime.block_on(async {
        tokio::select! {
            biased;
            _ = caller_is_gone => Err(Ended::Late),
            result = timeout_at(deadline.into(), work) => result.map_err(|_| Ended::Late),
        }
    })
}

fn small_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
}

/// The first line of a panic's message.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = panic_text(payload).unwrap_or("it panicked");
    text.lines().next().unwrap_or_default().to_owned()
}

fn panic_text(payload: &(dyn Any + Send)) -> Option<&str> {
    // `panic!` with a literal carries a &str, with arguments a String.
    if let Some(text) = payload.downcast_ref::<&str>() {
        return Some(text);
    }

    payload.downcast_ref::<String>().map(String::as_str)
}

/// A panic on these threads is told by the probe's outcome, for each probe; on standard error it would look like a crash.
fn keep_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name() != Some(NAME) {
                usual(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc};

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    async fn run<F>(threads: &Threads, deadline: Instant, work: F) -> Result<F::Output, Ended>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let seat = threads.seat(Asker::Configuration).await;
        threads.run(seat, deadline, work).await
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(work)
    }

    #[test]
    fn a_panic_is_a_result_with_its_message() {
        let threads = Threads::new();
        let result = block_on(run(&threads, soon(), async {
            panic!("index 7 is out of bounds")
        }));
        let Err(ended @ Ended::Panicked(_)) = result else {
            let () = result.unwrap();
            panic!("no panic");
        };
        assert_eq!(
            ended.to_string(),
            "mysql_async does not understand the server: index 7 is out of bounds"
        );
        assert_eq!(block_on(run(&threads, soon(), async { 5 })).unwrap(), 5);
    }

    #[test]
    fn the_deadline_ends_the_work() {
        let threads = Threads::new();
        let result = block_on(run(&threads, Instant::now(), pending::<()>()));
        assert!(matches!(result, Err(Ended::Late)), "{result:?}");
    }

    /// Tells when it is dropped.
    struct Guard(mpsc::Sender<()>);

    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    #[test]
    fn the_work_ends_with_its_caller() {
        let threads = Threads::new();
        let (begun, has_begun) = oneshot::channel();
        let (sender, dropped) = mpsc::channel();
        let guard = Guard(sender);
        let work = async move {
            let _guard = guard;
            let _ = begun.send(());
            // A task of its own too, as mysql_async begins some.
            tokio::spawn(pending::<()>());
            pending::<()>().await;
        };
        block_on(async {
            tokio::select! {
                result = run(&threads, soon(), work) => panic!("{result:?}"),
                begun = has_begun => begun.unwrap(),
            }
        });
        dropped.recv_timeout(Duration::from_secs(20)).unwrap();
    }

    #[test]
    fn no_more_threads_run_than_are_allowed_and_idle_ones_end() {
        const NOBODY: Duration = Duration::ZERO;
        let threads = Arc::new(Threads::with(2, NOBODY));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (sender, alive) = mpsc::channel::<()>();
        block_on(async {
            let mut all = Vec::new();
            for _ in 0..20 {
                let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                let (threads, sender) = (Arc::clone(&threads), sender.clone());
                all.push(tokio::spawn(async move {
                    let work = async move {
                        thread_local!(static ALIVE: std::cell::RefCell<Option<mpsc::Sender<()>>> = const { std::cell::RefCell::new(None) });
                        ALIVE.set(Some(sender));
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        now.fetch_sub(1, Ordering::SeqCst);
                    };
                    run(&threads, soon(), work).await.unwrap();
                }));
            }
            for one in all {
                one.await.unwrap();
            }
        });
        drop(sender);
        assert!(most.load(Ordering::SeqCst) <= 2, "{most:?} at once");
        // The senders that the threads keep go with them.
        let ended = alive.recv_timeout(Duration::from_secs(20));
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
