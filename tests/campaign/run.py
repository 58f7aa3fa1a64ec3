#!/usr/bin/env python3
"""Attacks a daemon beside a real HAProxy, and looks whether the balancer notices.

    tests/campaign/run.py [--binary target/release/hacheck] [--seconds 15] [ATTACK...]

Each attack goes on for so many seconds, from 127.0.0.1, where the balancer is, and from 127.0.0.2, at a rate that the
checked service itself, a script, takes easily: what is measured is whether hacheck is fair, not how fast it is. It fails
where the balancer's state changes (inter 2s fall 2), where a poll of an established poller does not pass, or where the
daemon takes more memory than it may. The 99th percentile of that poller's polls is printed: a figure, to be compared on an
otherwise idle machine (under 250 ms).

As root it runs in network and mount namespaces of its own, with a name server that never answers; else without that attack.
"""

import argparse
import asyncio
import contextlib
import csv
import gzip
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = '127.0.0.1'
ADDRESSES = (HERE, '127.0.0.2')
MIB = 1 << 20

# memory_limit, cache_bytes, and what the daemon, its connections and the allocator take besides.
RSS_MAX = (64 + 16 + 96) * MIB

CONFIG = """\
cache_time: 0
allow_remote_spool_changes: true
exec: {slow: [/bin/sleep, '6']}
"""


# What is checked

class Service:
    """/health is well; other pages are slow, large, or hang from the second time on."""

    def __init__(self):
        self.seen = set()
        self.packed = gzip.compress(bytes(8 * MIB))

    async def serve(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b'\r\n\r\n')
            await self.answer(head.split()[1].decode(), writer)
        writer.close()

    async def answer(self, page, writer):
        headers, body = '', b'well'
        if page.startswith('/slow') or (page.startswith('/once') and page in self.seen):
            await asyncio.sleep(6)
        elif page.startswith('/gzip'):
            headers, body = 'Content-Encoding: gzip\r\n', self.packed
        elif page.startswith('/large'):
            body = bytes(8 * MIB)
        if page.startswith('/once'):
            self.seen.add(page)
        head = f'HTTP/1.1 200 OK\r\nConnection: close\r\n{headers}Content-Length: {len(body)}\r\n\r\n'
        writer.write(head.encode() + body)
        await writer.drain()


def serve(listener):
    async def run():
        server = await asyncio.start_server(Service().serve, sock=listener)
        await server.serve_forever()
    asyncio.run(run())


# Attacks: each is called again and again, with a number that counts its calls.

class Client:
    def __init__(self, address, daemon, service, hostile):
        self.address, self.daemon, self.service, self.hostile = address, daemon, service, hostile
        self.open = []

    def connect(self):
        return socket.create_connection((HERE, self.daemon), 5, (self.address, 0))

    def send(self, path, headers='', method='GET', body='', most=400):
        """Sends a request and reads nothing."""
        with contextlib.suppress(OSError):
            stream = self.connect()
            self.open.append(stream)
            stream.sendall(f'{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}'.encode())
        while len(self.open) > most:
            self.open.pop(0).close()

    def read(self, path):
        with contextlib.suppress(OSError):
            stream = self.connect()
            stream.sendall(f'GET {path} HTTP/1.0\r\n\r\n'.encode())
            while stream.recv(1 << 16):
                pass
            stream.close()


FRESH = 'Pragma: no-cache\r\n'


def one_slow_page(client, i):
    """20 requests a second for one page of the balancer's service that takes 6 s."""
    client.send(f'/http/web/{client.service}/slow', FRESH)
    time.sleep(1 / 20)


def slow_pages(client, i):
    """Pages that take 6 s, all of the balancer's service."""
    client.send(f'/http/web/{client.service}/slow?{i}', FRESH)
    time.sleep(1 / 100)


def pass_once_and_hang(client, i):
    """Made-up checks that pass once and hang from then on."""
    client.send(f'/http/made-up/{client.service}/once{client.address}-{i % 300}', FRESH, most=1000)
    time.sleep(1 / 100)


def unknown_names(client, i):
    """Names that are never resolved."""
    client.send('/http/web/80/', f'X-Nerve-Check-IP: made-up-{client.address}-{i}.test\r\n')
    time.sleep(1 / 20)


def one_command(client, i):
    """One exec command, by made-up service names."""
    client.send(f'/exec/made-up-{client.address}-{i}/0/slow')
    time.sleep(1 / 100)


def steady_strangers(client, i):
    """Pollers that come twice, by the thousand."""
    client.read(f'/spool/made-up-{client.address}-{i // 2}/80')
    time.sleep(1 / 1000)


def packed(client, i):
    """9 KB of gzip that unpack to 8 MiB."""
    client.send(f'/http/web/{client.hostile}/gzip?{client.address}{i}', most=1000)
    time.sleep(1 / 50)


def unread(client, i):
    """Answers of 8 MiB that nobody reads."""
    client.send(f'/http/web/{client.hostile}/large?{client.address}{i}', most=800)
    time.sleep(1 / 50)


def half_forms(client, i):
    """Forms of which only the first half comes."""
    headers = 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 65536\r\n'
    client.send('/spool/made-up/0', headers, 'POST', 'x' * 32768, most=600)
    time.sleep(1 / 50)


def half_heads(client, i):
    """Heads of which the end never comes."""
    client.send('/healthz', 'X-Long: ' + 'x' * 7000, most=4000)
    time.sleep(1 / 500)


def pages(client, i):
    """Many made-up services, and the pages that list them."""
    for name in range(50):
        client.read(f'/spool/made-up-{client.address}-{i}-{name}/80')
    client.read('/recent?threshold=99999')
    client.read('/status/count')
    time.sleep(1 / 20)


ATTACKS = [one_slow_page, slow_pages, pass_once_and_hang, unknown_names, one_command, steady_strangers,
           packed, unread, half_forms, half_heads, pages]


def attack_for(attack, seconds, client):
    end, i = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        attack(client, i)
        i += 1


# What is looked at

def poll_steadily(path, daemon, results, stop):
    """Polls ten times a second, as one more balancer, and notes how long each poll took."""
    while not stop.is_set():
        begun = time.monotonic()
        status = b''
        with contextlib.suppress(OSError):
            stream = socket.create_connection((HERE, daemon), 5)
            stream.sendall(f'GET {path} HTTP/1.0\r\n\r\n'.encode())
            status = stream.recv(100)[9:12]
            stream.close()
        took = time.monotonic() - begun
        results.put((took, status == b'200'))
        time.sleep(max(0, 0.1 - took))


class Balancer:
    def __init__(self, folder, daemon, service):
        self.socket = os.path.join(folder, 'stats')
        config = os.path.join(folder, 'haproxy.cfg')
        with open(config, 'w') as file:
            file.write(f'global\n  stats socket {self.socket} mode 600 level admin\n'
                       'defaults\n  mode http\n  timeout connect 2s\n  timeout client 5s\n  timeout server 5s\n')
            for name in ('web', 'gone'):
                file.write(f'backend {name}\n  option httpchk GET /http/{name}/{service}/health\n'
                           f'  server s {HERE}:{service} check addr {HERE} port {daemon} inter 2s fall 2 rise 1\n')
        self.process = subprocess.Popen(['haproxy', '-db', '-f', config], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def stats(self):
        """Status, times it went down, and failed checks, by backend."""
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(self.socket)
            stream.sendall(b'show stat\n')
            text = b''.join(iter(lambda: stream.recv(1 << 16), b'')).decode()
        rows = csv.DictReader(text.lstrip('# ').splitlines())
        return {row['pxname']: (row['status'].split()[0], int(row['chkdown']), int(row['chkfail']))
                for row in rows if row['svname'] == 's'}


def resident(pid):
    with open(f'/proc/{pid}/statm') as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def wait_for(what, holds):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError, KeyError):
            if holds():
                return
        time.sleep(0.1)
    sys.exit(f'campaign: {what}: not within 30 s')


def listener():
    return socket.create_server((HERE, 0), backlog=1024)


def free_port():
    with listener() as taken:
        return taken.getsockname()[1]


class Site:
    """A daemon, what it checks, a balancer, and a steady poller."""

    def __init__(self, binary, folder):
        self.processes = []
        self.service, self.hostile = (self.start_service() for _ in range(2))
        self.port = free_port()
        self.daemon = self.start_daemon(binary, folder)
        wait_for('the daemon listens', lambda: socket.create_connection((HERE, self.port), 1).close() is None)
        self.balancer = Balancer(folder, self.port, self.service)
        wait_for('the balancer knows', lambda: self.stats() == {'web': 'UP', 'gone': 'DOWN'})
        self.polls, self.stop = multiprocessing.Queue(), multiprocessing.Event()
        path = f'/http/web/{self.service}/health'
        self.start(poll_steadily, path, self.port, self.polls, self.stop)

    def start(self, work, *args):
        process = multiprocessing.Process(target=work, args=args, daemon=True)
        process.start()
        self.processes.append(process)
        return process

    def start_service(self):
        bound = listener()
        self.start(serve, bound)
        return bound.getsockname()[1]

    def start_daemon(self, binary, folder):
        spool, config = os.path.join(folder, 'spool'), os.path.join(folder, 'hacheck.yml')
        os.mkdir(spool)
        with open(os.path.join(spool, 'gone'), 'w') as file:
            file.write('down for the campaign')
        with open(config, 'w') as file:
            file.write(CONFIG)
        command = [binary, 'serve', '-c', config, '-B', HERE, '-p', str(self.port), '--spool-root', spool]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stats(self):
        return {name: status for name, (status, _, _) in self.balancer.stats().items()}

    def polled(self):
        polls = []
        while not self.polls.empty():
            polls.append(self.polls.get())
        return polls

    def end(self):
        self.stop.set()
        for process in (self.balancer.process, self.daemon):
            process.send_signal(signal.SIGTERM)
            process.wait()
        for process in self.processes:
            process.terminate()


def run(site, attack, seconds):
    """Runs one attack; gives what is wrong after it."""
    wait_for('the balancer knows', lambda: site.stats() == {'web': 'UP', 'gone': 'DOWN'})
    site.polled()
    before = site.balancer.stats()
    args = (site.port, site.service, site.hostile)
    attackers = [site.start(attack_for, attack, seconds, Client(address, *args)) for address in ADDRESSES]
    highest = 0
    while any(attacker.is_alive() for attacker in attackers):
        if site.daemon.poll() is not None:
            return [f'the daemon ended with {site.daemon.returncode}']
        highest = max(highest, resident(site.daemon.pid))
        time.sleep(0.1)
    # The balancer asks once more.
    time.sleep(2.5)
    after, idle, polls = site.balancer.stats(), resident(site.daemon.pid), site.polled()
    times = sorted(took for took, _ in polls)
    p99 = times[len(times) * 99 // 100] * 1000 if times else float('nan')
    failed = sum(not passed for _, passed in polls)
    print(f'{attack.__name__:20} p99 {p99:7.1f} ms  failed polls {failed:3} of {len(polls):4}  '
          f'RSS at most {highest / MIB:6.1f} MiB, after {idle / MIB:6.1f} MiB  '
          f'failed checks of the balancer {after["web"][2] - before["web"][2]}', flush=True)
    faults = []
    if [state[:2] for state in after.values()] != [state[:2] for state in before.values()]:
        faults.append(f'the balancer saw {after} where it was {before}')
    if failed:
        faults.append(f'{failed} of {len(polls)} polls of an established poller failed')
    if highest > RSS_MAX:
        faults.append(f'RSS of {highest / MIB:.0f} MiB is over {RSS_MAX / MIB:.0f} MiB')
    return faults


def alone(args):
    """Begins again in namespaces of its own, where root may make them; gives whether it is in some."""
    if os.environ.get('CAMPAIGN_ALONE'):
        subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
        return True
    if os.geteuid() != 0 or not shutil.which('unshare') or not shutil.which('ip'):
        return False
    command = ['unshare', '--net', '--mount', sys.executable, os.path.abspath(__file__), *args]
    os.execvpe('unshare', command, {**os.environ, 'CAMPAIGN_ALONE': '1'})


def silent_name_server(folder):
    """Whoever asks for a name from now on never gets an answer."""
    path = os.path.join(folder, 'resolv.conf')
    with open(path, 'w') as file:
        file.write(f'nameserver {HERE}\n')
    subprocess.run(['mount', '--bind', path, os.path.realpath('/etc/resolv.conf')], check=True)
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((HERE, 53))
    return silent


def main():
    is_alone = alone(sys.argv[1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--binary', default='target/release/hacheck')
    parser.add_argument('--seconds', type=float, default=15)
    parser.add_argument('attacks', nargs='*', metavar='ATTACK', help=', '.join(a.__name__ for a in ATTACKS))
    args = parser.parse_args()
    chosen = [a for a in ATTACKS if not args.attacks or a.__name__ in args.attacks]
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        if is_alone:
            _silent = silent_name_server(folder)
        else:
            print('not root: without unknown_names')
            chosen = [a for a in chosen if a is not unknown_names]
        site = Site(os.path.abspath(args.binary), folder)
        try:
            # Until balancer and poller are established.
            time.sleep(10)
            for attack in chosen:
                faults += [f'{attack.__name__}: {fault}' for fault in run(site, attack, args.seconds)]
        finally:
            site.end()
    for fault in faults:
        print(f'campaign: {fault}', file=sys.stderr)
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
