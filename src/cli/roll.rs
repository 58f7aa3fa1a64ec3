//! `haroll`: down, wait until every load balancer has acted and is drained, a command, wait for health, up, wait until
//! every balancer sees it.
//!
//! Rule: whatever goes wrong, it ends in a state that it tells: the services stay down, unless they were lifted already.

use std::io::{self, IsTerminal as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use argh::{ArgsInfo, FromArgs};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::cli::applet::{Applet, Call};
use crate::cli::args::reason;
use crate::cli::client::{self, DEFAULT_PORT, Daemon};
use crate::cli::failure::Failure;
use crate::cli::output::downtimes::{description, owner};
use crate::cli::output::warnings;
use crate::cli::wait::acted::Goal;
use crate::cli::wait::interrupt::Interrupt;
use crate::cli::wait::limits::Limits;
use crate::cli::wait::progress::Progress;
use crate::cli::wait::{Wait, guard, healthy};
use crate::ledger::Page;
use crate::os::cause::cause_text;
use crate::spool::{self, Downtime, Key, Spool, parse_port};

/// Passed checks in a row after the command.
const PASSES: u32 = 3;

/// How long the daemon may take to tell who polls.
const ANSWER: Duration = Duration::from_secs(3);

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "roll",
    alias: Some("haroll"),
    usage: "[options] SERVICE... -- COMMAND [ARGUMENT...]",
    about: "runs a command while services are out of traffic: down, drained, COMMAND, healthy, up, seen up",
    info: Args::get_args_info,
    uses: |_| true,
    run,
};

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    example = "haroll web -- systemctl restart web",
    example = "haroll -r 'release 42' --timeout 5m web api -- /opt/deploy/run 42"
)]
struct Args {
    /// folder of the downtimes (default /var/spool/hacheck)
    #[argh(option, arg_name = "folder")]
    spool_root: Option<String>,
    /// port of the daemon on this host (default 3333)
    #[argh(option, short = 'p')]
    port: Option<String>,
    /// why; shown to whoever asks, and by HAProxy (default: the command)
    #[argh(option, short = 'r')]
    reason: Option<String>,
    /// how long each step may take, but for the command: 60, 90s, 5m (default 60 seconds)
    #[argh(option, arg_name = "time")]
    timeout: Option<String>,
    /// equal answers after which a balancer without send-state counts as having acted (default 3)
    #[argh(option, arg_name = "number")]
    polls: Option<String>,
    /// wait until at least so many balancers are known (default 0)
    #[argh(option, arg_name = "number")]
    min_pollers: Option<String>,
    /// also when that leaves a backend without a server, or when somebody else took it down
    #[argh(switch)]
    force: bool,
    /// services or instances, --, and the command
    #[argh(positional, arg_name = "command")]
    words: Vec<String>,
}

/// One roll.
struct Roll {
    spool: Spool,
    daemon: Daemon,
    keys: Vec<Key>,
    names: Vec<String>,
    command: Vec<String>,
    reason: String,
    limits: Limits,
    interrupt: Interrupt,
    progress: Progress,
    /// Steps that are done, with their durations.
    steps: Vec<(&'static str, Duration)>,
}

fn run(call: &Call) -> Result<u8, Failure> {
    warnings::show();
    let mut roll = Roll::new(call.parse()?, &call.program)?;
    roll.run()
}

impl Roll {
    fn new(args: Args, program: &str) -> Result<Self, Failure> {
        let split = args.words.iter().position(|w| w == "--");
        let (services, command) = match split {
            Some(at) if at > 0 && at + 1 < args.words.len() => {
                (&args.words[..at], args.words[at + 1..].to_vec())
            }
            _ => {
                return Err(Failure::usage(
                    "give services, two dashes, and a command: haroll web -- COMMAND",
                ));
            }
        };
        let parse = |text: &String| {
            Key::parse(text)
                .map(Key::canonical)
                .map_err(|e| Failure::usage(format!("service {text:?}: {e}")))
        };
        let keys = services.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let port = args.port.as_deref().map_or(Ok(DEFAULT_PORT), parse_port);
        let by_user = || format!("{}: {}", reason::user(), command.join(" "));
        Ok(Self {
            spool: Spool::at(args.spool_root.as_deref().unwrap_or(spool::DEFAULT_ROOT)),
            daemon: Daemon {
                port: port.map_err(|e| Failure::usage(format!("-p: {e}")))?,
            },
            names: client::names(&keys),
            keys,
            reason: args
                .reason
                .filter(|r| !r.is_empty())
                .unwrap_or_else(by_user),
            command,
            limits: Limits::parse(&args.timeout, &args.polls, &args.min_pollers, args.force)?,
            interrupt: Interrupt::hold()?,
            progress: Progress::new(program),
            steps: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<u8, Failure> {
        self.spool
            .create_root()
            .map_err(|e| Failure::failed(e.to_string()))?;
        let before = self.may_begin()?;
        let has_pollers = before
            .pollers
            .iter()
            .any(|row| row.is_polling(before.now) && !row.is_person());
        self.step("down", Self::take_down)
            .map_err(|e| self.left_down(&e))?;
        self.step("drained", |roll| roll.wait(&before, Goal::Drained))
            .map_err(|e| self.left_down(&e))?;
        let status = self
            .step("command", Self::run_command)
            .map_err(|e| self.left_down(&e))?;
        if !status.success() {
            let failed = self.left_down(&format!("{} failed: {status}", self.command[0]));
            return Err(Failure {
                code: code(status),
                ..failed
            });
        }
        if has_pollers {
            self.step("healthy", Self::wait_healthy)
                .map_err(|e| self.left_down(&e))?;
        } else {
            self.progress
                .say("nobody polls it, so whether it is healthy is unknown");
        }
        let before = self.daemon.pollers(&self.names, ANSWER);
        self.step("up", Self::take_up)
            .map_err(|e| self.left_down(&e))?;
        self.step("seen up", |roll| roll.wait(&before?, Goal::Up))
            .map_err(|e| self.left_up(&e))?;
        let steps: Vec<_> = self
            .steps
            .iter()
            .map(|(name, took)| format!("{name} {}", seconds(*took)))
            .collect();
        self.progress.say(&format!("done: {}", steps.join(", ")));
        Ok(0)
    }

    /// Everything that speaks against it is looked at before anything is changed.
    fn may_begin(&self) -> Result<Page, Failure> {
        let nothing = |e: String| Failure::failed(format!("{e}; nothing was changed"));
        let page = self.daemon.pollers(&self.names, ANSWER).map_err(nothing)?;
        client::same_root(&page, &self.spool, self.daemon.port).map_err(nothing)?;
        if self.limits.force {
            return Ok(page);
        }
        for key in &self.keys {
            match self.spool.read(key) {
                Ok(None) => {}
                Ok(Some(before)) => {
                    let why = "so its end would lift another's downtime; --force takes it over";
                    let already = format!(
                        "{key} is already down {}, {why}",
                        description(&before, owner(&self.spool, key))
                    );
                    return Err(nothing(already));
                }
                Err(e) => return Err(nothing(e.to_string())),
            }
        }
        guard::refusal(&page).map_or(Ok(page), |refusal| Err(Failure::failed(refusal)))
    }

    /// Runs a step and tells how long it took.
    fn step<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let start = Instant::now();
        let done = work(self).map_err(|e| format!("{name}: {e}"))?;
        let took = start.elapsed();
        self.progress.say(&format!(
            "{}: {name} after {}",
            self.names.join(", "),
            seconds(took)
        ));
        self.steps.push((name, took));
        Ok(done)
    }

    fn take_down(&mut self) -> Result<(), String> {
        for key in &self.keys {
            let mut downtime = Downtime {
                reason: self.reason.clone(),
                ..Downtime::default()
            };
            downtime.set_by(&reason::user());
            self.spool.down(key, downtime).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn take_up(&mut self) -> Result<(), String> {
        for key in &self.keys {
            self.spool.up(key).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn wait(&mut self, before: &Page, goal: Goal) -> Result<(), String> {
        let (daemon, limits) = (self.daemon, self.limits);
        let wait = Wait {
            daemon,
            keys: &self.names,
            goal,
            limits,
            interrupt: &self.interrupt,
        };
        let lifted = || {
            self.keys
                .iter()
                .find(|key| matches!(self.spool.read(key), Ok(None)))
        };
        wait.run(before, &mut self.progress, || match goal {
            Goal::Up => None,
            Goal::Out | Goal::Drained => {
                lifted().map(|key| format!("the downtime of {key} was lifted by somebody else"))
            }
        })
    }

    fn wait_healthy(&mut self) -> Result<(), String> {
        let timeout = self.limits.timeout;
        healthy::wait(
            self.daemon,
            &self.names,
            PASSES,
            timeout,
            &self.interrupt,
            &mut self.progress,
        )
    }

    /// Runs the command to its end. Ctrl-C and SIGTERM are passed on to it.
    fn run_command(&mut self) -> Result<ExitStatus, String> {
        let (program, args) = (&self.command[0], &self.command[1..]);
        let mut child = Command::new(program)
            .args(args)
            .spawn()
            .map_err(|e| format!("cannot start {program}: {}", cause_text(e)))?;
        let pid = Pid::from_raw(i32::try_from(child.id()).map_err(|e| e.to_string())?);
        let mut interrupted: Option<Signal> = None;
        loop {
            match child
                .try_wait()
                .map_err(|e| format!("cannot wait for {program}: {}", cause_text(e)))?
            {
                Some(status) => {
                    return match interrupted {
                        Some(signal) => Err(format!(
                            "interrupted ({}), {program} ended: {status}",
                            signal.as_str()
                        )),
                        None => Ok(status),
                    };
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
            if let Some(signal) = self.interrupt.came() {
                interrupted = Some(signal);
                // A terminal's Ctrl-C reached it already. It is not waited for yet, so the id is still its own; one that
                // has ended needs no signal.
                if signal != Signal::SIGINT || !io::stdin().is_terminal() {
                    let _ = signal::kill(pid, signal);
                }
            }
        }
    }

    fn left_down(&self, why: &str) -> Failure {
        let names = self.names.join(", ");
        let down = |key: &Key| matches!(self.spool.read(key), Ok(Some(_)));
        match self.keys.iter().all(down) {
            true => Failure::failed(format!(
                "{why}\n{names} stays down; 'haup {}' puts it back",
                self.names.join(" ")
            )),
            false => Failure::failed(format!(
                "{why}\nnot all of {names} is down; see hashowdowned"
            )),
        }
    }

    fn left_up(&self, why: &str) -> Failure {
        Failure::failed(format!(
            "{why}\nthe downtime of {} is lifted all the same",
            self.names.join(", ")
        ))
    }
}

/// The command's own exit code, or 128 and its signal, as shells say it.
fn code(status: ExitStatus) -> u8 {
    let signal = || status.signal().map(|s| 128 + s);
    status
        .code()
        .or_else(signal)
        .and_then(|c| u8::try_from(c).ok())
        .filter(|c| *c != 0)
        .unwrap_or(1)
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
