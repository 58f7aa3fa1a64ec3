use std::time::Duration;

use super::*;

fn read(args: &[&str]) -> Result<HealthChecker, Failure> {
    HealthChecker::new(&HealthCheckerArgs::from_args(&["health-checker"], args).unwrap())
}

#[test]
fn flags_become_one_group() {
    let options = read(&[
        "--port",
        "80",
        "--port",
        "db:5432",
        "--port",
        "http://localhost:8080/x",
        "--script",
        "cmd --flag #a 'b",
        "--script-timeout",
        "9",
        "--listener",
        ":6000",
        "--log-level",
        "Warning",
    ])
    .unwrap();
    let group = &options.config.groups[GROUP];
    let checks: Vec<_> = group
        .checks
        .iter()
        .map(|c| (c.text.as_str(), c.protocol, c.port, c.limit))
        .collect();
    let limit = Some(Duration::from_secs(9));
    assert_eq!(
        checks,
        [
            ("tcp://localhost:80", "tcp", 80, None),
            ("tcp://db:5432", "tcp", 5432, None),
            ("http://localhost:8080/x", "http", 8080, None),
            ("script cmd --flag '#a' ''\\''b'", "exec", 0, limit),
        ]
    );
    assert_eq!(
        options.config.probe.exec["script-1"].words(),
        ["cmd", "--flag", "#a", "'b"]
    );
    assert_eq!(
        (options.listener.to_string().as_str(), options.level),
        ("0.0.0.0:6000", LevelFilter::Warn)
    );
    assert_eq!(
        read(&["--port", "1"]).unwrap().listener.to_string(),
        "0.0.0.0:5500"
    );
}

#[test]
fn wrong_values_are_named() {
    for (args, says) in [
        (
            &["--singleflight", "true"][..],
            "Missing required parameter, one of --port / --script required",
        ),
        (&["--port", "0"], "has a port that is not 1 to 65535"),
        (&["--port", "web"], "has no port"),
        (&["--port", "exec://x"], "use --script"),
        (
            &["--port", "http://u:s3cret@web/"],
            "--port: \"http://***@web/\" has a user name or a password in it",
        ),
        (&["--script", ""], "names no program"),
        (&["--port", "1", "--script-timeout", "0"], "give 1 to 86400"),
        (
            &["--port", "1", "--listener", "nonsense"],
            "is not an address with a port",
        ),
        (
            &["--port", "1", "--log-level", "loud"],
            "The log-level value \"loud\" is invalid",
        ),
        (
            &["--port", "1", "--singleflight", "maybe"],
            "is neither true nor false",
        ),
    ] {
        let failure = read(args).unwrap_err();
        assert!(
            failure.code == 2 && failure.message.contains(says),
            "{args:?}: {}",
            failure.message
        );
    }
}
