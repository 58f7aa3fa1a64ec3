//! `haproxy`: the backend named like the service is UP, says the statistics page on that port, at the path of the check
//! (HAProxy Management Guide, section 9.1, "CSV format").

use hyper::{Method, StatusCode};

use super::{Headers, Outcome, Probe, Protocol, Request, http, login};

/// What makes the page CSV.
const AS_CSV: &str = ";csv";

/// The row of the table.
pub(super) const HAPROXY: Protocol = Protocol {
    name: "haproxy",
    needs_slash: false,
    request: Request::Path,
    keyed_by_service: true,
    default_port: Some(8404),
    bare_timeout: false,
    login: login::none,
    probe: |probe| Box::pin(async move { check(probe).await.unwrap_or_else(|failed| failed) }),
};

async fn check(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let page = page(probe.target.bare_path());
    let answer = http::ask(probe, Method::GET, &page, &Headers::default()).await?;
    if answer.status.is_client_error() || answer.status.is_server_error() {
        return Err(http::outcome(answer));
    }
    // A redirect that is passed on would look healthy to the poller.
    if !answer.status.is_success() {
        return Err(probe.failed(format_args!("{page} answered {}", answer.status)));
    }
    let service = &*probe.target.service;
    match backend_status(&String::from_utf8_lossy(&answer.body), service) {
        Some(status) => Ok(judge(service, &status)),
        None if answer.body.len() >= probe.context.settings.max_body => Err(probe.failed(
            format_args!("{page} is longer than max_body and cut before {service}"),
        )),
        None => Err(unhealthy(format!("{service} is not found"))),
    }
}

/// `stats uri` as CSV, whether the check's path says so or not.
fn page(path: &str) -> String {
    let uri = path.strip_suffix(AS_CSV).unwrap_or(path);
    format!("{uri}{AS_CSV}")
}

fn judge(service: &str, status: &str) -> Outcome {
    let text = format!("{service} is {}", status.escape_debug());
    if is_up(status) {
        Outcome::healthy(text)
    } else {
        unhealthy(text)
    }
}

fn unhealthy(text: String) -> Outcome {
    Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text)
}

/// `UP`, and `UP 1/2`, which is on its way down but serves.
fn is_up(status: &str) -> bool {
    status == "UP" || status.starts_with("UP ")
}

/// Where the columns are. They are found by the page's head; before it they are where HAProxy has always put them.
struct Columns {
    proxy: usize,
    server: usize,
    status: usize,
}

impl Columns {
    fn read(row: &[String]) -> Option<Self> {
        let find = |name: &str| row.iter().position(|field| field == name);
        let proxy = row
            .first()?
            .strip_prefix('#')
            .filter(|name| name.trim() == "pxname")
            .map(|_| 0)?;
        Some(Self {
            proxy,
            server: find("svname")?,
            status: find("status")?,
        })
    }
}

/// The status of a backend; `None` when the page does not list it. Rows too short for that are skipped.
fn backend_status(page: &str, name: &str) -> Option<String> {
    let mut columns = Columns {
        proxy: 0,
        server: 1,
        status: 17,
    };
    for row in (Rows { rest: page }) {
        if let Some(found) = Columns::read(&row) {
            columns = found;
            continue;
        }
        let is = |column: usize, text: &str| row.get(column).is_some_and(|field| field == text);
        if is(columns.proxy, name)
            && is(columns.server, "BACKEND")
            && let Some(status) = row.get(columns.status)
        {
            return Some(status.chars().take(100).collect());
        }
    }
    None
}

/// The rows of a CSV text: fields that begin with a quote end with one, and hold commas, line breaks and doubled quotes.
struct Rows<'a> {
    rest: &'a str,
}

impl Iterator for Rows<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut row = Vec::new();
        loop {
            let mut field = String::new();
            if let Some(quoted) = self.rest.strip_prefix('"') {
                self.rest = unquote(quoted, &mut field);
            }
            let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
            field.push_str(&self.rest[..end]);
            let stop = self.rest[end..].chars().next();
            self.rest = self.rest.get(end + 1..).unwrap_or("");
            if stop == Some(',') {
                row.push(field);
                continue;
            }
            field.truncate(field.trim_end_matches('\r').len());
            row.push(field);
            return Some(row);
        }
    }
}

/// Takes a field up to its closing quote, or to the end of the text; gives what follows.
fn unquote<'a>(mut text: &'a str, field: &mut String) -> &'a str {
    while let Some(end) = text.find('"') {
        field.push_str(&text[..end]);
        text = &text[end + 1..];
        match text.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                text = more;
            }
            None => return text,
        }
    }
    field.push_str(text);
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Vec<String>> {
        Rows { rest: text }.collect()
    }

    #[test]
    fn rows_and_fields_are_told_apart() {
        assert_eq!(
            rows("a,b\r\n\nc,\n"),
            [vec!["a", "b"], vec![""], vec!["c", ""]]
        );
        assert_eq!(
            rows("\"a,\"\"b\"\"\n\",c\nd"),
            [vec!["a,\"b\"\n", "c"], vec!["d"]]
        );
        assert_eq!(
            rows("a\"b\",\"c\"d,\"open,\nend"),
            [["a\"b\"", "cd", "open,\nend"]]
        );
        assert!(rows("").is_empty());
    }

    #[test]
    fn columns_are_found_by_name() {
        let page = "# pxname,svname,status,x\nweb,s1,DOWN,\nweb,BACKEND,UP,\ndb,BACKEND,\"DOWN, all\",\nshort,BACKEND\n";
        assert_eq!(backend_status(page, "web").as_deref(), Some("UP"));
        assert_eq!(backend_status(page, "db").as_deref(), Some("DOWN, all"));
        for absent in ["short", "s1", "Web", "BACKEND", "", "# pxname"] {
            assert_eq!(backend_status(page, absent), None, "{absent}");
        }
        let bare = format!("web,BACKEND{},UP\n", ",0".repeat(15));
        assert_eq!(backend_status(&bare, "web").as_deref(), Some("UP"));
    }

    #[test]
    fn only_up_is_up() {
        for (status, up) in [
            ("UP", true),
            ("UP 1/2", true),
            ("DOWN", false),
            ("UPSET", false),
            ("no check", false),
        ] {
            assert_eq!(is_up(status), up, "{status}");
        }
    }

    #[test]
    fn no_page_upsets_the_parser() {
        let mut state = 3_u64;
        for _ in 0..3000 {
            let text: String = (0..30)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(11);
                    ['"', ',', '\n', '\r', 'a', 'ü', '#'][usize::try_from(state >> 40).unwrap() % 7]
                })
                .collect();
            assert!(rows(&text).iter().flatten().map(String::len).sum::<usize>() <= text.len());
            let _ = backend_status(&text, "a");
        }
    }
}
