//! `redis-info` and `sentinel-info`: the fields of `INFO` as JSON, or whether one of them has a value: the path
//! `match?role=master&role=slave` passes when any of its pairs does (Redis command reference, INFO).

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use bytes::Bytes;

use super::lines::{Lines, on_one_line};
use super::redis::{self, LINE_MAX, refused};
use super::{Outcome, Probe, Protocol, Request};

/// Longest reply, in bytes. A busy server's is about 10 KiB.
const INFO_MAX: usize = 1 << 20;

/// The row of `redis-info`.
pub(super) const REDIS_INFO: Protocol = Protocol {
    name: "redis-info",
    request: Request::Whole,
    probe: |probe| {
        Box::pin(async move {
            check(probe, b"Keyspace")
                .await
                .unwrap_or_else(|failed| failed)
        })
    },
    ..redis::REDIS
};

/// The row of `sentinel-info`.
pub(super) const SENTINEL_INFO: Protocol = Protocol {
    name: "sentinel-info",
    request: Request::Whole,
    probe: |probe| {
        Box::pin(async move {
            check(probe, b"sentinels")
                .await
                .unwrap_or_else(|failed| failed)
        })
    },
    ..redis::SENTINEL
};

async fn check(probe: &Probe<'_>, mark: &'static [u8]) -> Result<Outcome, Outcome> {
    let mut lines = redis::open(probe).await?;
    probe.trace.stage("waiting for the answer to INFO");
    let reply = read(probe, &mut lines, mark).await?;
    let mut info = Info::parse(&String::from_utf8_lossy(&reply));
    if !info.0.contains_key("redis_version") {
        return Err(refused(format!(
            "Sent INFO, got back {}",
            lines.shown(&reply)
        )));
    }
    if probe.protocol.name == SENTINEL_INFO.name {
        info.add_master(&String::from_utf8_lossy(&reply));
    }
    let asked =
        probe.target.bare_path().trim_matches('/') == "match" && !probe.target.query().is_empty();
    if asked {
        Ok(info.find(probe.target.query()))
    } else {
        info.json().map_err(|e| probe.failed(e))
    }
}

/// Reads the reply: a string counted in bytes, an error, or lines as they are. The latter come from no Redis, but the
/// originals took them, up to the place that `mark` names.
async fn read(probe: &Probe<'_>, lines: &mut Lines<'_>, mark: &[u8]) -> Result<Bytes, Outcome> {
    let failed = |e| probe.failed(e);
    lines.send(b"INFO\r\n").await.map_err(failed)?;
    match lines.peek().await.map_err(failed)? {
        b'$' => {
            let head = lines.line(LINE_MAX).await.map_err(failed)?;
            let count = std::str::from_utf8(&head[1..])
                .ok()
                .and_then(|n| n.trim().parse::<usize>().ok());
            match count.filter(|n| *n <= INFO_MAX) {
                Some(count) => lines.exact(count).await.map_err(failed),
                None => Err(refused(format!(
                    "Sent INFO, got back {}",
                    lines.shown(&head)
                ))),
            }
        }
        b'-' => {
            let error = lines.line(LINE_MAX).await.map_err(failed)?;
            Err(refused(format!(
                "Sent INFO, got back {}",
                lines.shown(&error)
            )))
        }
        _ => {
            let reply = lines.rest(INFO_MAX, Some(mark)).await.map_err(failed)?;
            match reply.windows(mark.len()).any(|w| w == mark) {
                true => Ok(reply),
                false => Err(probe.failed(
                    "the peer closed the connection in the middle of INFO, before its end",
                )),
            }
        }
    }
}

/// The fields of a reply.
#[derive(Debug)]
struct Info(BTreeMap<String, String>);

impl Info {
    /// `field:value` lines; a value may hold colons. Section heads and empty lines are left out.
    fn parse(reply: &str) -> Self {
        let fields = reply
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'));
        Self(
            fields
                .filter_map(|l| l.split_once(':'))
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
        )
    }

    /// `redis_master`: the address of the first master that is watched, as the originals name it.
    fn add_master(&mut self, reply: &str) {
        let first = reply
            .lines()
            .filter(|l| l.starts_with("master"))
            .find_map(|l| part(l.split_once(':')?.1, "address"));
        let any = || {
            reply
                .split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':')
                .find(|t| is_address(t))
        };
        if let Some(master) = first.or_else(any) {
            self.0.insert("redis_master".into(), master.to_owned());
        }
    }

    /// A field's value; `db0.keys` is the part `keys` of `db0:keys=1,expires=0`.
    fn get(&self, field: &str) -> Option<&str> {
        let inner = || {
            field
                .rsplit_once('.')
                .and_then(|(field, name)| part(self.0.get(field)?, name))
        };
        self.0.get(field).map(String::as_str).or_else(inner)
    }

    fn find(&self, query: &str) -> Outcome {
        for (field, value) in form_urlencoded::parse(query.as_bytes()) {
            if self.get(&field) == Some(&*value) {
                return Outcome::healthy(format!(
                    "Match found: field {}, value {}",
                    on_one_line(&field),
                    on_one_line(&value)
                ));
            }
        }
        refused("No matching field found".into())
    }

    fn json(&self) -> Result<Outcome, serde_json::Error> {
        Ok(Outcome {
            ours: false,
            ..Outcome::healthy(serde_json::to_string(&self.0)?)
        })
    }
}

/// A part of `name=value,name=value`.
fn part<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value
        .trim()
        .split(',')
        .find_map(|pair| pair.split_once('=').filter(|(n, _)| *n == name))
        .map(|(_, v)| v)
}

fn is_address(text: &str) -> bool {
    text.parse::<SocketAddrV4>().is_ok()
}

#[cfg(test)]
mod tests {
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
}
