//! Programs that end, hang, flood, leave children behind, or are not there.

use super::capture::OUTPUT_MAX;
use super::*;
use std::time::{Duration, Instant};

static USUAL: Environment<'_> = Environment {
    listed: &[],
    secrets: Vec::new(),
};

fn shell(script: &str) -> Argv {
    Argv::new(vec!["/bin/sh".into(), "-c".into(), script.into()]).unwrap()
}

async fn ran(script: &str) -> Ran {
    tokio::time::timeout(Duration::from_secs(20), run(&shell(script), &[], &USUAL))
        .await
        .expect("it hangs")
        .unwrap()
}

fn exists(pid: &str) -> bool {
    // A zombie is gone as far as its work is concerned, yet it must not stay: its folder counts.
    std::path::Path::new("/proc").join(pid.trim()).exists()
}

async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "not in time: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn exit_code_and_both_outputs_are_told() {
    let ran = ran("echo; echo ' out\tx'; echo err >&2; exit 3").await;
    assert_eq!(
        (ran.end, ran.stdout.as_slice(), ran.stderr.as_slice()),
        (End::Exit(3), &b"\n out\tx\n"[..], &b"err\n"[..])
    );
}

#[tokio::test]
async fn a_signal_is_named() {
    let ran = ran("kill -TERM $$").await;
    assert_eq!(
        (ran.end, ran.end.to_string().as_str()),
        (End::Signal(15), "killed by SIGTERM")
    );
}

#[tokio::test]
async fn output_is_bounded_and_does_not_block_the_writer() {
    let ran = ran("head -c 5000000 /dev/zero; head -c 300000 /dev/zero >&2; exit 0").await;
    assert_eq!(
        (ran.end, ran.stdout.len(), ran.stderr.len()),
        (End::Exit(0), OUTPUT_MAX, OUTPUT_MAX)
    );
}

#[tokio::test]
async fn a_grandchild_that_holds_the_pipes_is_neither_waited_for_nor_killed() {
    let ran = ran("sleep 600 & echo $!").await;
    let pid = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    assert!(ran.end.is_success() && exists(&pid), "{ran:?}");
    let pid: i32 = pid.parse().unwrap();
    nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn dropping_the_run_kills_the_whole_group_and_leaves_no_zombie() {
    let folder = std::env::temp_dir().join(format!("hacheck-process-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("pids");
    let script = format!(
        "sleep 600 & echo $$ $! > {}; trap '' TERM; wait",
        file.display()
    );
    let argv = shell(&script);
    let pids = || std::fs::read_to_string(&file).unwrap_or_default();
    {
        let running = run(&argv, &[], &USUAL);
        tokio::pin!(running);
        tokio::select! {
            _ = &mut running => panic!("it ended"),
            () = wait_until("the pids", || pids().ends_with('\n')) => {}
        }
    }
    let pids = pids();
    wait_until("both are gone", || {
        pids.split_whitespace()
            .next()
            .is_some_and(|leader| !exists(leader))
    })
    .await;
    // The grandchild is reaped by whoever adopts orphans here, so a zombie of it is not ours.
    let grandchild = pids.split_whitespace().nth(1).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
    wait_until("the grandchild is dead", || {
        stat().is_empty() || stat().contains(") Z ")
    })
    .await;
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn variables_are_added_to_the_environment() {
    let argv = shell("echo \"$A-${PATH:+path}\"");
    assert_eq!(
        run(&argv, &[("A", "b c")], &USUAL).await.unwrap().stdout,
        b"b c-path\n"
    );
}

#[tokio::test]
async fn what_cannot_be_started_is_a_sentence() {
    let said = |program: &str| {
        let argv = Argv::new(vec![program.to_owned()]).unwrap();
        async move { run(&argv, &[], &USUAL).await.unwrap_err().to_string() }
    };
    assert_eq!(
        said("/nonexistent/x").await,
        "cannot run /nonexistent/x: there is no such program, or not the interpreter in its first line"
    );
    assert!(said("/etc/passwd").await.contains("may not be executed"));
}
