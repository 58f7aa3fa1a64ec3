use super::*;
use crate::config::Config;
use crate::probe::Host;
use crate::sys::LocalAddresses;

fn target(path: &str) -> Target {
    Target {
        service: "s".into(),
        host: Host::Local,
        port: 1,
        path: path.into(),
        headers: crate::probe::Headers::default(),
        limit: None,
        trusted: false,
    }
}

fn key_of(protocol: &str, path: &str) -> Result<cache::Key, Outcome> {
    let context = Context::new(Arc::new(Config::default()), Arc::new(LocalAddresses::default())).unwrap();
    keys(Protocol::find(protocol).unwrap(), &target(path), &context).map(|(key, _)| key)
}

#[test]
fn a_made_up_request_cannot_multiply_probes_of_those_that_do_not_use_it() {
    for (protocol, a, b, same) in [
        ("tcp", "/a?b", "/c?d", true),
        ("http", "/a?b", "/a?c", false),
        ("mysql", "/a", "/b?", true),
        ("mysql", "/?max_lag=3&role=replica", "/x?role=replica&max_lag=03", true),
        ("mysql", "/?max_lag=3", "/?max_lag=4", false),
    ] {
        assert_eq!(key_of(protocol, a).unwrap() == key_of(protocol, b).unwrap(), same, "{protocol} {a} {b}");
    }
    assert!(key_of("mysql", "/whatever?a=b").is_ok(), "the originals ignored the query");
    assert_eq!(key_of("mysql", "/?rolle=primary").unwrap_err().status, hyper::StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_probe_that_panics_fails_its_check_and_no_other() {
    static PANICS: Protocol = Protocol {
        name: "panics",
        needs_slash: false,
        request: Request::Segment,
        keyed_by_service: false,
        default_port: Some(0),
        bare_timeout: false,
        probe: |probe| {
            Box::pin(async move {
                tokio::task::yield_now().await;
                assert!(&*probe.target.path != "/panic", "on purpose");
                Outcome::new(hyper::StatusCode::OK, "fine")
            })
        },
    };
    let context = Context::new(Arc::new(Config::default()), Arc::new(LocalAddresses::default())).unwrap();
    let context = Arc::new(context);
    let cache = Arc::new(Cache::new(cache::Limits { time: None, entries: 10, bytes: 1 << 20 }));
    let observer: Arc<Observer> = Arc::new(|_, _, _| {});
    let shared = Shared { cache, observer, groups: Arc::default(), waiting: Arc::default(), fresh: true };
    let ask = async |path: &str| match shared.outcome(&PANICS, target(path), &context) {
        Ok(soon) => soon.outcome().await,
        Err(refused) => panic!("refused: {refused:?}"),
    };
    for _ in 0..200 {
        // All who wait are told, and places of probes that panicked are free again.
        let (one, other) = tokio::join!(ask("/panic"), ask("/panic"));
        for outcome in [one, other] {
            assert_eq!(outcome.status, hyper::StatusCode::SERVICE_UNAVAILABLE);
            assert!(String::from_utf8_lossy(&outcome.body).contains("broke off inside hacheck"), "{outcome:?}");
        }
    }
    assert_eq!(ask("/well").await.status, hyper::StatusCode::OK);
}

#[test]
fn an_address_is_no_virtual_host() {
    for host in ["", "127.0.0.1", "127.0.0.1:3333", "[::1]:3333", "[::1]", "::1", "localhost:80", "LOCALHOST"] {
        assert!(!names_virtual_host(&HeaderValue::from_static(host)), "{host}");
    }
    for host in ["a.example", "a.example:8080", "web", "1.2.3.4.example"] {
        assert!(names_virtual_host(&HeaderValue::from_static(host)), "{host}");
    }
}
