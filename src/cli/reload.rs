//! `hacheck reload`: has a daemon read its configuration again, and waits for what comes of it: SIGHUP alone tells nobody.
//! It is the unit's `ExecReload=`, so that `systemctl reload` fails where the file is bad.

use std::path::Path;
use std::time::{Duration, Instant};

use argh::{ArgsInfo, FromArgs};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cli::applet::{Applet, Call};
use crate::cli::args::values::number;
use crate::cli::failure::{Failure, failed, usage};
use crate::cli::wait::limits;
use crate::daemon::reload_report::ReloadReport;

/// How often the report is looked at.
const EVERY: Duration = Duration::from_millis(20);

/// How long to wait unless told otherwise: less than systemd does.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "reload",
    alias: None,
    usage: "[--pid PID] [--timeout TIME]",
    about: "have the daemon read its configuration again; exit with 1 unless all of it is in force",
    info: ReloadArgs::get_args_info,
    uses: |_| true,
    run,
};

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    example = "systemctl reload hacheck",
    example = "hacheck reload --pid 4711"
)]
struct ReloadArgs {
    /// process of the daemon (default: the MAINPID that systemd tells)
    #[argh(option, arg_name = "pid")]
    pid: Option<String>,
    /// longest wait: 60, 90s, 5m (default 60 seconds)
    #[argh(option, arg_name = "time")]
    timeout: Option<String>,
    /// none
    #[argh(positional)]
    stray: Vec<String>,
}

fn run(call: &Call) -> Result<u8, Failure> {
    let args: ReloadArgs = call.parse()?;
    if let Some(stray) = args.stray.first() {
        return Err(usage!(
            "unexpected argument {stray:?}: there are options only"
        ));
    }

    let request = ReloadRequest {
        pid: pid(args.pid)?,
        end: Instant::now() + timeout(args.timeout.as_deref())?,
    };

    let report = request.send_and_wait()?;
    for note in &report.notes {
        call.note(note);
    }

    refuse_faults(&report)?;
    Ok(0)
}

fn pid(given: Option<String>) -> Result<u32, Failure> {
    // systemd tells it to the commands of ExecReload= (systemd.exec(5)).
    let Some(text) = given.or_else(|| std::env::var("MAINPID").ok()) else {
        return Err(usage!(
            "name the daemon's process with --pid, or use systemctl reload hacheck"
        ));
    };

    number("--pid", &text)
}

fn timeout(given: Option<&str>) -> Result<Duration, Failure> {
    match given {
        Some(text) => limits::positive("--timeout", text),
        None => Ok(TIMEOUT),
    }
}

/// Which daemon is to reload.
struct ReloadRequest {
    pid: u32,
    /// When to wait no longer.
    end: Instant,
}

impl ReloadRequest {
    fn send_and_wait(&self) -> Result<ReloadReport, Failure> {
        // One that is running now may have read the file before it was changed.
        let before = self.wait_for(|report| !report.is_running());
        self.signal(Signal::SIGHUP)?;
        let before = before?;
        self.wait_for(|report| report.ended > before.begun)
    }

    /// Waits until the daemon's report is so.
    fn wait_for(&self, is_so: impl Fn(&ReloadReport) -> bool) -> Result<ReloadReport, Failure> {
        loop {
            // First of all: what has come counts, also where the time is just over or the daemon has just ended.
            let report = ReloadReport::read(self.pid).ok_or_else(|| self.unknown())?;
            if is_so(&report) {
                return Ok(report);
            }
            if Instant::now() >= self.end {
                return Err(failed!(
                    "process {} has not read its configuration in time; a disk may hang",
                    self.pid
                ));
            }
            self.expect_alive()?;
            std::thread::sleep(EVERY);
        }
    }

    fn unknown(&self) -> Failure {
        let (pid, path) = (self.pid, ReloadReport::path());
        failed!(
            "process {pid} got SIGHUP, but does not report reloads in {}, so the outcome is unknown: see its log. To have it \
             reported, start hacheck and this command with the same RUNTIME_DIRECTORY",
            Path::display(&path)
        )
    }

    fn expect_alive(&self) -> Result<(), Failure> {
        self.kill(None)
    }

    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        self.kill(Some(signal))
    }

    fn kill(&self, signal: Option<Signal>) -> Result<(), Failure> {
        let pid = self.pid;
        // A number beyond is that of no process.
        let Ok(number) = i32::try_from(pid) else {
            return Err(no_process(pid));
        };

        match kill(Pid::from_raw(number), signal) {
            Ok(()) => Ok(()),
            Err(Errno::ESRCH) => Err(no_process(pid)),
            Err(e) => Err(failed!(
                "cannot signal process {pid}: {}; run as root or as its user",
                e.desc()
            )),
        }
    }
}

fn no_process(pid: u32) -> Failure {
    failed!("there is no process {pid}; systemctl status hacheck shows the daemon's")
}

fn refuse_faults(report: &ReloadReport) -> Result<(), Failure> {
    if report.faults.is_empty() {
        return Ok(());
    }

    let faults = report.faults.join("\n");
    match report.is_new {
        true => Err(failed!(
            "the configuration is in force, but not all of it: {faults}"
        )),
        false => Err(failed!("the configuration stays as it was: {faults}")),
    }
}
