"""Two hosts with a service and hacheck in front of its health, and clients behind a balancer.

The hosts are 127.0.0.1, on which the commands run, and 127.0.0.2; they have the same ports, as balancers want it. Each hacheck checks
its own host's service by a unix socket.
"""
import http.client, json, pathlib, re, socket, sys, threading, time

import lib
from lib import expect, folder, free_port, run, start, stop, wait_for

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENT = HERE.parent.parent / "docs" / "balancers.md"


def block(heading, language, number=0):
    """A block of the document: what stands there is what is tested."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", DOCUMENT.read_text(), re.M | re.S)
    blocks = re.findall(rf"^```{language}\n(.*?)^```", section.group(1), re.M | re.S)
    return blocks[number]


class Host:
    """A host: `stop_service` and `start_service` are what a restart does; `requests` are the moments at which clients came. With
    `network` it is in the network namespace of that name, where it has all addresses for itself."""

    def __init__(self, address, hacheck_port, service_port, config="", network=None):
        self.address, self.port, self.service_port = address, hacheck_port, service_port
        self.inside = ["ip", "netns", "exec", network] if network else []
        self.folder = folder()
        self.spool = self.folder / "spool"
        self.spool.mkdir()
        (self.folder / "hacheck.yml").write_text(f"cache_time: 0\nservices: {{web: {{socket: {self.folder}/service.sock}}}}\n{config}")
        self.start_service()
        listens = "0.0.0.0" if network else address
        argv = [*self.inside, lib.binaries() / "hacheck", "-c", self.folder / "hacheck.yml", "-p", hacheck_port, "-B", listens, "--spool-root", self.spool]
        with open(self.folder / "log", "wb") as log:
            self.hacheck = start(argv, stdout=log, stderr=log)
        wait_for(lambda: socket.create_connection((address, hacheck_port), 1).close() or True)
        # What haroll runs: the service is gone for a while, and comes back.
        self.restart = self.folder / "restart"
        self.restart.write_text(f"""#!/bin/sh -e
date +%s.%N > {self.folder}/stopped
kill $(cat {self.folder}/pid)
sleep 1
setsid {' '.join(map(str, self.argv()))} < /dev/null > /dev/null 2>&1 &
echo $! > {self.folder}/pid
""")
        self.restart.chmod(0o755)

    def argv(self):
        return [*self.inside, sys.executable, HERE / "service.py", self.address, self.address, self.service_port, self.folder / "service.sock", self.folder / "requests"]

    def start_service(self):
        self.service = start(self.argv())
        (self.folder / "pid").write_text(str(self.service.pid))
        wait_for(lambda: socket.create_connection((self.address, self.service_port), 1).close() or True)

    def stop_service(self):
        stop(self.service)

    def requests(self, since=0.0):
        path = self.folder / "requests"
        lines = path.read_text().split() if path.exists() else []
        return [float(line) for line in lines if float(line) > since]

    def tool(self, name, *args, **kw):
        argv = [*self.inside, lib.binaries() / name, "--spool-root", self.spool, "-p", self.port, *args]
        return run(argv, timeout=kw.pop("timeout", 60), **kw)


class Site:
    """Two hosts, and the address and port of the balancer in front of them."""

    def __init__(self, config=""):
        self.address, self.port, hacheck, service = "127.0.0.1", free_port(), free_port(), free_port()
        self.one, self.two = [Host(f"127.0.0.{n}", hacheck, service, config) for n in (1, 2)]
        self.folder = folder()

    def text(self, text, **others):
        """A configuration of the document with this site's addresses and ports, and an interval of a second."""
        text = text.replace("10.0.0.11", "127.0.0.1").replace("10.0.0.12", "127.0.0.2")
        for old, new in {"8080": self.one.service_port, "3333": self.one.port, "8000": self.port, **others}.items():
            text = re.sub(rf"\b{re.escape(old)}\b", str(new), text)
        return re.sub(r"\b2s\b", "1s", text)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def answers(self):
        """Waits until the balancer sends to both hosts."""
        seen = set()

        def ask():
            status, who = request(self)
            seen.update([who] if status == 200 else [])
            return len(seen) == 2

        expect(wait_for(ask, 30), "the balancer sends to both hosts", f"to {seen}, {self.log()}")

    def log(self):
        return " ".join(path.read_text(errors="replace")[-300:] for path in self.folder.glob("*.log"))

    def is_polled(self, times=4):
        """Waits until the first host's hacheck was polled so often."""
        def polls():
            return [p for p in json.loads(self.pollers())["pollers"] if p["polls"] >= times]
        expect(wait_for(polls, 30), f"it polls {times} times", self.pollers()[:300])

    def pollers(self):
        return lib.ask(self.one.port, "/pollers", host=self.one.address).body


def request(site, timeout=10):
    """One request of a client: status, and which host answered."""
    connection = http.client.HTTPConnection(site.address, site.port, timeout=timeout)
    try:
        connection.request("GET", "/", headers={"Host": "web.example"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("latin-1")
    except (OSError, http.client.HTTPException) as fault:
        return 0, f"{type(fault).__name__}: {fault}"
    finally:
        connection.close()


class Load:
    """Forty requests a second until its end; `errors` are those that did not get 200."""

    def __init__(self, site):
        self.site, self.count, self.errors, self.ended = site, 0, [], threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(n / 40,), daemon=True) for n in range(8)]
        for thread in self.threads:
            thread.start()

    def _ask(self, first):
        next_time = time.monotonic() + first
        while not self.ended.wait(max(0.0, next_time - time.monotonic())):
            next_time += 0.2
            status, said = request(self.site)
            self.count += 1
            if status != 200:
                self.errors.append((time.time(), status, said[:80]))

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(15)


def rolls(site, waits=True):
    """What each balancer must stand: out, a restart, in, and the same by haroll, without an error or a late request."""
    one, load = site.one, Load(site)
    options = ["--wait", "--min-pollers", "1"] if waits else []
    wait_for(lambda: load.count > 40, 20)

    done = one.tool("hadown", *options, "-r", "new kernel", "web")
    returned = time.time()
    expect(done.code == 0, "hadown --wait ends with 0", done)
    time.sleep(3)
    one.stop_service()
    late = one.requests(since=returned)
    expect(not late, "no request reaches the host after hadown --wait has returned", f"{len(late)}, the last {max(late, default=0) - returned:.2f} s after; {done}")
    one.start_service()
    began = time.time()
    done = one.tool("haup", *options, "web")
    expect(done.code == 0, "haup --wait ends with 0", done)
    expect(wait_for(lambda: one.requests(since=began), 20), "the host gets requests again", f"none; {done}")

    grace = ["--min-pollers", "1", "--grace", "1"] if waits else ["--min-pollers", "0"]
    done = one.tool("haroll", *grace, "web", "--", one.restart, timeout=90)
    expect(done.code == 0, "haroll ends with 0", done)
    stopped = float((one.folder / "stopped").read_text())
    began = time.time()
    while_stopped = [t for t in one.requests(since=stopped) if t < stopped + 1]
    expect(not while_stopped, "no request reaches the host while its service restarts", len(while_stopped))
    expect(wait_for(lambda: one.requests(since=began), 20), "the host gets requests again", f"none; {done}")
    load.stop()
    expect(not load.errors, f"no error in {load.count} requests", f"{len(load.errors)}: {load.errors[:3]}")
    expect(load.count > 200, "some 40 requests a second", load.count)
