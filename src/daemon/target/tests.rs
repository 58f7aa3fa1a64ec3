use super::*;
use crate::daemon::entries;
use crate::daemon::route::{self, Route};
use hyper::Method;
use hyper::header::HeaderName;

struct Host10;

impl Own for Host10 {
    fn is_own(&self, address: IpAddr) -> bool {
        address == IpAddr::from([10, 0, 0, 7]) || address == IpAddr::from([10, 0, 0, 8])
    }
    fn by_name(&self) -> Option<IpAddr> {
        Some([10, 0, 0, 7].into())
    }
}

fn asked(uri: &str, headers: &[(&'static str, &str)]) -> (Vec<String>, Result<Target, Outcome>) {
    let uri: Uri = uri.parse().unwrap();
    let Ok(Route::Check(check)) = route::parse(&Method::GET, uri.path()) else {
        panic!("{uri} is no check")
    };
    let headers = headers
        .iter()
        .map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap()))
        .collect();
    let asked = read(&check, &headers, &Host10);
    let names = entries::names(
        &check.service,
        asked.place.as_ref().ok(),
        asked.typed.as_deref(),
        &Host10,
    );
    let target = asked.place.and_then(|place| match check.protocol {
        Some(protocol) => build(&check, protocol, place, &uri, &headers, &Config::default()),
        None => Err(Outcome::new(StatusCode::OK, "there is nothing to probe")),
    });
    (names, target)
}

const STATE: &str = "x-haproxy-server-state";
const NERVE: &str = "x-nerve-check-ip";

#[test]
fn headers_move_the_check_to_the_servers_own_address() {
    for (headers, host, port) in [
        (vec![], "127.0.0.1", 80),
        (
            vec![(STATE, "UP 2/3; address=10.1.2.3; port=8080; name=b/s")],
            "10.1.2.3",
            8080,
        ),
        (
            vec![(STATE, "UP;\t address = srv2 ;port = 81 ;")],
            "srv2",
            81,
        ),
        (vec![(STATE, "UP; address=::1; port=81")], "[::1]", 81),
        (
            vec![(STATE, "UP; address=unix; port=; name=b/s")],
            "127.0.0.1",
            80,
        ),
        (
            vec![(STATE, "UP; address=10.1.2.3; port=0")],
            "10.1.2.3",
            80,
        ),
        (
            vec![(STATE, "UP; port=2; port=3; port=4=5")],
            "127.0.0.1",
            3,
        ),
        (
            vec![(NERVE, "10.1.2.3"), (STATE, "UP; port=81")],
            "10.1.2.3",
            81,
        ),
        (vec![(NERVE, "")], "127.0.0.1", 80),
        (vec![(NERVE, "10.0.0.7")], "127.0.0.1", 80),
        (vec![(NERVE, "10.0.0.8")], "10.0.0.8", 80),
        (vec![(NERVE, "::ffff:127.0.0.1")], "127.0.0.1", 80),
    ] {
        let target = asked("/http/web/80/x", &headers).1.unwrap();
        assert_eq!(
            (target.host.to_string().as_str(), target.port),
            (host, port),
            "{headers:?}"
        );
    }
}

#[test]
fn hosts_and_ports_that_cannot_be_are_refused() {
    for headers in [
        vec![(NERVE, "a@b")],
        vec![(NERVE, "127.0.0.1:80/other?")],
        vec![(STATE, "UP; port=abc")],
        vec![(STATE, "UP; port=+80")],
        vec![(STATE, "UP; port=70000")],
    ] {
        let refused = asked("/http/web/80/x", &headers).1.unwrap_err();
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{headers:?}");
    }
    assert_eq!(
        asked("/tcp/web/70000", &[]).1.unwrap_err().status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        asked("/tcp/web/70000", &[(STATE, "UP; port=80")])
            .1
            .unwrap()
            .port,
        80
    );
    assert_eq!(
        asked("/tcp/web/0", &[]).1.unwrap_err().status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[test]
fn spool_entries_name_service_and_instance() {
    for (headers, names) in [
        (vec![], vec!["web", "web:80", "web:10.0.0.7:80"]),
        (
            vec![(NERVE, "10.0.0.7")],
            vec!["web", "web:80", "web:10.0.0.7:80"],
        ),
        (
            vec![(NERVE, "10.0.0.8")],
            vec!["web", "web:80", "web:10.0.0.8:80"],
        ),
        (vec![(NERVE, "10.9.9.9")], vec!["web", "web:10.9.9.9:80"]),
        (
            vec![(STATE, "UP; address=::1; port=81")],
            vec!["web", "web:::1:81"],
        ),
    ] {
        assert_eq!(asked("/spool/web/80", &headers).0, names, "{headers:?}");
    }
}

#[test]
fn the_path_goes_on_as_it_came() {
    for (uri, path) in [
        ("/http/web/80/", "/"),
        ("/http/web/80/a%20b%3F/c?d=e?f", "/a%20b%3F/c?d=e?f"),
        ("/http/web/80/x?", "/x"),
        ("/http/web/80//x", "/x"),
    ] {
        assert_eq!(&*asked(uri, &[]).1.unwrap().path, path, "{uri}");
    }
}
