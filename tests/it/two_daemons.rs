//! Two daemons on one port: upgrades do it for a moment, and by mistake it may stay so.

use nix::sys::signal::Signal;

use crate::support::PATIENCE;
use crate::support::daemon::Setup;

#[test]
fn the_logs_of_both_say_that_polls_go_to_either_until_one_ends() {
    let first = Setup::new().start();
    let port = first.address.port();
    let mut second = Setup::new().port(port).start();
    let says = format!("listens on port {port} too, so polls go to either");
    first.wait_for_log(&says);
    second.wait_for_log(&says);
    second.process.signal(Signal::SIGTERM);
    second.process.wait(PATIENCE);
    first.wait_for_log(&format!("no other process listens on port {port} any more"));
    assert_eq!(first.logged(&says), 1, "{}", first.log());
    first.get("/spool/web/80").is(200, "");
}
