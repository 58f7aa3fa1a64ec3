"""What the cases share: running one, its folders, ports and processes, and the product as a user meets it.

A case is a function marked with `@case`. It ends without a word when the product behaves as is right, calls `expect` or
`fail` when not, and `needs` for what must be installed. Whatever it made is gone at its end: folders by name, processes by
pid. Processes carry the case's mark in their environment, so that what they leave behind is found too.
"""
import contextlib, http.client, os, pathlib, random, re, secrets, shutil, signal, socket, subprocess, sys, tempfile, threading, time

MARK = "HACHECK_CASE"
CASES = {}
_folders, _processes, _ports = [], [], []


# ---- running a case ----

class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def case(function=None, *, network=None):
    """Marks a case. `network="own"` runs it in a network namespace of its own, with loopback only (see lib.net for a second host)."""
    if function is None:
        return lambda f: case(f, network=network)
    CASES[function.__name__] = (function, network)
    return function


def fail(expected, came):
    line = lambda text: " ".join(str(text).split())[:600]
    raise Failed(f"FAIL {line(expected)} | {line(came)}")


def expect(holds, expected, came):
    if not holds:
        fail(expected, came)


def needs(*programs, package=None):
    """Fails the case where a program, or a file where it is a path, is missing."""
    for program in programs:
        if not (os.path.exists(program) if "/" in program else shutil.which(program)):
            fail(program, f"it is missing: apt-get install {package or program}")


def main():
    """At the end of each file of cases. One name runs that case here; more, or none, run each in a process of its own."""
    wanted = sys.argv[1:] or list(CASES)
    if len(wanted) == 1:
        sys.exit(_run(wanted[0]))
    codes = []
    for name in wanted:
        print(name, end=" ", flush=True)
        done = subprocess.run([sys.executable, sys.argv[0], name], stdout=subprocess.PIPE, text=True)
        print(done.stdout.strip() or "ok")
        codes.append(done.returncode)
    sys.exit(1 if any(code not in (0, 77) for code in codes) else 0)


def _run(name):
    if name not in CASES:
        print(f"FAIL a case called {name} | there are {', '.join(CASES)}")
        return 1
    function, network = CASES[name]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        if network:
            from lib import net
            net.enter(name)
        os.environ.setdefault(MARK, secrets.token_hex(8))
        os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
        for unwanted in ("SUDO_USER", "SSH_USER", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "http_proxy", "HTTP_PROXY"):
            os.environ.pop(unwanted, None)
        binaries()
        function()
        return 0
    except Failed as failed:
        print(failed)
        return 1
    except Skipped as skipped:
        print(skipped)
        return 77
    except Exception as fault:
        where = fault.__traceback__
        while where.tb_next:
            where = where.tb_next
        print(f"FAIL the case runs to its end | {type(fault).__name__}: {' '.join(str(fault).split())[:300]} at line {where.tb_lineno} of {where.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}")
        return 1
    finally:
        sys.stdout.flush()
        _clean()


def _clean():
    for process in reversed(_processes):
        with contextlib.suppress(OSError):
            stop(process, seconds=3)
    for pid in marked(os.environ.get(MARK, "")):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    for path in _folders:
        shutil.rmtree(path, ignore_errors=True)


def marked(mark):
    """The pids of processes whose environment carries this mark, but for our own and our parents'."""
    found, above = [], os.getpid()
    own = set()
    while above > 1 and above not in own:
        own.add(above)
        with contextlib.suppress(OSError, IndexError, ValueError):
            above = int(pathlib.Path(f"/proc/{above}/stat").read_text().rsplit(")", 1)[1].split()[1])
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if mark and entry.isdigit() and int(entry) not in own and f"{MARK}={mark}".encode() in pathlib.Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                found.append(int(entry))
    return found


# ---- folders, ports, processes ----

def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="hacheck-case-"))
    path.chmod(0o755)
    _folders.append(path)
    return path


def free_port():
    """A port below those that the kernel gives out itself. It is this case's until its end: a name in the abstract socket namespace,
    as the Rust tests use it too, tells others that it is taken."""
    while True:
        port, mark = random.randrange(20000, 32000), socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError), socket.socket() as probe:
            mark.bind(f"\0hacheck-test-port-{port}")
            probe.bind(("127.0.0.1", port))
            _ports.append(mark)
            return port
        mark.close()


def wait_for(condition, seconds=10):
    """The first true value of the condition, or its last one at the deadline."""
    end = time.monotonic() + seconds
    while True:
        value = None
        with contextlib.suppress(OSError):
            value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


def start(argv, ends_by=signal.SIGTERM, **kw):
    kw.setdefault("stdout", subprocess.DEVNULL)
    kw.setdefault("stderr", subprocess.DEVNULL)
    kw.setdefault("stdin", subprocess.DEVNULL)
    environment = dict(os.environ, **(kw.pop("env", None) or {}))
    process = subprocess.Popen([a if isinstance(a, bytes) else str(a) for a in argv], env=environment, **kw)
    process.ends_by = ends_by
    _processes.append(process)
    return process


def stop(process, seconds=5):
    if process.poll() is None:
        process.send_signal(process.ends_by)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


class Done:
    """How a command ended: `code` (None where it had to be stopped), `out`, `err`, `seconds`."""

    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), seconds

    def __str__(self):
        return f"exit code {self.code}, stdout {self.out.strip()[-300:]!r}, stderr {self.err.strip()[-400:]!r}"


def run(argv, timeout=20, env=None, cwd=None):
    began = time.monotonic()
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()      # not pipes: children that stay would hold them open
    process = start(argv, stdout=out, stderr=err, env=env, cwd=cwd)
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        code = None
        stop(process)
    seconds = time.monotonic() - began
    texts = []
    for file in (out, err):
        file.seek(0)
        texts.append(file.read())
        file.close()
    return Done(code, *texts, seconds)


# ---- the product ----

def binaries():
    path = os.environ.get("HACHECK_BIN_DIR")
    if not path or not os.path.exists(os.path.join(path, "hacheck")):
        raise Failed("FAIL HACHECK_BIN_DIR names a folder with hacheck and its links (`hacheck install`) | " + (path or "it is unset"))
    return pathlib.Path(path).absolute()


def tool(name, *args, **kw):
    return run([binaries() / name, *args], **kw)


class Answer:
    def __init__(self, status, reason, body, headers=()):
        self.status, self.reason, self.body, self.headers = status, reason, body, dict(headers)

    def __str__(self):
        return f"{self.status} {self.body.strip()[:200]!r}"


def ask(port, path, headers=None, method="GET", body=None, timeout=15, host="127.0.0.1"):
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers={"Connection": "close", **(headers or {})})
        answer = connection.getresponse()
        return Answer(answer.status, answer.reason, answer.read().decode("utf-8", "replace"), answer.getheaders())
    finally:
        connection.close()


def send(port, data, half_close=False, timeout=10, host="127.0.0.1"):
    """Sends bytes as they are, and gives all that comes until the other side closes."""
    with socket.create_connection((host, port), timeout) as s:
        s.sendall(data)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        out = b""
        try:
            while chunk := s.recv(65536):
                out += chunk
        except OSError as fault:
            out += f"<{fault}>".encode()
        return out


class Daemon:
    """The daemon on a free port of 127.0.0.1, with a spool of its own, and without a cache where the configuration names none.
    `{port}` in configuration and arguments is its port. With `runs=False` it may as well end."""

    def __init__(self, config="", *args, spool=None, runs=True, env=None):
        self.folder = folder()
        self.spool = pathlib.Path(spool or self.folder / "spool")
        self.spool.mkdir(exist_ok=True)
        self.port = free_port()
        self.config = self.folder / "hacheck.yml"
        config = config.replace("{port}", str(self.port))
        self.config.write_text(config if "cache_time" in config else "cache_time: 0\n" + config)
        self.args, self.env = [str(a).replace("{port}", str(self.port)) for a in args], env
        self.start(runs)

    def start(self, runs=True):
        argv = [binaries() / "hacheck", "-c", self.config, "-p", self.port, "-B", "127.0.0.1", "--spool-root", self.spool, *self.args]
        with open(self.folder / "log", "ab") as log:
            self.process = start(argv, stdout=log, stderr=log, env=self.env)
        listens = wait_for(lambda: self.process.poll() is not None or socket.create_connection(("127.0.0.1", self.port), 1).close() or True)
        if runs and (not listens or self.process.poll() is not None):
            fail("the daemon starts", self.log()[-500:])

    def get(self, path, headers=None, **kw):
        return ask(self.port, path, headers, **kw)

    def tool(self, name, *args, **kw):
        """A command on this daemon's spool and port."""
        return tool(name, "--spool-root", self.spool, "-p", self.port, *args, **kw)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def downtimes(self):
        """Names of what stands in the spool, without the temporary files of writers."""
        return sorted(n for n in os.listdir(self.spool) if not n.endswith("~"))

    def metric(self, name):
        """The sum of a metric's samples, None where there is none."""
        text = self.get("/metrics").body
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+-]+)$", text, re.M)
        return sum(map(float, found)) if found else None

    def stop(self):
        return stop(self.process)


class Peer:
    """Somebody who listens: `talk(connection, peer)` runs for each connection in a thread; what it should remember goes to `got`."""

    def __init__(self, talk, host="127.0.0.1", port=0, network=None):
        self.got, self.connections = [], 0
        make = lambda: self._listen(host, port)
        self.socket = network.inside(make) if network else make()
        self.host, self.port = host, self.socket.getsockname()[1]
        threading.Thread(target=self._accept, args=(talk,), daemon=True).start()

    @staticmethod
    def _listen(host, port):
        s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, port))
        s.listen(128)
        return s

    def _accept(self, talk):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(talk, connection), daemon=True).start()

    def _one(self, talk, connection):
        with connection:
            connection.settimeout(10)
            with contextlib.suppress(OSError):
                talk(connection, self)


def read_head(connection):
    """The head of a request, as it came."""
    head = b""
    while b"\r\n\r\n" not in head and (chunk := connection.recv(65536)):
        head += chunk
    return head


def web(answers=None, delay=0):
    """Talk of a web server for `Peer`: `answers` gives by path (without its query) a status, or a status and a Location; else 200 `ok`."""

    def talk(connection, peer):
        head = read_head(connection)
        if not head:
            return
        peer.got.append(head.decode("latin-1"))
        path = head.split(b" ")[1].split(b"?")[0].decode("latin-1")
        status = (answers or {}).get(path, 200)
        status, location = status if isinstance(status, tuple) else (status, None)
        time.sleep(delay)
        body = b"" if status in (204, 304) else b"ok" if status == 200 else b"no"
        lines = [f"HTTP/1.1 {status} Status", "Connection: close"]
        lines += [f"Content-Length: {len(body)}"] if body else []
        lines += [f"Location: {location}"] if location else []
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return talk
