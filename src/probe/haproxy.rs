//! `haproxy`: the backend named like the service is UP, says the statistics page on that port, at the path of the check
//! (HAProxy Management Guide, section 9.1, "CSV format").

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{Method, StatusCode};

use super::effective::Account;
use super::login::{Login, Travel};
use super::{Checked, Headers, Outcome, Probe, ProbeSettings, Protocol, Request, http, settle};
use crate::settings::Secret;

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
    login,
    probe: |probe| settle(check(probe)),
};

/// `stats auth`. The page may be at any port.
fn login(settings: &ProbeSettings, service: &str) -> Option<Login> {
    let credentials = settings.service(service).credentials(Account::default());
    credentials.username?;
    Some(Login {
        password: credentials.setting,
        port: None,
        travel: Travel::InClear("reach it by a unix socket"),
    })
}

async fn check(probe: &Probe<'_>) -> Checked {
    let page = page(probe.target.bare_path());
    let csv = fetch(probe, &page).await?;
    let service = &*probe.target.service;
    match backend_status(&String::from_utf8_lossy(&csv), service) {
        Some(status) => Ok(judge(service, &status)),
        None => Err(not_found(probe, &page, &csv)),
    }
}

fn headers(probe: &Probe<'_>) -> Headers {
    let mut headers = Headers::default();
    let credentials = probe.service().credentials(Account::default());
    let Some(user) = credentials.username else {
        return headers;
    };

    let password = credentials.password.map(Secret::reveal);
    if let Some(value) = basic(user, password.unwrap_or_default()) {
        headers.set(AUTHORIZATION, value);
    }

    headers
}

/// `Basic` authentication (RFC 7617).
fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let pair = BASE64.encode(format!("{user}:{password}"));
    // Base64 is always a value that a header can have.
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).ok()?;
    // By this mark a redirect knows what must not go to another place.
    value.set_sensitive(true);
    Some(value)
}

/// `stats uri` as CSV, whether the check's path says so or not.
fn page(path: &str) -> String {
    // Taken off first, so that it stands there once.
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

async fn fetch(probe: &Probe<'_>, page: &str) -> Result<Bytes, Outcome> {
    let headers = headers(probe);
    let answer = http::ask(probe, Method::GET, page, &headers).await?;
    let status = answer.status;
    // Passed on as it is: a page that wants a login, or is not there, says so best itself.
    if status.is_client_error() || status.is_server_error() {
        return Err(http::outcome(answer));
    }

    // A redirect that is passed on would look healthy to the poller.
    if !status.is_success() {
        return Err(probe.failed(format_args!("{page} answered {status}")));
    }

    Ok(answer.body)
}

/// The page does not list the service, as far as it was read.
fn not_found(probe: &Probe<'_>, page: &str, csv: &[u8]) -> Outcome {
    let service = &probe.target.service;
    // A page that was cut may list it in the part that is missing, which is another thing than not at all.
    if csv.len() < probe.context.settings.max_body {
        return unhealthy(format!("{service} is not found"));
    }

    probe.failed(format_args!(
        "{page} is longer than max_body and cut before {service}"
    ))
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
    const USUAL: Self = Self {
        proxy: 0,
        server: 1,
        status: 17,
    };

    fn read(row: &[String]) -> Option<Self> {
        let head = row.first()?.strip_prefix('#')?;
        if head.trim() != "pxname" {
            return None;
        }

        Some(Self {
            proxy: 0,
            server: position(row, "svname")?,
            status: position(row, "status")?,
        })
    }

    /// The status in a row, when it is that of the backend; `None` for a row that is too short too.
    fn backend_status<'r>(&self, row: &'r [String], backend: &str) -> Option<&'r str> {
        let proxy = row.get(self.proxy)?;
        // Its servers and frontends have rows of the same proxy.
        let server = row.get(self.server)?;
        let status = row.get(self.status)?;
        let is_it = proxy == backend && server == "BACKEND";
        is_it.then_some(status)
    }
}

fn position(row: &[String], name: &str) -> Option<usize> {
    row.iter().position(|field| field == name)
}

/// The status of a backend; `None` when the page does not list it.
fn backend_status(page: &str, name: &str) -> Option<String> {
    let mut columns = Columns::USUAL;
    for row in (CsvRows { rest: page }) {
        if let Some(found) = Columns::read(&row) {
            columns = found;
        } else if let Some(status) = columns.backend_status(&row, name) {
            // A page may be anybody's, and the status is shown.
            return Some(status.chars().take(100).collect());
        }
    }

    None
}

/// The rows of a CSV text: fields that begin with a quote end with one, and hold commas, line breaks and doubled quotes.
struct CsvRows<'a> {
    rest: &'a str,
}

impl Iterator for CsvRows<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        if self.rest.is_empty() {
            return None;
        }

        let mut row = Vec::new();
        // Ends, as each field takes at least what separates it from the next, or is the last of the text.
        loop {
            let mut field = self.take_field();
            if self.take_separator() == Some(',') {
                row.push(field);
                continue;
            }
            // Lines may end with CRLF.
            field.truncate(field.trim_end_matches('\r').len());
            row.push(field);
            return Some(row);
        }
    }
}

impl CsvRows<'_> {
    /// Takes a field, up to what separates it from the next.
    fn take_field(&mut self) -> String {
        let mut field = String::new();
        if let Some(quoted) = self.rest.strip_prefix('"') {
            self.rest = unquote(quoted, &mut field);
        }

        // Behind a closing quote nothing should stand but a separator; what does is taken as it is.
        let end = self.rest.find([',', '\n']);
        let (plain, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        field.push_str(plain);
        self.rest = rest;
        field
    }

    /// Takes a comma or a line break; `None` at the end of the text.
    fn take_separator(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let separator = chars.next();
        self.rest = chars.as_str();
        separator
    }
}

/// Takes a field up to its closing quote, or to the end of the text; gives what follows.
fn unquote<'a>(mut text: &'a str, field: &mut String) -> &'a str {
    while let Some(end) = text.find('"') {
        field.push_str(&text[..end]);
        text = &text[end + 1..];
        match text.strip_prefix('"') {
            // Two quotes in a row are one, and do not end the field.
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
        CsvRows { rest: text }.collect()
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
