//! What operators and balancers rely on beyond the contract: the cases in `tests/cases`, a test for each file.

use crate::support::cases::{files, installed, pass, python};

macro_rules! subjects {
    ($($subject:ident)*) => {
        const SUBJECTS: &[&str] = &[$(stringify!($subject)),*];

        $(#[test]
        fn $subject() {
            run(&[stringify!($subject)]);
        })*
    };
}

subjects! {
    command_line configuration credentials databases downtimes health_checker heartbeat
    instances observing remote_post roll spool_files
}

#[test]
fn each_file_of_cases_has_its_test() {
    assert_eq!(files("cases"), SUBJECTS);
}

#[track_caller]
fn run(args: &[&str]) {
    let bin = installed();
    let mut command = python("tests/cases/run.py");
    command.args(args).env("HACHECK_BIN_DIR", bin.path());
    pass(&mut command);
}
