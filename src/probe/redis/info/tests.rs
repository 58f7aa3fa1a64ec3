use super::*;

const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nexecutable:/a:b\r\n\r\n# Keyspace\r\n\
                    db0:keys=1,expires=0\r\nno field\r\n";

#[test]
fn fields_end_at_the_first_colon() {
    let info = Info::parse(INFO);
    assert_eq!(info.get("redis_version"), Some("7.0.15"));
    assert_eq!(info.get("executable"), Some("/a:b"));
    assert_eq!(info.get("db0"), Some("keys=1,expires=0"));
    assert_eq!(info.get("db0.keys"), Some("1"));
    for absent in [
        "",
        "no field",
        "db0.",
        "db0.x",
        "db1.keys",
        ".",
        "redis_version.7",
    ] {
        assert_eq!(info.get(absent), None, "{absent}");
    }
    assert_eq!(info.0.len(), 3);
}

#[test]
fn all_pairs_must_match_where_all_are_asked_for() {
    let info = Info::parse("role:slave\nmaster_link_status:up\n");
    for (query, status, said) in [
        (
            "role=slave&master_link_status=up",
            200,
            "All fields match: role, master_link_status",
        ),
        (
            "role=slave&master_link_status=down",
            500,
            "Field master_link_status is up, not down",
        ),
        (
            "role=slave&role=master",
            500,
            "Field role is slave, not master",
        ),
        ("role=slave&nosuch=", 500, "Field nosuch is not there"),
    ] {
        let outcome = info.find_all(query);
        assert_eq!(outcome.status.as_u16(), status, "{query}");
        assert_eq!(outcome.body, said.as_bytes(), "{query}");
    }
}

#[test]
fn the_first_master_is_named() {
    let master = |reply: &str| {
        let mut info = Info::parse(reply);
        info.add_master(reply);
        info.get("redis_master").map(str::to_owned)
    };
    for (reply, address) in [
        (
            "master0:name=m,status=ok,address=10.20.30.40:6379,slaves=2\r\n",
            Some("10.20.30.40:6379"),
        ),
        (
            "master0:name=a,address=10.0.0.1:1\nmaster1:name=b,address=10.0.0.2:2\n",
            Some("10.0.0.1:1"),
        ),
        (
            "master0:name=m,address=2001:db8::1:6379\n",
            Some("2001:db8::1:6379"),
        ),
        (
            "master0:name=m,address=db.example:6379\n",
            Some("db.example:6379"),
        ),
        ("masters here: 10.0.0.1:99\n", Some("10.0.0.1:99")),
        ("redis_version:7.0.15\ntime:12:13\n", None),
    ] {
        assert_eq!(master(reply).as_deref(), address, "{reply}");
    }
}

#[test]
fn no_reply_upsets_the_parser() {
    let mut state = 1_u64;
    for _ in 0..3000 {
        let text: String = (0..30)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(7);
                char::from(b"master0:=,.1\r\n#ad"[usize::try_from(state >> 40).unwrap() % 17])
            })
            .collect();
        let mut info = Info::parse(&text);
        info.add_master(&text);
        let _ = (info.get(&text), info.get("master0.a"));
    }
}
