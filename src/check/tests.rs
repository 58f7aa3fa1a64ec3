use super::*;
use crate::probe::{self, Context, Protocol, Request, Target};

#[tokio::test]
async fn a_probe_that_panics_fails_its_check_and_no_other() {
    static PANICS: Protocol = Protocol {
        name: "panics",
        needs_slash: false,
        request: Request::Segment,
        keyed_by_service: false,
        default_port: Some(0),
        bare_timeout: false,
        login: |_, _| None,
        probe: |probe| {
            Box::pin(async move {
                tokio::task::yield_now().await;
                assert!(&*probe.target.path != "/panic", "on purpose");
                Outcome::new(hyper::StatusCode::OK, "fine")
            })
        },
    };
    let context = Arc::new(CheckContext {
        probes: Context::plain(probe::ProbeSettings::default()),
        groups: group::Groups::default(),
    });
    let checker = Checker::new(&CheckSettings::default(), Arc::new(|_, _, _| {})).fresh();
    let ask = async |path: &str| {
        let check = Check {
            protocol: &PANICS,
            target: Arc::new(Target::local(1, path)),
        };
        checker
            .outcome(&check, &context, Asker::Configuration)
            .await
            .unwrap()
    };
    for _ in 0..200 {
        // All who wait are told, and places of probes that panicked are free again.
        let (one, other) = tokio::join!(ask("/panic"), ask("/panic"));
        for outcome in [one, other] {
            assert_eq!(outcome.status, hyper::StatusCode::SERVICE_UNAVAILABLE);
            assert!(
                String::from_utf8_lossy(&outcome.body).contains("broke off inside hacheck"),
                "{outcome:?}"
            );
        }
    }
    assert_eq!(ask("/well").await.status, hyper::StatusCode::OK);
}
