"""Pollers of the clouds, which cannot be installed: each asks as its manual documents it, and goes by the answers with its documented
thresholds. `--wait` must not return before it has taken the server out."""
import http.client, json, socket, threading, time

from hosts import block
from lib import Daemon, case, expect, main, wait_for


class Cloud:
    """A poller that asks every `every` seconds, the first time after `first`, with these headers; it takes the server out after `down`
    failures in a row, and back after `up` passed checks."""

    def __init__(self, port, headers, down, up, every=1.0, version="HTTP/1.1", first=None):
        self.port, self.headers, self.down, self.up, self.every, self.version = port, headers, down, up, every, version
        self.is_in, self.in_a_row, self.polls, self.took_out, self.put_back = True, 0, 0, None, None
        self.ended, self.polled_at, self.first = threading.Event(), None, every if first is None else first
        threading.Thread(target=self._poll, daemon=True).start()

    def _poll(self):
        gap = self.first
        while not self.ended.wait(gap):
            gap = self.every
            passed = self._ask() == 200
            self.polls, self.polled_at = self.polls + 1, time.time()
            self.in_a_row = 0 if passed == self.is_in else self.in_a_row + 1
            if self.is_in and self.in_a_row >= self.down:
                self.is_in, self.in_a_row, self.took_out = False, 0, time.time()
            elif not self.is_in and self.in_a_row >= self.up:
                self.is_in, self.in_a_row, self.put_back = True, 0, time.time()

    def _ask(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection._http_vsn_str = self.version
        connection._http_vsn = 10 if self.version == "HTTP/1.0" else 11
        try:
            connection.putrequest("GET", "/spool/web/8080/status", skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers:
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


def waits_for(headers, down, up, user_agent, **kw):
    """hadown and haup wait for the poller, which is known by its User-Agent from its first poll on."""
    daemon = Daemon()
    cloud = Cloud(daemon.port, headers, down, up, **kw)
    wait_for(lambda: cloud.polls >= 1)
    shown = [p for p in json.loads(daemon.get("/pollers").body)["pollers"] if (p["user_agent"] or "").startswith(user_agent)]
    expect(shown and shown[0]["expected"]["interval"] == 60, f"{user_agent} is presumed to poll every 60 s", shown)
    done = daemon.tool("hadown", "--wait", "--min-pollers", "1", "-r", "new kernel", "web", timeout=60)
    returned = time.time()
    expect(done.code == 0 and cloud.took_out and cloud.took_out <= returned, "hadown --wait returns after the poller took the server out", f"out {cloud.took_out}, {done}")
    done = daemon.tool("haup", "--wait", "--min-pollers", "1", "web", timeout=60)
    returned = time.time()
    expect(done.code == 0 and cloud.put_back and cloud.put_back <= returned, "haup --wait returns after the poller put it back", f"back {cloud.put_back}, {done}")
    cloud.ended.set()


@case
def aws_asks_as_its_manual_says():
    # User guide for Application Load Balancers, "Health checks for your target groups": UnhealthyThresholdCount 2, HealthyThresholdCount 5.
    headers = [("Host", "127.0.0.1:3333"), ("Connection", "close"), ("User-Agent", "ELB-HealthChecker/2.0"), ("Accept-Encoding", "gzip, compressed")]
    waits_for(headers, 2, 5, "ELB-HealthChecker")


class Machines:
    """Machines of a Network Load Balancer: they ask from one address, one soon after the other, and agree among themselves. How is not
    documented, so the last of them counts."""

    EVERY, COUNT, THRESHOLD = 2.0, 5, 3

    def __init__(self, port):
        # "The host header contains the IP address of the load balancer node and the listener port".
        headers = [("Host", "127.0.0.1:80"), ("Connection", "close"), ("User-Agent", "ELB-HealthChecker/2.0"), ("Accept-Encoding", "gzip, compressed")]
        # "The approximate amount of time".
        each = lambda n: Cloud(port, headers, self.THRESHOLD, self.THRESHOLD, every=self.EVERY + n / 100, first=0.05 + n / 20)
        self.all = [each(n) for n in range(self.COUNT)]

    def are(self, state):
        return all(machine.is_in == state for machine in self.all)

    def between_rounds(self):
        """Waits until all have polled twice, and none does for a while."""
        last = lambda: max(machine.polled_at for machine in self.all)
        expect(wait_for(lambda: all(machine.polls >= 2 for machine in self.all) and 0.9 < time.time() - last() < 1.1, 30), "a break between rounds", last())


@case
def nlb_asks_as_its_manual_says():
    # User guide for Network Load Balancers, "Health checks for your target groups": they "are distributed and use a consensus mechanism to
    # determine target health. Therefore, targets receive more than the configured number of health checks."
    rules = block("Clouds", "yaml")
    expect("interval: 30," in rules, "the document sets the interval of the target group", rules)
    daemon = Daemon(rules.replace("interval: 30,", f"interval: {Machines.EVERY},"))
    machines = Machines(daemon.port)
    for tool, state in ((("hadown", "-r", "new kernel"), False), (("haup",), True)):
        machines.between_rounds()
        done = daemon.tool(*tool, "--wait", "--min-pollers", "0", "web", timeout=90)
        expect(done.code == 0 and machines.are(state), f"{tool[0]} --wait returns after each machine has acted", f"{[m.in_a_row for m in machines.all]}, {done}")


@case
def tcp_checks_never_see_a_downtime():
    # What a Network Load Balancer does unless told otherwise: "The default is the TCP protocol."
    daemon = Daemon()
    connects = lambda: socket.create_connection(("127.0.0.1", daemon.port), 5).close() or True
    for _ in range(5):
        connects()
    done = daemon.tool("hadown", "--wait", "--min-pollers", "1", "--timeout", "2", "-r", "new kernel", "web")
    expect(done.code == 1 and "0 of 1 load balancers are known" in done.err, "hadown --wait knows of no load balancer", done)
    expect(connects() and json.loads(daemon.get("/pollers").body)["pollers"] == [], "a TCP check passes during a downtime, and is no poll", daemon.get("/pollers"))


@case
def google_asks_as_its_manual_says():
    # gcloud compute http-health-checks create: --unhealthy-threshold 2, --healthy-threshold 2.
    headers = [("Host", "127.0.0.1"), ("User-Agent", "GoogleHC/1.0"), ("Connection", "Keep-alive")]
    waits_for(headers, 2, 2, "GoogleHC")


@case
def azure_asks_as_its_manual_says():
    # Azure Load Balancer, "Health probes": one failure takes out, or two; one passed check puts back.
    headers = [("Host", "127.0.0.1:3333"), ("User-Agent", "Load Balancer Agent"), ("Connection", "Keep-Alive")]
    waits_for(headers, 2, 1, "Load Balancer Agent")


@case
def kubelet_asks_as_its_manual_says():
    # Kubernetes, "Configure Probes": failureThreshold 3, successThreshold 1.
    headers = [("Host", "127.0.0.1:3333"), ("User-Agent", "kube-probe/1.30"), ("Accept", "*/*"), ("Connection", "close")]
    waits_for(headers, 3, 1, "kube-probe")


@case
def keepalived_asks_as_its_manual_says():
    # keepalived.conf(5), HTTP_GET: with retry 3 (1 unless set) the fourth failure takes out. It puts back once the URL that failed has
    # passed, and then all of them, so the second one counts. The real one is in ipvs.py.
    headers = [("User-Agent", "KeepAliveClient"), ("Host", "127.0.0.1:3333")]
    waits_for(headers, 4, 2, "KeepAliveClient", version="HTTP/1.0")


@case
def a_balancer_that_polled_once_half_a_minute_ago_is_waited_for():
    # AWS asks every 30 s unless told otherwise; it must not be forgotten after one poll.
    daemon = Daemon()
    daemon.get("/spool/web/8080/status", {"User-Agent": "ELB-HealthChecker/2.0"})
    time.sleep(12)
    done = daemon.tool("haroll", "--min-pollers", "0", "--timeout", "3", "web", "--", "true", timeout=30)
    expect(done.code == 1 and "ELB-HealthChecker" in done.err, "haroll does not run its command, and names the balancer", done)
    expect("may be too short: needs up to 185 s" in done.err, "it says how long that may need", done)


if __name__ == "__main__":
    main()
