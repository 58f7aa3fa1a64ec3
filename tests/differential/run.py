#!/usr/bin/env python3
"""Runs Yelp's hacheck beside ours over random inputs, and prints where they answer differently.

    HACHECK_BIN_DIR=FOLDER YELP_DIR=CHECKOUT run.py [--uber] [--python PYTHON] [--count N] [--seed N] [KIND...]

FOLDER has `hacheck` and its names (`hacheck install FOLDER`), CHECKOUT is github.com/Yelp/hacheck, PYTHON a Python 2.7 that has
tornado 4.5.3, PyYAML 5.4.1 and six. YELP_PACKAGES may name a folder with these packages. Kinds: commands, requests, posts, configs, lists.
Exit code 1 where something differs. With --uber the checkout is github.com/uber-archive/hacheck, with tornado 4.1, ours has
`compat: uber`, and the kinds are commands and requests.

Both get the same folder contents, made anew for each input, and are asked one after the other. Differences of the table in docs/migrating.md are
left out by `expected`, which names each of them and says as narrowly as it can what belongs to it.
"""
import argparse, collections, http.client, json, os, pathlib, random, re, shutil, socket, ssl, subprocess, sys, tempfile, threading, time

OURS = pathlib.Path(os.environ.get("HACHECK_BIN_DIR", "."))
YELP = pathlib.Path(os.environ.get("YELP_DIR", "."))
SERVICES = ["web", "web.main", "db_1", "a-b", "all", "Web", "x" * 40, "0"]
REASONS = ["", "deploy", "a b", "caf\u00e9", "x" * 300, "50%", "None", "a:b", "\u65e5\u672c"]
NOW = int(time.time())


def entry(rng):
    """The bytes of a file in the spool. Uber's hacheck knows only reasons."""
    if UBER:
        return rng.choice(REASONS + ["not json"]).encode()
    expiration = rng.choice([None, NOW - 100, NOW + 1000, NOW + 1000.5, 0, -1, 1e9, "absent", True, False, float("inf"), float("-inf")])
    record = {"reason": rng.choice(REASONS), "expiration": expiration, "creation": rng.choice([None, NOW - 50, NOW - 0.25, 0])}
    if expiration == "absent":
        del record["expiration"]
    if rng.random() < 0.1:
        record.pop("creation")
    if rng.random() < 0.1:
        record["extra"] = rng.choice([1, "x", [1]])
    text = json.dumps(record, ensure_ascii=rng.random() < 0.5)
    raw = [text, text, text, text + "\n", "  " + text, rng.choice(REASONS), "not json {", "{" + text]
    return rng.choice(raw).encode()


def instance(rng, service=None):
    service = service or rng.choice(SERVICES)
    if UBER:
        return service
    return rng.choice([service, service, f"{service}:{rng.choice([80, 8080, 65535])}", f"{service}:10.0.0.1:80"])


def spool(rng):
    return {instance(rng): entry(rng) for _ in range(rng.randrange(4))}


class Host:
    """One of the two, with a spool of its own."""

    def __init__(self, name, server, tool):
        self.name, self.server, self.tool = name, server, tool
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="differential-"))
        self.root = self.folder / "spool"
        self.root.mkdir()
        self.process = None

    def fill(self, files):
        for path in self.root.iterdir():
            path.unlink(missing_ok=True)
        for name, content in files.items():
            (self.root / name).write_bytes(content)

    def files(self):
        return {p.name: p.read_bytes() for p in self.root.iterdir() if not p.name.startswith(".")}

    def start(self, config):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        file = self.folder / "config.yml"
        file.write_bytes(config)
        self.log = open(self.folder / "log", "wb")
        arguments = self.server + ["-c", file, "-p", str(self.port), "-B", "127.0.0.1", "--spool-root", self.root]
        self.process = subprocess.Popen(arguments, stdout=self.log, stderr=self.log, env=ENVIRONMENT)
        until = time.time() + 20
        while time.time() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.log.close()
            self.process = None

    def ask(self, method, path, headers=(), body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
                connection.putheader("Content-Type", "application/x-www-form-urlencoded")
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except TimeoutError:
            return 0, b"no answer"
        finally:
            connection.close()

    def run(self, name, arguments):
        done = subprocess.run(self.tool(name) + ["--spool-root", str(self.root)] + arguments, capture_output=True, env=ENVIRONMENT, timeout=30)
        return done.returncode, done.stdout


ENVIRONMENT = dict(os.environ, SUDO_USER="operator", LC_ALL="C.UTF-8", PYTHONIOENCODING="utf-8")


def hosts(python):
    yelp = [python, "-c"]
    script = "import sys; import hacheck.haupdown as h; sys.argv[0] = sys.argv.pop(1); sys.exit(h.main({'haup': 'up', 'hadown': 'down', 'hastatus': 'status', 'hashowdowned': 'status_downed', 'halist': 'list'}[sys.argv[0]]))"
    server = [python, "-c", "import sys; from hacheck.main import main; sys.exit(main())"]
    # A fixed deadline of ten seconds is too long for thousands of inputs.
    if UBER:
        server[2] = "import hacheck.checker; hacheck.checker.TIMEOUT = 0.5; " + server[2]
    ENVIRONMENT["PYTHONPATH"] = os.pathsep.join([str(YELP)] + [p for p in [os.environ.get("YELP_PACKAGES")] if p])
    return [Host("yelp", server, lambda name: yelp + [script, name]), Host("ours", [OURS / "hacheck", "serve"], lambda name: [OURS / name])]


# ---- inputs ----

def uber_commands(rng, pair):
    files, tool = spool(rng), rng.choice(["haup", "hadown", "hastatus", "hastatus", "hashowdowned"])
    arguments = []
    if tool == "hadown" or rng.random() < 0.1:
        arguments += rng.choice([[], ["-r", rng.choice(REASONS)], ["-r" + rng.choice(REASONS)], ["--reason=" + rng.choice(REASONS)]])
    if rng.random() < 0.1:
        arguments += ["-a", rng.choice(["up", "down", "status", "status_downed", "x"])]
    services = rng.sample(SERVICES, rng.choice([0, 1, 1, 1, 2])) if tool != "hashowdowned" or rng.random() < 0.1 else []
    action = arguments[-1] if "-a" in arguments else tool
    shows = action in ("hastatus", "hashowdowned", "status", "status_downed")
    seen = []
    for host in pair:
        host.fill(files)
        form = ["-o", "uber"] if host.name == "ours" and shows else []
        code, out = host.run(tool, form + services + arguments)
        seen.append((code, sorted(out.splitlines()), {name: reason_of(content) for name, content in host.files().items()}))
    return (tool, services + arguments, files), seen


def reason_of(content):
    """What a file says: ours have it as JSON."""
    try:
        return json.loads(content)["reason"].encode()
    except (ValueError, TypeError, KeyError):
        return content


def commands(rng, pair):
    if UBER:
        return uber_commands(rng, pair)
    files, tool = spool(rng), rng.choice(["haup", "hadown", "hastatus", "hastatus", "hashowdowned"])
    arguments = []
    if rng.random() < 0.4:
        arguments += [rng.choice(["-P", "--service-port", "--service-p"]), rng.choice(["80", "8080", "0", "x", ""])]
    if rng.random() < 0.2:
        arguments += [rng.choice(["-H", "--service-host"]), rng.choice(["10.0.0.1", "127.0.0.1", "::1"])]
    if tool == "hadown" or rng.random() < 0.1:
        arguments += rng.choice([[], ["-r", rng.choice(REASONS)], ["-r" + rng.choice(REASONS)], ["--reason=" + rng.choice(REASONS)]])
        arguments += rng.choice([[], ["-e", rng.choice([str(NOW + 500), "1e3", "0", "x", "inf", "12.5"])]])
    if rng.random() < 0.1:
        arguments += ["-a", rng.choice(["up", "down", "status", "status_downed", "x"])]
    services = rng.sample(SERVICES, rng.choice([0, 1, 1, 1, 2])) if tool != "hashowdowned" or rng.random() < 0.1 else []
    at = rng.randrange(len(services) + 1)
    line = services[:at] + arguments + services[at:]
    seen = []
    for host in pair:
        host.fill(files)
        code, out = host.run(tool, line)
        seen.append((code, sorted(out.splitlines()) if tool == "hashowdowned" or "status_downed" in line else out, told(host.files())))
    return (tool, line, files), seen


def told(files):
    """What the files of a spool say, without the time at which they were made."""
    told = {}
    for name, content in files.items():
        try:
            record = json.loads(content)
            creation = record.get("creation")
            if isinstance(creation, float) and abs(creation - time.time()) < 60:
                record["creation"] = "now"
            told[name] = repr(sorted((k, record[k]) for k in ("reason", "expiration", "creation") if k in record))
        except (ValueError, AttributeError):
            told[name] = content
    return told


def requests(rng, pair):
    files, service = spool(rng), rng.choice(SERVICES)
    kind = rng.choice(["spool", "http", "tcp", "nope"] if UBER else ["spool", "spool", "http", "http", "tcp", "https", "smtp", "mysql", "nope"])
    peers = PEERS.get(kind, PEERS["http"])
    port = rng.choice(["80", "8080", "0", "00080", "65535", "x", "", "70000"] + [str(peer.port) for peer in peers] * 8)
    rest = rng.choice(["", "/", "/health", "/a/b", "/a?x=1", "/503", "/404", "/204", "/301", "/long", "//", "/%3C", "/caf%C3%A9"])
    state = f"UP; port={rng.choice(['80', peers[0].port, ''])}"
    given = [("X-Haproxy-Server-State", state), ("X-Nerve-Check-IP", "127.0.0.1"), ("X-Tenant", "blue")]
    headers = [header for header in given if rng.random() < 0.2] + [("Pragma", "no-cache")]
    seen = []
    for host in pair:
        host.fill(files)
        seen.append(host.ask("GET", f"/{kind}/{service}/{port}{rest}", headers))
    return (kind, service, port, rest, headers, files), seen


def lists(rng, pair):
    """A few requests, then what /recent and halist say of the services that were asked."""
    files = spool(rng)
    asked = [f"/{rng.choice(['spool', 'http'])}/{rng.choice(SERVICES)}/{PEERS['http'][0].port}/{rng.choice(['', 'health', '503'])}" for _ in range(rng.randrange(1, 4))]
    names = {path.split("/")[2] for path in asked}
    seen = []
    for host in pair:
        host.fill(files)
        statuses = [host.ask("GET", path)[0] for path in asked]
        done = subprocess.run(host.tool("halist") + ["-p", str(host.port)], capture_output=True, env=ENVIRONMENT, timeout=30)
        status, recent = host.ask("GET", "/recent")
        services = {name: without_time(last) for name, last in json.loads(recent)["seen_services"] if name in names}
        lines = [line.split(b" last_response=") for line in done.stdout.splitlines()]
        listed = [(name.decode(), without_time(json.loads(last))) for name, last in lines if name.decode() in names]
        seen.append((statuses, done.returncode, listed, status, services))
    return (asked, files), seen


def without_time(last_response):
    return {key: type(value) if key == "ts" else value for key, value in last_response.items()}


def posts(rng, pair):
    from urllib.parse import urlencode
    files, service, port = spool(rng), rng.choice(SERVICES), rng.choice(["0", "80", "8080"])
    form = {"status": rng.choice(["up", "down", "down", "x", ""])}
    if rng.random() < 0.8:
        form["reason"] = rng.choice(REASONS)
    if rng.random() < 0.4:
        form["expiration"] = rng.choice([str(NOW + 500), "12.5", "x", "", "inf", "1e3"])
    if rng.random() < 0.2:
        form["creation"] = rng.choice([str(NOW - 5), "x"])
    if rng.random() < 0.05:
        form.pop("status")
    seen = []
    for host in pair:
        host.fill(files)
        answer = host.ask("POST", f"/spool/{service}/{port}/{rng.choice(['', 'x'])}", [], urlencode(form).encode())
        seen.append((*answer, told(host.files())))
    return (service, port, form, files), seen


def configs(rng, pair):
    lines = []
    for _ in range(rng.randrange(5)):
        lines.append(rng.choice([
            f"cache_time: {rng.choice(['0', '10', '010', '0x10', '1.5', '.inf', '1_0', '+3', '08', 'soon', '[1]'])}",
            f"healthcheck_timeout: {rng.choice(['0', '10', '010', '2.5', '1e1', 'x'])}",
            f"max_clients: {rng.choice(['10', '010', '0b11', '1_000', '2.0', 'many'])}",
            f"allow_remote_spool_changes: {rng.choice(['yes', 'no', 'true', 'off', '1', '0'])}",
            f"http_headers_to_copy: {rng.choice(['[Host]', '[]', '[Connection]', '[X-Tenant, Host]'])}",
            f"service_name_header: {rng.choice(['X-Service', 'null', ''])}".rstrip(),
            "unknown_key: 1", "# a comment", "mysql_username: u", "mysql_password: 'a${b'",
        ]))
    text = ("\n".join(lines) + "\n").encode()
    seen = []
    for host in pair:
        host.fill({})
        started = host.start(text)
        try:
            seen.append((started, host.ask("POST", "/spool/web/80/", [], b"status=down&reason=x")[0] if started else None))
        finally:
            host.stop()
    return (text,), seen


def has_ended(record):
    """Whether a downtime, as `told` has it, has ended."""
    end = re.search(r"'expiration', ([^)]*)\)", record) if isinstance(record, str) else None
    return bool(end) and end[1] != "None" and (end[1] in ("True", "False") or float(end[1]) < time.time())


def not_ended(files):
    return {name: record for name, record in files.items() if not has_ended(record)}


# ---- what differs on purpose: the table of docs/migrating.md ----

def expected(kind, given, seen):
    """The name of a documented difference, or none."""
    yelp, ours = seen
    if kind in ("commands", "posts") and yelp[:2] == ours[:2] and not_ended(yelp[2]) == not_ended(ours[2]):
        return "what has ended is cleared away by any command and change"
    if kind == "requests":
        return expected_of_request(*given[:4], yelp, ours)
    if kind == "posts":
        if given[2].get("expiration") == "inf" and ours[0] == 400:
            return "an end that is infinite is refused"
        if yelp[0] in (400, 500) and ours[0] == 400 and not_ended(yelp[2]) == not_ended(ours[2]):
            return "a form that is malformed: a page of Tornado's"
    if kind == "commands":
        if yelp[0] == 2 and ours[0] == 2:
            return "the text of a usage error"
        if yelp[0] == 0 and ours[0] == 2 and any(a.startswith(("-r", "--reason", "-e")) for a in given[1]) and given[0] != "hadown":
            return "an option of another command is a usage error"
        if "inf" in given[1] and ours[0] == 2:
            return "an end that is infinite is a usage error"
        if yelp[0] == 1 and not yelp[1] and not_ended(yelp[2]) == not_ended(ours[2]):
            return "a traceback of theirs"
    if kind == "lists" and 500 in yelp[0]:
        return "a traceback of theirs"
    if kind == "configs":
        if not yelp[0]:
            return "a traceback of theirs"
        if not ours[0] and re.search(rb"'?(many|soon|x|08|\[1\])'?|cache_time: -", given[0]):
            return "a fault is told before the start"
    return None


def expected_of_request(kind, service, port, rest, yelp, ours):
    if UBER and "." in service and b"404: Not Found" in yelp[1]:
        return "names may have dots, as in Yelp's hacheck"
    if yelp[0] == ours[0] == 503 and yelp[1].replace(b" until inf", b"") == ours[1]:
        return "an end that is infinite is not told"
    if yelp[0] == ours[0] == 404 and b"<title>404: Not Found</title>" in yelp[1]:
        return "the page of a path that is none"
    if port in ("0", "00080", "70000") and ours[0] in (400, 404, 503):
        return "ports that are none are refused"
    if "%" in rest and yelp[0] == ours[0]:
        return "escapes of a path reach the upstream as they are written"
    if yelp[0] == 500 and b"Traceback" in yelp[1] and ours[0] >= 500:
        return "a traceback of theirs"
    if yelp[0] == 500 and b"500: Internal Server Error" in yelp[1] and ours[0] >= 500:
        return "a traceback of theirs"
    if kind == "mysql" and ours[0] == 403 and b"outside login_to" in ours[1]:
        return "passwords go to named servers only"
    if kind == "mysql" and yelp == (0, b"no answer") and ours[0] in (500, 503):
        return "a check of theirs that never ends"
    peer = next((peer for peer in PEERS.get(kind, []) if str(peer.port) == port), None)
    if yelp[0] in (503, 599) and ours[0] == 503 and b"connection refused after" in ours[1]:
        return "nobody listens: a failure says what failed"
    if kind in ("tcp", "smtp") and yelp[0] == ours[0] == 200 and re.fullmatch(rb"Connected in [0-9.]+s", yelp[1]) and re.fullmatch(rb"Connected in [0-9.]+s", ours[1]):
        return "the time of a connection"
    if kind == "smtp" and yelp[0] == 503 and b"QUIT response '220 ESMTP" in yelp[1] and ours[0] == 200:
        return "a greeting of several lines is read to its end"
    if peer and peer.fails and min(yelp[0], ours[0]) >= 500:
        return f"{kind}: a failure says what failed"
    return None


class Peer:
    """A listener on a free port that answers each connection in a thread. `fails`: a check of it must fail."""

    fails = False

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.socket.accept()
            threading.Thread(target=self.guarded, args=(client,), daemon=True).start()

    def guarded(self, client):
        try:
            client.settimeout(10)
            with client:
                self.answer(client)
        except OSError:
            pass


class Http(Peer):
    """Answers by its path: /503 with 503, /long with a long body, else 200."""

    def answer(self, client):
        head = client.recv(65536)
        words = head.split(b" ")
        path = words[1] if len(words) > 1 else b"/"
        code = int(path[1:]) if path[1:] in (b"503", b"404", b"204", b"301") else 200
        body = b"y" * 5000 if path == b"/long" else b"" if code == 204 else b"path " + path
        client.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\nLocation: /\r\n\r\n" % (code, len(body)) + body)


class Https(Http):
    """The same behind TLS, with a certificate that nobody signed."""

    def __init__(self):
        folder = tempfile.mkdtemp(prefix="differential-")
        pem = os.path.join(folder, "pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-days", "2", "-keyout", pem, "-out", pem + ".crt"], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem + ".crt", pem)
        shutil.rmtree(folder)
        super().__init__()

    def answer(self, client):
        with self.context.wrap_socket(client, server_side=True) as wrapped:
            super().answer(wrapped)


class Says(Peer):
    """Sends its lines, one at the start and one after each thing received, then closes."""

    def __init__(self, fails, *lines):
        self.fails, self.lines = fails, lines
        super().__init__()

    def answer(self, client):
        for number, line in enumerate(self.lines):
            if number and not client.recv(65536):
                return
            client.sendall(line)
        client.recv(65536)


def packet(number, content):
    return len(content).to_bytes(3, "little") + bytes([number]) + content


GREETING = packet(0, b"\x0a5.5.5-10.11\0" + b"\x01\0\0\0" + b"12345678\0" + b"\xff\xf7\x21\x02\0\x0f\x80\x15" + bytes(10) + b"123456789012\0mysql_native_password\0")
# What both servers are given for an answer, in seconds: several times the `healthcheck_timeout` below.
PATIENCE = 3
UBER = False
PEERS = {}


def start_peers():
    PEERS["http"] = [Http()]
    PEERS["tcp"] = PEERS["http"]
    PEERS["https"] = [Https()]
    PEERS["smtp"] = [
        Says(False, b"220 mail ESMTP\r\n", b"221 bye\r\n"),
        Says(False, b"220-mail\r\n220 ESMTP\r\n", b"221 2.0.0 bye\r\n"),
        Says(True, b"220 mail ESMTP\r\n", b"500 what\r\n"),
        Says(True, b"220 mail ESMTP\r\n"),
    ]
    PEERS["mysql"] = [
        Says(False, GREETING, packet(2, b"\0\0\0\x02\0\0\0")),
        Says(True, GREETING, packet(2, b"\xff\x15\x04#28000Access denied for user 'u'@'localhost'")),
        Says(True, GREETING, packet(2, b"\xff\x15\x04#28000")),
    ]


KINDS = {"commands": commands, "requests": requests, "posts": posts, "configs": configs, "lists": lists}


def config():
    logins = ", ".join(f"local:{peer.port}" for peer in PEERS["mysql"])
    return (
        "cache_time: 0\nhealthcheck_timeout: 0.5\nallow_remote_spool_changes: true\nhttp_headers_to_copy: [Host, X-Tenant]\n"
        f"service_name_header: X-Service\nmysql_username: u\nmysql_password: p\nlogin_to: [{logins}]\n" + ("compat: uber\n" if UBER else "")
    ).encode()



def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("kinds", nargs="*")
    parser.add_argument("--uber", action="store_true")
    parser.add_argument("--python", default="python2.7")
    parser.add_argument("--count", type=int, default=500, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    global UBER
    UBER = options.uber
    start_peers()
    pair = hosts(options.python)
    differing = 0
    try:
        for kind in options.kinds or (["commands", "requests"] if UBER else KINDS):
            rng, known, new = random.Random(f"{kind} {options.seed}"), collections.Counter(), 0
            if kind in ("requests", "posts", "lists") and not all(host.start(config()) for host in pair):
                sys.exit(f"a server does not start; logs are in {[str(host.folder) for host in pair]}")
            for _ in range(options.count):
                given, seen = KINDS[kind](rng, pair)
                if seen[0] == seen[1]:
                    continue
                name = expected(kind, given, seen)
                if name:
                    known[name] += 1
                else:
                    new += 1
                    print(f"{kind}: {given}\n  yelp {seen[0]}\n  ours {seen[1]}", flush=True)
            for host in pair:
                host.stop()
            print(f"{kind}: {options.count} inputs, {new} differ, {sum(known.values())} differ as documented {dict(known)}", flush=True)
            differing += new
    finally:
        for host in pair:
            host.stop()
            shutil.rmtree(host.folder, ignore_errors=True)
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
