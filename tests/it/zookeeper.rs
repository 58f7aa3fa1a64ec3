//! `zookeeper`, against a real one and peers that misbehave.

use std::fs;
use std::process::Command;

use crate::support::TempDir;
use crate::support::checks::{check, fails_on_misbehaving_peers, scripted};
use crate::support::server::{Server, free_port, require};

const JAR: &str = "/usr/share/java/zookeeper.jar";

/// Starts a server that takes some four letter words.
fn start(words: &str) -> (Server, String) {
    require(JAR, "zookeeper");
    require("/usr/bin/java", "default-jre-headless");
    let (folder, port) = (TempDir::new(), free_port());
    let config = folder.path().join("zoo.cfg");
    let data = folder.path().join("data");
    let text = format!(
        "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n\
         4lw.commands.whitelist={words}\n",
        data.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("/usr/bin/java");
    command.args(["-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", JAR]);
    command
        .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
        .arg(config);
    (
        Server::start(folder, &command),
        format!("/zookeeper/zk/{port}"),
    )
}

#[test]
fn a_real_zookeeper_says_imok() {
    let (server, path) = start("ruok");
    server.wait_for("ZooKeeper answers", || check(&path).status == 200);
    check(&path).is(200, "Sent ruok, got back imok");
}

#[test]
fn where_ruok_is_forbidden_srvr_tells_the_mode() {
    let (server, path) = start("srvr");
    server.wait_for("ZooKeeper answers", || check(&path).status == 200);
    check(&path).is(200, "Sent srvr, got back its version, mode standalone");
}

#[test]
fn where_both_words_are_forbidden_the_remedy_is_named() {
    let answer: &[u8] = b"that is not executed because it is not in the whitelist.
";
    let port = scripted(b"", &[answer]);
    check(&format!("/zookeeper/zk/{port}")).has(503, "add one of them to 4lw.commands.whitelist");
}

#[test]
fn a_server_without_a_quorum_fails_the_check() {
    let port = scripted(
        b"",
        &[b"This ZooKeeper instance is not currently serving requests\n"],
    );
    check(&format!("/zookeeper/zk/{port}")).has(
        503,
        "got back \"This ZooKeeper instance is not currently serving",
    );
}

#[test]
fn misbehaving_peers_fail_the_check() {
    fails_on_misbehaving_peers(
        "zookeeper",
        b"im",
        "so far \"im\"",
        "waiting for the answer to ruok",
    );
}
