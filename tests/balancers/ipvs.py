"""keepalived with IPVS, in a kernel that has it (see guest.py): four network namespaces and the addresses of docs/balancers.md.

    clients 192.0.2.2 -- lb 192.0.2.1, 10.0.0.1, virtual 10.0.0.10 -- one 10.0.0.11
                                                                   -- two 10.0.0.12
"""
import concurrent.futures, http.client, json, re, subprocess

import lib
from hosts import Host, Site, block, rolls
from lib import case, expect, main, start, wait_for


def ip(words, network=None):
    subprocess.run(["ip", *(["-n", network] if network else []), *words.split()], check=True)


def networks():
    """The clients are in the guest's first namespace."""
    ip("link set lo up")
    for name in ("lb", "one", "two"):
        ip(f"netns add {name}")
        ip("link set lo up", name)
    ip("link add lb type veth peer name clients netns lb")
    ip("addr add 192.0.2.2/24 dev lb")
    ip("link set lb up")
    ip("addr add 192.0.2.1/24 dev clients", "lb")
    ip("link set clients up", "lb")
    ip("route add 10.0.0.0/24 via 192.0.2.1")
    for address in ("10.0.0.1", "10.0.0.10"):
        ip(f"addr add {address}/32 dev lo", "lb")
    for name, address in (("one", "10.0.0.11"), ("two", "10.0.0.12")):
        ip(f"link add {name} netns lb type veth peer name lb netns {name}")
        ip(f"link set {name} up", "lb")
        ip(f"addr add {address}/32 dev lb", name)
        ip("link set lb up", name)
        ip("route add 10.0.0.1 dev lb", name)
        ip(f"route add default via 10.0.0.1 src {address}", name)
        ip(f"route add {address}/32 dev {name} src 10.0.0.1", "lb")
    subprocess.run([*IN_LB, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], check=True)


IN_LB = ["ip", "netns", "exec", "lb"]


class Routed(Site):
    """The two hosts behind a virtual address."""

    def __init__(self, config=""):
        networks()
        self.address, self.port = "10.0.0.10", 8000
        self.one = Host("10.0.0.11", 3333, 8080, config, network="one")
        self.two = Host("10.0.0.12", 3333, 8080, config, network="two")
        self.folder = lib.folder()

    def balance(self, text):
        """Starts keepalived with this configuration."""
        file = self.write("keepalived.conf", text)
        argv = [*IN_LB, "keepalived", "--dont-fork", "--check", "--log-console", "--log-detail", "-f", file, "-p", self.folder / "k.pid", "-c", self.folder / "c.pid"]
        log = open(self.folder / "balancer.log", "wb")
        return start(argv, stdout=log, stderr=log)

    def weights(self, port):
        """The weights that the real servers of a virtual one have in the kernel's table."""
        table = subprocess.run([*IN_LB, "cat", "/proc/net/ip_vs"], check=True, capture_output=True, text=True).stdout
        servers = re.search(rf"^TCP  0A00000A:{port:04X} .*\n((?:  ->.*\n)*)", table, re.M).group(1)
        return [int(line.split()[3]) for line in servers.splitlines()]


@case
def keepalived():
    site = Routed()
    site.balance(block("keepalived", "keepalived"))
    site.answers()
    site.is_polled()
    rolls(site)


@case
def keepalived_lets_connections_end():
    site = Routed()
    site.balance(block("keepalived", "keepalived"))
    site.answers()
    site.is_polled()
    kept = kept_connection_to(site, "10.0.0.11")
    done = site.one.tool("hadown", "--wait", "--min-pollers", "1", "-r", "new kernel", "web")
    expect(done.code == 0 and sorted(site.weights(8000)) == [0, 1], "the first server has no weight, and stays in the table", f"{site.weights(8000)}, {done}")
    kept.request("GET", "/")
    expect(kept.getresponse().read() == b"10.0.0.11", "a connection of before is served until it ends", "another answer")


def kept_connection_to(site, address):
    """A client's connection, which the balancer has given to this server."""
    while True:
        connection = http.client.HTTPConnection(site.address, site.port, timeout=5)
        connection.request("GET", "/")
        if connection.getresponse().read() == address.encode():
            return connection
        connection.close()


# Virtual servers by their port: the service that they ask for, and their retries.
VIRTUAL = {8100: ("none", 0), 8101: ("one", 1), 8103: ("three", 3), 8105: ("five", 5), 8111: ("both", 1), 8112: ("both", 1)}
RULES = """pollers:
  - {user_agent: KeepAliveClient, service: five, polls_down: 6}
  - {user_agent: KeepAliveClient, service: both, interval: 2, polls_down: 6, polls_up: 6}
"""


@case
def keepalived_takes_a_server_out_after_its_retries():
    """What the document says of `retry`, and of two virtual servers that ask the same, is what the kernel's table shows."""
    site = Routed(RULES)
    site.balance("".join(virtual_server(port, *asks) for port, asks in VIRTUAL.items()))
    services = sorted({service for service, _ in VIRTUAL.values()})
    are_polled = lambda: len([p for p in polled(site) if p["polls"] >= 4]) == len(services)
    expect(wait_for(are_polled, 60), "each service is polled", site.pollers())
    for name, polls in (("none", 4), ("five", 6)):
        known = [p for p in polled(site) if p["service"].startswith(name)][0]
        expect(known["user_agent"] == "KeepAliveClient" and known["expected"]["polls_down"] == polls, f"{polls} polls are expected of it", known)
    for tool, weight in ((["hadown", "-r", "new kernel"], 0), (["haup"], 1)):
        for fault in at_once(changes, [(site, tool, weight, service) for service in services]):
            expect(not fault, f"{tool[0]} --wait returns once keepalived has acted", fault)


def virtual_server(port, service, retry):
    return f"""virtual_server 10.0.0.10 {port} {{
    delay_loop 2
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.0.0.11 8080 {{
        inhibit_on_failure
        HTTP_GET {{
            connect_port 3333
            connect_timeout 1
            retry {retry}
            delay_before_retry 1
            url {{
                path /spool/{service}/8080/status
                status_code 200
            }}
        }}
    }}
}}
"""


def polled(site):
    return json.loads(site.pollers())["pollers"]


def changes(site, tool, weight, service):
    """Takes one service out or back, and gives what was wrong."""
    done = site.one.tool(*tool, "--wait", "--min-pollers", "1", service)
    ports = [port for port, asks in VIRTUAL.items() if asks[0] == service]
    # It may not yet have read the last answer that it needs; the next one would be a second later.
    has_acted = wait_for(lambda: all(site.weights(port) == [weight] for port in ports), 0.5)
    return "" if done.code == 0 and has_acted else f"{service}: {[site.weights(port) for port in ports]}, {done}"


def at_once(function, calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: function(*call), calls))


if __name__ == "__main__":
    main()
