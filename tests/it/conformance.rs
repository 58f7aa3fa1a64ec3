//! The contract of the replaced tools: the cases in `tests/conformance`, a test for each file.

use crate::support::cases::{files, installed, pass, python};

macro_rules! areas {
    ($($area:ident)*) => {
        const AREAS: &[&str] = &[$(stringify!($area)),*];

        $(#[test]
        fn $area() {
            run(stringify!($area));
        })*
    };
}

areas! {
    caching cli config haproxy_check headers http_check mysql_check odd_upstreams process
    redis_checks remote_spool routing smtp_check spool_files status_endpoints tcp_check
}

#[test]
fn each_file_of_cases_has_its_test() {
    assert_eq!(files("conformance/cases"), AREAS);
}

#[track_caller]
fn run(area: &str) {
    let bin = installed();
    let program = |name: &str| bin.file(name).display().to_string();
    let server = program("hacheck") + " -c {config} -p {port} --spool-root {spool}";
    let mut command = python("tests/conformance/run.py");
    command.args(["--area", area, "--server", &server]);
    for name in ["haup", "hadown", "hastatus", "halist", "hashowdowned"] {
        command.arg(format!("--{name}")).arg(program(name));
    }
    pass(&mut command);
}
