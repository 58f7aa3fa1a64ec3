use super::*;
use argh::{ArgsInfo, FromArgs};

/// Options of every kind.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq, Default)]
struct Sample {
    /// repeated
    #[argh(option, short = 'p')]
    port: Vec<String>,
    /// once
    #[argh(option, short = 'r')]
    reason: Option<String>,
    /// once
    #[argh(option)]
    service_port: Option<String>,
    /// once
    #[argh(option, short = 'E')]
    service_host: Option<String>,
    /// with or without a value
    #[argh(option)]
    wait: Option<String>,
    /// switch
    #[argh(switch, short = 'v')]
    verbose: bool,
    /// rest
    #[argh(positional)]
    rest: Vec<String>,
}

fn read_all(args: &[&str]) -> Result<CommandLine, ArgvError> {
    read(
        &Sample::get_args_info(),
        &args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>(),
    )
}

fn parsed(args: &[&str]) -> Sample {
    let Ok(CommandLine::Args(args)) = read_all(args) else {
        panic!("{args:?}: {:?}", read_all(args))
    };
    Sample::from_args(
        &["sample"],
        &args.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .unwrap()
}

#[test]
fn all_spellings_of_an_option_mean_the_same() {
    for args in [
        &["--port=80", "-v", "web"][..],
        &["-p80", "-v", "web"],
        &["-p", "80", "--verbose", "web"],
        &["-vp", "80", "web"],
        &["-vp80", "web"],
        &["web", "--po", "80", "--verb"],
        &["-vvp80", "--", "web"],
    ] {
        let expected = Sample {
            port: vec!["80".into()],
            verbose: true,
            rest: vec!["web".into()],
            ..Sample::default()
        };
        assert_eq!(parsed(args), expected, "{args:?}");
    }
}

#[test]
fn a_value_is_never_taken_apart() {
    for value in ["--a=b", "-5", "--", "-v", "--help", "help", "-", "", "a=b"] {
        assert_eq!(
            parsed(&["-r", value]).reason.as_deref(),
            Some(value),
            "-r {value:?}"
        );
        assert_eq!(
            parsed(&["--reason", value]).reason.as_deref(),
            Some(value),
            "--reason {value:?}"
        );
        assert_eq!(
            parsed(&[&format!("--reason={value}")]).reason.as_deref(),
            Some(value),
            "--reason={value}"
        );
    }
}

#[test]
fn two_dashes_end_the_options_and_one_is_an_argument() {
    assert_eq!(
        parsed(&["a", "--", "-v", "--", "--help"]).rest,
        ["a", "-v", "--", "--help"]
    );
    assert_eq!(parsed(&["-", "help"]).rest, ["-", "help"]);
}

#[test]
fn the_last_of_a_repeated_option_counts_unless_it_is_to_be_repeated() {
    assert_eq!(
        parsed(&["-r", "a", "--reason=b"]).reason.as_deref(),
        Some("b")
    );
    assert_eq!(parsed(&["-p1", "--port", "2"]).port, ["1", "2"]);
}

#[test]
fn an_option_without_its_optional_value_takes_nothing_else() {
    for (args, value) in [
        (&["--wait", "web"][..], "seen"),
        (&["--wait=drained", "web"], "drained"),
    ] {
        let parsed = parsed(args);
        assert_eq!(
            (parsed.wait.as_deref(), &*parsed.rest),
            (Some(value), &["web".to_owned()][..]),
            "{args:?}"
        );
    }
}

#[test]
fn a_command_keeps_its_two_dashes() {
    /// Services and a command.
    #[derive(FromArgs, ArgsInfo)]
    struct Rolled {
        /// words
        #[argh(positional, arg_name = "command")]
        words: Vec<String>,
    }
    for (typed, words) in [
        (
            &["web", "--", "ls", "-l", "--", "x"][..],
            &["web", "--", "ls", "-l", "--", "x"][..],
        ),
        (&["--", "ls"], &["--", "ls"]),
        (&["web"], &["web"]),
    ] {
        let typed: Vec<_> = typed.iter().map(|a| (*a).to_owned()).collect();
        let Ok(CommandLine::Args(args)) = read(&Rolled::get_args_info(), &typed) else {
            panic!("{typed:?}")
        };
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        assert_eq!(Rolled::from_args(&["roll"], &args).unwrap().words, words);
    }
}

#[test]
fn help_and_version_win_over_mistakes() {
    for args in [
        &["--nonsense", "--help"][..],
        &["-h"],
        &["-vh"],
        &["web", "--he"],
        &["-r", "x", "-h", "-Z"],
    ] {
        assert_eq!(read_all(args), Ok(CommandLine::Help), "{args:?}");
    }
    assert_eq!(read_all(&["--version"]), Ok(CommandLine::Version));
}

/// With its own options alone: `--ver` there is `--verbose`.
#[test]
fn abbreviations_mean_what_they_meant_before_options_were_added() {
    let verbose = Ok(CommandLine::Args(vec!["--verbose".into(), "--".into()]));
    assert_eq!(read_all(&["--ver"]), verbose);
}

#[test]
fn mistakes_name_the_option_and_what_is_near() {
    for (args, expected) in [
        (
            &["--raeson", "x"][..],
            "unknown option --raeson; did you mean --reason?",
        ),
        (
            &["--frobnicate=1"],
            "unknown option --frobnicate; see --help",
        ),
        (
            &["--service", "1"],
            "option --service is ambiguous: --service-port, --service-host",
        ),
        (&["--verbose=1"], "option --verbose takes no value"),
        (&["--help=1"], "option --help takes no value"),
        (&["--reason"], "option --reason needs a value"),
        (&["-vp"], "option -p needs a value"),
        (&["-vx"], "unknown option -x; see --help"),
        (&["-e"], "unknown option -e; did you mean -E?"),
        (
            &["-service-port"],
            "unknown option -s; did you mean --service-port?",
        ),
        (&["--=x"], "unknown option --; see --help"),
        (&["-\u{e9}"], "unknown option -\u{e9}; see --help"),
    ] {
        let error = read_all(args).expect_err(expected);
        assert_eq!(error.to_string(), expected, "{args:?}");
    }
}
