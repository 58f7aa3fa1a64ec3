//! Real etcd clusters on loopback: three members that can be killed, frozen and wiped one by one.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hacheck::fleet::settings::{self, FleetSettings};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::authority::Authority;
use super::client::split_head;
use super::process::{Process, bound_to_us};
use super::server::{self, START};
use super::{TempDir, wait_until};

/// How many members a cluster has.
pub const MEMBERS: usize = 3;

/// How long a member may take to answer a test.
const ANSWER: Duration = Duration::from_secs(3);

/// What a cluster has besides members.
#[derive(Default)]
pub struct Manner<'a> {
    /// Signs what members and clients show; without one there is no TLS.
    pub authority: Option<&'a Authority>,
    /// Further options.
    pub options: &'a [&'a str],
}

/// A cluster.
pub struct Etcd {
    folder: TempDir,
    members: Vec<Option<Process>>,
    clients: Vec<u16>,
    peers: Vec<u16>,
    options: Vec<String>,
    scheme: &'static str,
    /// Where each member is spoken to without TLS: by the tests.
    plain: Vec<u16>,
    /// What lets the tests in once users have to log in.
    token: OnceLock<String>,
    /// How often it was wiped: a new cluster has a token of its own.
    wipes: u32,
}

impl Etcd {
    /// Starts three members, and waits until they have a leader.
    pub fn start() -> Self {
        Self::start_as(&Manner::default())
    }

    pub fn start_as(manner: &Manner<'_>) -> Self {
        server::require("/usr/bin/etcd", "etcd-server");
        let mut etcd = Self::stopped(manner);
        for member in 0..MEMBERS {
            etcd.start_member(member);
        }
        etcd.wait_until_it_answers();
        etcd
    }

    fn stopped(manner: &Manner<'_>) -> Self {
        let ports = || -> Vec<u16> { (0..MEMBERS).map(|_| server::free_port()).collect() };
        let mut options: Vec<String> = manner.options.iter().map(|o| (*o).to_owned()).collect();
        if let Some(authority) = manner.authority {
            let signed = authority.sign_host("member");
            let ca = authority.cert();
            for (name, file) in [
                ("--cert-file", &signed.cert),
                ("--key-file", &signed.key),
                ("--trusted-ca-file", &ca),
            ] {
                options.extend([name.to_owned(), file.display().to_string()]);
            }
            options.push("--client-cert-auth".to_owned());
        }
        let clients = ports();
        let plain = match manner.authority {
            Some(_) => ports(),
            None => clients.clone(),
        };
        Self {
            folder: TempDir::new(),
            members: (0..MEMBERS).map(|_| None).collect(),
            clients,
            peers: ports(),
            plain,
            token: OnceLock::new(),
            wipes: 0,
            scheme: if manner.authority.is_some() {
                "https"
            } else {
                "http"
            },
            options,
        }
    }

    /// Where clients find each member.
    pub fn endpoints(&self) -> Vec<String> {
        (0..MEMBERS).map(|member| self.endpoint(member)).collect()
    }

    /// Where clients find one member.
    pub fn endpoint(&self, member: usize) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.clients[member])
    }

    /// Where the tests find one member, without TLS.
    pub fn plain_endpoint(&self, member: usize) -> String {
        format!("http://127.0.0.1:{}", self.plain[member])
    }

    fn listens(&self, member: usize) -> String {
        let plain = self.plain_endpoint(member);
        match self.endpoint(member) {
            same if same == plain => plain,
            encrypted => format!("{encrypted},{plain}"),
        }
    }

    /// What `fleet.yml` says, with further lines.
    pub fn fleet_yml(&self, more: &str) -> String {
        format!(
            "fleet: test\nendpoints: [{}]\n{more}",
            self.endpoints().join(", ")
        )
    }

    /// The same, as read.
    pub fn settings(&self, more: &str) -> FleetSettings {
        let text = self.fleet_yml(more);
        settings::parse(text.as_bytes(), "fleet.yml").unwrap().0
    }

    fn peer(&self, member: usize) -> String {
        format!("http://127.0.0.1:{}", self.peers[member])
    }

    fn data(&self, member: usize) -> PathBuf {
        self.folder.file(&format!("member{member}"))
    }

    pub fn start_member(&mut self, member: usize) {
        let all: Vec<String> = (0..MEMBERS)
            .map(|m| format!("member{m}={}", self.peer(m)))
            .collect();
        let log = self.folder.file(&format!("log{member}"));
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut command = bound_to_us("etcd", &[]);
        command.args(["--name", &format!("member{member}"), "--data-dir"]);
        command.arg(self.data(member));
        for (option, value) in [
            ("--listen-client-urls", self.listens(member)),
            ("--advertise-client-urls", self.endpoint(member)),
            ("--listen-peer-urls", self.peer(member)),
            ("--initial-advertise-peer-urls", self.peer(member)),
            ("--initial-cluster", all.join(",")),
            ("--initial-cluster-token", format!("token{}", self.wipes)),
        ] {
            command.args([option, &value]);
        }
        command.args(&self.options);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.members[member] = Some(Process::spawn(&mut command));
    }

    /// Kills a member, with kill -9.
    pub fn kill(&mut self, member: usize) {
        self.members[member] = None;
    }

    /// Freezes a member: its connections stay, and it says nothing.
    pub fn freeze(&self, member: usize) {
        if let Some(process) = &self.members[member] {
            process.stop();
        }
    }

    pub fn thaw(&self, member: usize) {
        if let Some(process) = &self.members[member] {
            process.signal(Signal::SIGCONT);
        }
    }

    /// Takes everything away, and sets up a new cluster at the same place.
    pub fn wipe(&mut self) {
        for member in 0..MEMBERS {
            self.kill(member);
            fs::remove_dir_all(self.data(member)).unwrap();
        }
        self.wipes += 1;
        for member in 0..MEMBERS {
            self.start_member(member);
        }
        self.wait_until_it_answers();
    }

    /// Waits until every member answers as the majority has it.
    #[track_caller]
    pub fn wait_until_it_answers(&self) {
        for member in 0..MEMBERS {
            self.wait_until_member_answers(member);
        }
    }

    #[track_caller]
    pub fn wait_until_member_answers(&self, member: usize) {
        wait_until(START, "the member of etcd answers", || {
            let asked = self.post(member, "kv/range", &json!({"key": "eA=="}));
            asked.is_some()
        });
    }

    /// The member that leads the others, and one that follows it.
    #[track_caller]
    pub fn leader_and_follower(&self) -> (usize, usize) {
        let mut leader = None;
        wait_until(START, "etcd has a leader", || {
            leader = (0..MEMBERS).find(|member| self.leads(*member));
            leader.is_some()
        });
        let leader = leader.unwrap();
        (leader, (leader + 1) % MEMBERS)
    }

    fn leads(&self, member: usize) -> bool {
        let status = self.post(member, "maintenance/status", &json!({}));
        status.is_some_and(|s| s["leader"].is_string() && s["leader"] == s["header"]["member_id"])
    }

    /// The engine's revision.
    #[track_caller]
    pub fn revision(&self, member: usize) -> i64 {
        let found = self
            .post(member, "kv/range", &json!({"key": "eA=="}))
            .unwrap();
        found["header"]["revision"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Forgets all that was changed before now.
    #[track_caller]
    pub fn compact(&self, member: usize) {
        let revision = self.revision(member).to_string();
        let body = json!({"revision": revision, "physical": true});
        self.post(member, "kv/compaction", &body).unwrap();
    }

    /// The value of a key, as a member has it.
    pub fn value(&self, member: usize, key: &str) -> Option<String> {
        let found = self.post(member, "kv/range", &json!({"key": BASE64.encode(key)}))?;
        let value = BASE64.decode(found["kvs"][0]["value"].as_str()?).unwrap();
        Some(String::from_utf8(value).unwrap())
    }

    /// Writes a value, whatever was there.
    #[track_caller]
    pub fn put(&self, member: usize, key: &str, value: &str) {
        let body = json!({"key": BASE64.encode(key), "value": BASE64.encode(value)});
        self.post(member, "kv/put", &body).unwrap();
    }

    /// Deletes a key.
    #[track_caller]
    pub fn delete(&self, member: usize, key: &str) {
        let body = json!({"key": BASE64.encode(key)});
        self.post(member, "kv/deleterange", &body).unwrap();
    }

    /// Deletes all keys under a prefix that ends with a slash.
    #[track_caller]
    pub fn delete_under(&self, member: usize, prefix: &str) {
        let end = format!("{}0", prefix.strip_suffix('/').unwrap());
        let body = json!({"key": BASE64.encode(prefix), "range_end": BASE64.encode(end)});
        self.post(member, "kv/deleterange", &body).unwrap();
    }

    /// Adds a user with the password `s3cret` who may do so much (`READ`, `READWRITE`) under a prefix that ends with a slash.
    #[track_caller]
    pub fn add_user(&self, user: &str, kind: &str, prefix: &str) {
        self.administer("role/add", &json!({"name": user}));
        self.grant(user, kind, prefix);
        self.administer("user/add", &json!({"name": user, "password": "s3cret"}));
        self.administer("user/grant", &json!({"user": user, "role": user}));
    }

    /// Grants a user's role more.
    #[track_caller]
    pub fn grant(&self, user: &str, kind: &str, prefix: &str) {
        let end = format!("{}0", prefix.strip_suffix('/').unwrap());
        let (key, end) = (BASE64.encode(prefix), BASE64.encode(end));
        let permission = json!({"permType": kind, "key": key, "range_end": end});
        self.administer("role/grant", &json!({"name": user, "perm": permission}));
    }

    /// From now on users have to log in.
    #[track_caller]
    pub fn enable_users(&self) {
        self.administer("user/add", &json!({"name": "root", "password": "root"}));
        self.administer("user/grant", &json!({"user": "root", "role": "root"}));
        self.administer("enable", &json!({}));
        let root = json!({"name": "root", "password": "root"});
        let logged_in = self.post(0, "auth/authenticate", &root).unwrap();
        let token = logged_in["token"].as_str().unwrap().to_owned();
        self.token.set(token).unwrap();
    }

    #[track_caller]
    fn administer(&self, path: &str, body: &Value) {
        let done = self.post(0, &format!("auth/{path}"), body);
        assert!(done.is_some(), "auth/{path} {body}");
    }

    /// Ends all leases, as far as a member lets us.
    pub fn revoke_leases(&self, member: usize) {
        let leases = self
            .post(member, "lease/leases", &json!({}))
            .unwrap_or_default();
        for lease in leases["leases"].as_array().into_iter().flatten() {
            let _ = self.post(member, "lease/revoke", &json!({"ID": lease["ID"]}));
        }
    }

    /// Asks etcd's JSON gateway, over the port without TLS.
    pub fn post(&self, member: usize, path: &str, body: &Value) -> Option<Value> {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.plain[member]);
        let body = body.to_string();
        let length = body.len();
        let token = match self.token.get() {
            Some(token) => format!("Authorization: {token}\r\n"),
            None => String::new(),
        };
        // HTTP/1.0, for an answer without chunks.
        let request =
            format!("POST /v3/{path} HTTP/1.0\r\n{token}Content-Length: {length}\r\n\r\n{body}");
        let answer = exchange(address, &request).ok()?;
        let (head, body) = split_head(&answer)?;
        let is_good = head.starts_with("HTTP/1.0 200");
        is_good.then(|| serde_json::from_slice(body).unwrap())
    }
}

fn exchange(address: SocketAddr, request: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}
