//! What a peer says, for every protocol: the first byte chooses it, the second how the rest is cut into packets.
#![no_main]

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use hacheck::config;
use hacheck::net::{Host, LocalAddresses};
use hacheck::probe::{self, Asker, Capacity, Context, Headers, PROTOCOLS, Target, Trace};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;

struct Bench {
    runtime: Runtime,
    listener: UnixListener,
    context: Context,
}

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(bench());
}

/// One runtime and one unix socket, on which the probes of the service `web` find their peer.
fn bench() -> Bench {
    let path = PathBuf::from(format!("/tmp/hacheck-fuzz-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let listener = UnixListener::bind(&path).unwrap();
    drop(_entered);
    let path = path.display();
    let text = format!(
        "healthcheck_timeout: 0.3\nredis_password: s3cret\nmysql_username: user\nmysql_password: s3cret\n\
         postgres_username: user\npostgres_password: s3cret\nservices: {{web: {{socket: {path}, \
         login: {{username: user, password: s3cret}}, script: [{{send: \"PASS s3cret\\n\", expect: ^230}}]}}}}\n"
    );
    let loaded = config::parse(text.as_bytes(), "fuzz.yml").unwrap();
    let settings = loaded.config.probe;
    let room = Capacity {
        probes: 64,
        waiting: 64,
        memory: hacheck::http::memory::MemoryBudget::new(64 << 20),
    };
    let context = Context::new(settings, room, Arc::new(LocalAddresses::default())).unwrap();
    Bench {
        runtime,
        listener,
        context,
    }
}

fuzz_target!(|data: &[u8]| {
    let [choice, cut, reply @ ..] = data else {
        return;
    };
    let protocols: Vec<_> = PROTOCOLS
        .iter()
        .filter(|p| p.name != "exec" && p.name != "group")
        .collect();
    let protocol = protocols[usize::from(*choice) % protocols.len()];
    let target = Target {
        service: "web".into(),
        host: Host::Local,
        port: 1,
        path: if cut % 2 == 0 {
            "/"
        } else {
            "/match?role=master"
        }
        .into(),
        headers: Headers::default(),
        limit: None,
        trusted: false,
    };
    BENCH.with_borrow_mut(|bench| {
        let trace = Trace::start(true);
        let probing = probe::run(Asker::Configuration, protocol, &target, &bench.context, &trace);
        let outcome = bench.runtime.block_on(async {
            let serving = serve(&bench.listener, usize::from(*cut / 2), reply);
            tokio::pin!(probing);
            tokio::select! {
                biased;
                outcome = &mut probing => outcome,
                () = serving => probing.await,
            }
        });
        let says = |text: &[u8]| text.windows(6).any(|w| w == b"s3cret");
        assert!(
            says(reply) || !says(&outcome.body),
            "the password shows: {:?}",
            outcome.body
        );
    });
});

/// Takes connections and sends the reply on each, in pieces, with an end behind it.
async fn serve(listener: &UnixListener, piece: usize, reply: &[u8]) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            return;
        };
        for part in reply.chunks(if piece == 0 { usize::MAX } else { piece }) {
            if stream.write_all(part).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = stream.shutdown().await;
        // Closing with something unread would take back what was sent.
        while stream.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {}
    }
}
