#!/usr/bin/env python3
"""Runs Yelp's hacheck beside ours over random inputs, and prints where they answer differently.

    HACHECK_BIN_DIR=FOLDER YELP_DIR=CHECKOUT run.py [--python PYTHON] [--count N] [--seed N] [KIND...]

FOLDER has `hacheck` and its names (`hacheck install FOLDER`), CHECKOUT is github.com/Yelp/hacheck, PYTHON a Python 2.7 that has
tornado 4.5.3, PyYAML 5.4.1 and six. YELP_PACKAGES may name a folder with these packages. Kinds: commands, requests, posts, configs. Exit code 1 where something differs.

Both get the same folder contents, made anew for each input, and are asked one after the other. Differences of the table in docs/migrating.md are
left out by `expected`, which names each of them.
"""
import argparse, collections, http.client, json, os, pathlib, random, re, shutil, socket, subprocess, sys, tempfile, threading, time

OURS = pathlib.Path(os.environ.get("HACHECK_BIN_DIR", "."))
YELP = pathlib.Path(os.environ.get("YELP_DIR", "."))
SERVICES = ["web", "web.main", "db_1", "a-b", "all", "Web", "x" * 40, "0"]
REASONS = ["", "deploy", "a b", "caf\u00e9", "x" * 300, "50%", "None", "a:b", "\u65e5\u672c"]
NOW = int(time.time())


def entry(rng):
    """The bytes of a file in the spool."""
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
            path.unlink()
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
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
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
    ENVIRONMENT["PYTHONPATH"] = os.pathsep.join([str(YELP)] + [p for p in [os.environ.get("YELP_PACKAGES")] if p])
    return [Host("yelp", server, lambda name: yelp + [script, name]), Host("ours", [OURS / "hacheck", "serve"], lambda name: [OURS / name])]


# ---- inputs ----

def commands(rng, pair):
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
        seen.append((code, sorted(out.splitlines()) if tool == "hashowdowned" else out, told(host.files())))
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
    port = rng.choice(["80", "8080", "0", "00080", "65535", "x", "", "70000", str(UPSTREAM.port), str(UPSTREAM.port)])
    kind = rng.choice(["spool", "spool", "http", "tcp", "nope"])
    rest = rng.choice(["", "/", "/health", "/a/b", "/a?x=1", "/503", "/404", "/204", "/301", "/long", "//", "/%3C", "/caf%C3%A9"])
    headers = [h for h in [("X-Haproxy-Server-State", f"UP; port={rng.choice(['80', UPSTREAM.port, ''])}"), ("X-Nerve-Check-IP", "127.0.0.1"), ("Pragma", "no-cache"), ("X-Tenant", "blue")] if rng.random() < 0.2]
    headers.append(("Pragma", "no-cache"))
    seen = []
    for host in pair:
        host.fill(files)
        seen.append(host.ask("GET", f"/{kind}/{service}/{port}{rest}", headers))
    return (kind, service, port, rest, headers, files), seen


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


# ---- what differs on purpose: the table of docs/migrating.md ----

def expected(kind, given, seen):
    """The name of a documented difference, or none."""
    yelp, ours = seen
    if kind in ("commands", "posts") and yelp[:2] == ours[:2]:
        gone = set(yelp[2]) - set(ours[2])
        if gone and all(n in ours[2] or n in gone for n in yelp[2]) and all(has_ended(yelp[2][n]) for n in gone):
            return "what has ended is cleared away by any command and change"
    if kind == "requests":
        if "%" in given[3] and yelp[0] == ours[0]:
            return "escapes of a path reach the upstream as they are written"
        if yelp[0] == 500:
            return "a traceback of theirs"
        if given[2] in ("70000",) or given[2] == "0" or given[2] == "00080":
            return "ports that are none are refused"
        if {yelp[0], ours[0]} <= {503, 599} or yelp[0] >= 500 and ours[0] >= 500 and not yelp[1]:
            return "a failure says what failed"
        if given[0] == "tcp" and yelp[0] == ours[0]:
            return "the time of a connection"
        if yelp[0] == ours[0] == 404:
            return "the page of a path that is none"
    if kind == "posts":
        if given[2].get("expiration") == "inf" and ours[0] == 400:
            return "an end that is infinite is refused"
        if yelp[0] in (400, 500) and ours[0] == 400:
            return "a form that is malformed: a page of Tornado's"
    if kind == "commands":
        if yelp[0] == 2 and ours[0] == 2:
            return "the text of a usage error"
        if yelp[0] == 0 and ours[0] == 2 and any(a.startswith(("-r", "--reason", "-e")) for a in given[1]) and given[0] != "hadown":
            return "an option of another command is a usage error"
        if "inf" in given[1] and ours[0] == 2:
            return "an end that is infinite is a usage error"
        if yelp[0] == 1 and not yelp[1] and yelp[2] == ours[2]:
            return "a traceback of theirs"
    if kind == "configs":
        if not yelp[0]:
            return "a traceback of theirs"
        if not ours[0] and re.search(rb"'?(many|soon|x|08|\[1\])'?|cache_time: -", given[0]):
            return "a fault is told before the start"
    return None


class Upstream:
    """Answers by its path: /503 with 503, /long with a long body, else 200."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.socket.accept()
            threading.Thread(target=self.answer, args=(client,), daemon=True).start()

    def answer(self, client):
        with client:
            client.settimeout(10)
            try:
                head = client.recv(65536)
                words = head.split(b" ")
                path = words[1] if len(words) > 1 else b"/"
                code = int(path[1:]) if path[1:] in (b"503", b"404", b"204", b"301") else 200
                body = b"y" * 5000 if path == b"/long" else b"" if code == 204 else b"path " + path
                client.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\nLocation: /\r\n\r\n" % (code, len(body)) + body)
            except OSError:
                pass


UPSTREAM = None
KINDS = {"commands": commands, "requests": requests, "posts": posts, "configs": configs}
CONFIG = b"cache_time: 0\nhealthcheck_timeout: 2\nallow_remote_spool_changes: true\nhttp_headers_to_copy: [Host, X-Tenant]\nservice_name_header: X-Service\n"


def main():
    global UPSTREAM
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("kinds", nargs="*")
    parser.add_argument("--python", default="python2.7")
    parser.add_argument("--count", type=int, default=500, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    UPSTREAM = Upstream()
    pair = hosts(options.python)
    differing = 0
    try:
        for kind in options.kinds or KINDS:
            rng, known, new = random.Random(f"{kind} {options.seed}"), collections.Counter(), 0
            if kind in ("requests", "posts") and not all(host.start(CONFIG) for host in pair):
                sys.exit(f"the servers do not start: {[(h.folder / 'log').read_text() for h in pair]}")
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
