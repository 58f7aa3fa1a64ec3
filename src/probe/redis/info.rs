//! `redis-info` and `sentinel-info`: the fields of `INFO` as JSON, or whether they have certain values: the path
//! `match?role=master&role=slave` passes when any of its pairs does, `match_all?role=slave&master_link_status=up` when all
//! do (Redis command reference, INFO).

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use bytes::Bytes;

use super::{LINE_MAX, REDIS, SENTINEL, is_sentinel, open, refused};
use crate::http::memory::MemoryPermit;
use crate::probe::lines::{Incomplete, Lines, contains};
use crate::probe::shown::on_one_line;
use crate::probe::{Checked, Outcome, Probe, Protocol, Request, settle};

/// Longest reply, in bytes. A busy server's is about 10 KiB.
const INFO_MAX: usize = 1 << 20;

/// The row of `redis-info`.
pub(in crate::probe) const REDIS_INFO: Protocol = Protocol {
    name: "redis-info",
    request: Request::Whole,
    probe: |probe| settle(check(probe, b"Keyspace")),
    ..REDIS
};

/// The row of `sentinel-info`.
pub(in crate::probe) const SENTINEL_INFO: Protocol = Protocol {
    name: "sentinel-info",
    request: Request::Whole,
    probe: |probe| settle(check(probe, b"sentinels")),
    ..SENTINEL
};

async fn check(probe: &Probe<'_>, last_section: &'static [u8]) -> Checked {
    let query = probe.target.query();
    // What cannot be wanted is told without a connection.
    let wanted = wanted(probe.target.bare_path(), query)?;
    let mut memory = probe.memory();
    let info = ask(probe, last_section, &mut memory).await?;
    match wanted {
        InfoQuery::Json => as_json(probe, &info, memory),
        InfoQuery::AnyOf => Ok(info.find_any(query)),
        InfoQuery::AllOf => Ok(info.find_all(query)),
    }
}

fn as_json(probe: &Probe<'_>, info: &Info, mut memory: MemoryPermit) -> Checked {
    let text = probe.or_failed(info.json())?;
    let place = memory.grow_to(text.len());
    place.map_err(|full| probe.full(full))?;
    Ok(Outcome {
        body: memory.hold(text),
        ours: false,
        ..Outcome::healthy("")
    })
}

/// What a check wants to know.
enum InfoQuery {
    /// All fields.
    Json,
    /// Whether any field has its value.
    AnyOf,
    /// Whether all fields have their values.
    AllOf,
}

fn wanted(path: &str, query: &str) -> Result<InfoQuery, Outcome> {
    match path.trim_matches('/') {
        "match" if !query.is_empty() => Ok(InfoQuery::AnyOf),
        // Of no field all have their values: a slip would pass for ever.
        "match_all" if query.is_empty() => Err(Outcome::bad_request(
            "match_all names no field; write one such as match_all?role=master",
        )),
        "match_all" => Ok(InfoQuery::AllOf),
        _ => Ok(InfoQuery::Json),
    }
}

async fn ask(
    probe: &Probe<'_>,
    last_section: &[u8],
    memory: &mut MemoryPermit,
) -> Result<Info, Outcome> {
    let mut lines = open(probe).await?;
    probe.trace.stage("waiting for the answer to INFO");
    let reply = read(probe, &mut lines, last_section, memory).await?;
    match parse(probe, &reply) {
        Some(info) => Ok(info),
        None => Err(got_back(&lines, &reply)),
    }
}

fn parse(probe: &Probe<'_>, reply: &[u8]) -> Option<Info> {
    let text = String::from_utf8_lossy(reply);
    let mut info = Info::parse(&text);
    // What has no version is no answer to INFO, whatever else it is.
    info.get("redis_version")?;
    if is_sentinel(probe) {
        info.add_master(&text);
    }

    Some(info)
}

/// Reads the reply: a string counted in bytes, an error, or lines as they are.
async fn read(
    probe: &Probe<'_>,
    lines: &mut Lines<'_>,
    last_section: &[u8],
    memory: &mut MemoryPermit,
) -> Result<Bytes, Outcome> {
    let first = probe.or_failed(first_byte(lines).await)?;
    // The first byte says which kind of reply it is (RESP).
    match first {
        b'$' => read_counted(probe, lines, memory).await,
        b'-' => Err(read_error(probe, lines).await),
        _ => read_bare(probe, lines, last_section, memory).await,
    }
}

async fn first_byte(lines: &mut Lines<'_>) -> Result<u8, Incomplete> {
    lines.send(b"INFO\r\n").await?;
    lines.peek().await
}

async fn read_counted(
    probe: &Probe<'_>,
    lines: &mut Lines<'_>,
    memory: &mut MemoryPermit,
) -> Result<Bytes, Outcome> {
    let head = probe.or_failed(lines.line(LINE_MAX).await)?;
    // `$-1` is a reply that is not there, and anybody can claim any number.
    let count = match counted(&head) {
        Some(count) if count <= INFO_MAX => count,
        _ => return Err(got_back(lines, &head)),
    };

    // Before the bytes come: their number is the peer's word, and many may claim much at once.
    memory.grow_to(count).map_err(|full| probe.full(full))?;
    let reply = lines.exact(count).await;
    probe.or_failed(reply)
}

/// The number of `$100`, how many bytes follow.
fn counted(head: &[u8]) -> Option<usize> {
    let digits = head.strip_prefix(b"$")?;
    let text = std::str::from_utf8(digits).ok()?;
    text.trim().parse().ok()
}

async fn read_error(probe: &Probe<'_>, lines: &mut Lines<'_>) -> Outcome {
    match lines.line(LINE_MAX).await {
        Ok(error) => got_back(lines, &error),
        Err(incomplete) => probe.failed(incomplete),
    }
}

/// Reads lines as they are, up to the last section. No Redis sends them so, but the originals took them.
async fn read_bare(
    probe: &Probe<'_>,
    lines: &mut Lines<'_>,
    last_section: &[u8],
    memory: &mut MemoryPermit,
) -> Result<Bytes, Outcome> {
    // As much as may come, as nobody says how long it is.
    memory.grow_to(INFO_MAX).map_err(|full| probe.full(full))?;
    let reply = probe.or_failed(lines.until(last_section, INFO_MAX).await)?;
    if contains(&reply, last_section) {
        return Ok(reply);
    }

    Err(probe.failed("the peer closed the connection in the middle of INFO, before its end"))
}

fn got_back(lines: &Lines<'_>, answer: &[u8]) -> Outcome {
    refused(format!("Sent INFO, got back {}", lines.shown(answer)))
}

/// The fields of a reply.
#[derive(Debug)]
struct Info(BTreeMap<String, String>);

impl Info {
    /// Reads `field:value` lines; a value may hold colons. Section heads and empty lines are left out.
    fn parse(reply: &str) -> Self {
        let mut fields = BTreeMap::new();
        for line in reply.lines().map(str::trim) {
            match line.split_once(':') {
                Some((field, value)) if !line.starts_with('#') => {
                    fields.insert(field.to_owned(), value.to_owned());
                }
                _ => {}
            }
        }

        Self(fields)
    }

    /// Adds `redis_master`, as the originals name the address of the first master that is watched.
    fn add_master(&mut self, reply: &str) {
        if let Some(master) = master_address(reply).or_else(|| first_address(reply)) {
            self.0.insert("redis_master".into(), master.to_owned());
        }
    }

    /// A field's value; `db0.keys` is the part `keys` of `db0:keys=1,expires=0`.
    fn get(&self, field: &str) -> Option<&str> {
        if let Some(value) = self.0.get(field) {
            return Some(value);
        }

        // `db0.keys` is a part of the field `db0`.
        let (field, name) = field.rsplit_once('.')?;
        part(self.0.get(field)?, name)
    }

    /// Passes when any pair of the query is a field and its value.
    fn find_any(&self, query: &str) -> Outcome {
        for (field, value) in form_urlencoded::parse(query.as_bytes()) {
            if self.get(&field) == Some(&*value) {
                return found(&field, &value);
            }
        }

        refused("No matching field found".into())
    }

    /// Passes when all pairs of the query are fields and their values; else says what the first other one is.
    fn find_all(&self, query: &str) -> Outcome {
        let mut fields = Vec::new();
        for (field, value) in form_urlencoded::parse(query.as_bytes()) {
            match self.get(&field) {
                Some(found) if found == &*value => fields.push(on_one_line(&field)),
                other => return not_matching(&field, other, &value),
            }
        }

        Outcome::healthy(format!("All fields match: {}", fields.join(", ")))
    }

    fn json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&self.0)
    }
}

fn not_matching(field: &str, found: Option<&str>, wanted: &str) -> Outcome {
    let name = on_one_line(field);
    let Some(found) = found else {
        return refused(format!("Field {name} is not there"));
    };

    let (found, wanted) = (on_one_line(found), on_one_line(wanted));
    refused(format!("Field {name} is {found}, not {wanted}"))
}

fn found(field: &str, value: &str) -> Outcome {
    let field = on_one_line(field);
    let value = on_one_line(value);
    Outcome::healthy(format!("Match found: field {field}, value {value}"))
}

/// The address in the first line like `master0:name=main,status=ok,address=10.0.0.5:6379`.
fn master_address(reply: &str) -> Option<&str> {
    let masters = reply.lines().filter(|line| line.starts_with("master"));
    for line in masters {
        if let Some((_, value)) = line.split_once(':')
            && let Some(address) = part(value, "address")
        {
            return Some(address);
        }
    }

    None
}

/// The first IPv4 address with a port, wherever it stands.
fn first_address(reply: &str) -> Option<&str> {
    let is_other = |c: char| !c.is_ascii_digit() && c != '.' && c != ':';
    let mut words = reply.split(is_other);
    words.find(|word| word.parse::<SocketAddrV4>().is_ok())
}

/// A part of `name=value,name=value`.
fn part<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    for pair in value.trim().split(',') {
        match pair.split_once('=') {
            Some((known, value)) if known == name => return Some(value),
            _ => {}
        }
    }

    None
}

#[cfg(test)]
mod tests;
