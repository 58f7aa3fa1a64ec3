//! `zookeeper`, against a real one and peers that misbehave.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use crate::support::TempDir;
use crate::support::checks::{check, fails_on_misbehaving_peers, peer, scripted};
use crate::support::server::{Server, free_port, require};

const JAR: &str = "/usr/share/java/zookeeper.jar";

/// Starts a server that takes some four letter words, alone or as one of three, the others of which are not there.
fn start(words: &str, more: &str) -> (Server, u16) {
    require(JAR, "zookeeper");
    require("/usr/bin/java", "default-jre-headless");
    let (folder, port) = (TempDir::new(), free_port());
    let config = folder.path().join("zoo.cfg");
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("myid"), "1").unwrap();
    let text = format!(
        "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n\
         tickTime=500\ninitLimit=5\nsyncLimit=2\n4lw.commands.whitelist={words}\n{more}",
        data.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("/usr/bin/java");
    command.args(["-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", JAR]);
    command
        .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
        .arg(config);
    (Server::start(folder, &command), port)
}

fn one_of_three() -> String {
    let server = |n| format!("server.{n}=127.0.0.1:{}:{}\n", free_port(), free_port());
    [1, 2, 3].map(server).concat()
}

/// What a server answers to a word.
fn word(port: u16, word: &str) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
        let _ = stream.write_all(word.as_bytes());
        let _ = stream.read_to_string(&mut answer);
    }
    answer
}

/// Servers from 3.5.3 on answer `srvr` whatever they are told to allow.
#[test]
fn a_real_zookeeper_tells_its_mode() {
    let (server, port) = start("ruok", "");
    let path = format!("/zookeeper/zk/{port}");
    server.wait_for("ZooKeeper answers", || check(&path).status == 200);
    check(&path).is(200, "Sent srvr, got back its version, mode standalone");
}

const FORBIDDEN: &[u8] = b"that is not executed because it is not in the whitelist.\n";

/// A server that answers one word.
fn answers_only(word: &'static [u8; 4], answer: &'static [u8]) -> u16 {
    peer(move |mut stream| {
        let mut question = [0; 4];
        stream.read_exact(&mut question)?;
        stream.write_all(if question == *word { answer } else { FORBIDDEN })
    })
}

#[test]
fn where_srvr_is_forbidden_other_words_tell_the_mode() {
    let stat = b"Zookeeper version: 3.4.6\nClients:\n /127.0.0.1:1[0]\n\nMode: follower\n";
    let port = answers_only(b"stat", stat);
    check(&format!("/zookeeper/zk/{port}"))
        .is(200, "Sent stat, got back its version, mode follower");
    let mntr = b"zk_version\t3.4.6\nzk_server_state\tleader\n";
    let port = answers_only(b"mntr", mntr);
    check(&format!("/zookeeper/zk/{port}")).is(200, "Sent mntr, got back its version, mode leader");
}

/// It answers `imok`, and serves nobody.
#[test]
fn a_real_server_without_a_quorum_fails() {
    let (server, port) = start("ruok", &one_of_three());
    server.wait_for("it says imok", || word(port, "ruok") == "imok");
    check(&format!("/zookeeper/zk/{port}")).has(503, "not currently serving requests");
}

#[test]
fn where_no_word_that_tells_is_allowed_the_check_says_that_it_cannot_know() {
    let port = answers_only(b"ruok", b"imok");
    let checked = check(&format!("/zookeeper/zk/{port}"));
    checked.has(503, "whether it serves cannot be known");
    checked.has(503, "add one of them to 4lw.commands.whitelist");
}

#[test]
fn a_server_that_goes_on_without_writes_has_no_quorum() {
    let answer = b"Zookeeper version: 3.8.0\nMode: read-only\nNode count: 5\n";
    let port = scripted(b"", &[answer]);
    check(&format!("/zookeeper/zk/{port}")).has(503, "mode read-only: it has no quorum");
}

#[test]
fn misbehaving_peers_fail_the_check() {
    fails_on_misbehaving_peers(
        "zookeeper",
        b"im",
        "so far \"im\"",
        "waiting for the answer to a word",
    );
}
