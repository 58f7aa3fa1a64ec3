#!/usr/bin/env python3
"""Attacks a daemon beside a real HAProxy, and looks whether the balancer notices.

    tests/campaign/run.py [--binary target/release/hacheck] [--listener http] [--seconds 15] [ATTACK...]

Each attack goes on for so many seconds, from 127.0.0.1, where the balancer is, and from 127.0.0.2, at a rate that the
checked service itself, a script, takes easily: what is measured is whether hacheck is fair, not how fast it is. It fails
where the balancer's state changes (inter 2s fall 2), where a poll of an established poller does not pass, or where the
daemon takes more memory than it may. The 99th percentile of that poller's polls is printed: a figure, to be compared on an
otherwise idle machine (under 250 ms).

Attackers, balancer and poller use one kind of listener: http, tls, http2 (in clear), proxy (behind the PROXY protocol), or
grpc, where the balancer polls by HTTP/2.

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
import ssl
import struct
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
proxy_protocol_from: [127.0.0.0/8]
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


# How a client talks: by listener

class Http:
    """HTTP/1 in clear text."""
    haproxy = ''
    # What the poller asks, and what is in an answer that passes.
    passing = b' 200 '

    def connect(self, address, port):
        return socket.create_connection((HERE, port), 5, (address, 0))

    def request(self, path, headers='', method='GET', body=''):
        return f'{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n{body}'.encode()

    def half_head(self):
        return b'GET /healthz HTTP/1.1\r\nX-Long: ' + b'x' * 7000

    def answer(self, stream):
        return b''.join(iter(lambda: stream.recv(1 << 16), b''))


class Tls(Http):
    """HTTP/1 within TLS."""
    haproxy = 'check-ssl verify none'

    def __init__(self):
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.set_alpn_protocols(['http/1.1'])

    def connect(self, address, port):
        return self.context.wrap_socket(super().connect(address, port), suppress_ragged_eofs=True)


class Proxy(Http):
    """HTTP/1 behind the PROXY protocol: each attacker is a client of its own."""
    haproxy = 'check-send-proxy'

    def connect(self, address, port):
        stream = super().connect(address, port)
        client = address.replace('127.', '10.', 1)
        stream.sendall(f'PROXY TCP4 {client} {HERE} 1000 {port}\r\n'.encode())
        return stream


def frame(kind, flags, stream, payload):
    """A frame of HTTP/2 (RFC 9113, section 4.1)."""
    return struct.pack('>I', len(payload))[1:] + struct.pack('>BBI', kind, flags, stream) + payload


DATA, HEADERS, SETTINGS, WINDOW_UPDATE, END_STREAM, END_HEADERS = 0, 1, 4, 8, 1, 4


def packed_text(text):
    """A text of HPACK (RFC 7541, section 5.2), not compressed."""
    length, rest = min(len(text), 127), len(text) - 127
    head = bytes([length])
    while length == 127 and rest > 127:
        head, rest = head + bytes([rest % 128 + 128]), rest // 128
    return head + (bytes([rest]) if length == 127 else b'') + text.encode()


class Http2(Http):
    """HTTP/2 in clear text, with prior knowledge."""
    haproxy = 'check-proto h2'
    passing = b'\x88'    # :status 200
    window = frame(SETTINGS, 0, 0, struct.pack('>HI', 4, 1 << 30)) + frame(WINDOW_UPDATE, 0, 0, struct.pack('>I', 1 << 30))

    def fields(self, method, path, headers):
        lines = [line.split(': ', 1) for line in headers.splitlines()]
        pseudo = [(':method', method), (':scheme', 'http'), (':path', path), (':authority', 'x')]
        pairs = pseudo + [(name.lower(), value) for name, value in lines]
        return b''.join(b'\0' + packed_text(name) + packed_text(value) for name, value in pairs)

    def request(self, path, headers='', method='GET', body='', unread=False):
        fields = self.fields(method, path, headers)
        begun = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + (frame(SETTINGS, 0, 0, b'') if unread else self.window)
        if not body:
            return begun + frame(HEADERS, END_HEADERS | END_STREAM, 1, fields)
        parts = [body[i:i + 16384] for i in range(0, len(body), 16384)]
        # The stream is left open: it is a part of a body.
        return begun + frame(HEADERS, END_HEADERS, 1, fields) + b''.join(frame(DATA, 0, 1, p.encode()) for p in parts)

    def half_head(self):
        fields = self.fields('GET', '/healthz', 'x-long: ' + 'x' * 7000)
        return b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + self.window + frame(HEADERS, 0, 1, fields)

    def answer(self, stream):
        """What the frames of stream 1 hold."""
        got, answer = b'', b''
        while more := stream.recv(1 << 16):
            got += more
            while len(got) >= 9 and len(got) >= 9 + (length := int.from_bytes(got[:3], 'big')):
                kind, flags, number = struct.unpack('>BBI', got[3:9])
                if number == 1 and kind in (DATA, HEADERS):
                    answer += got[9:9 + length]
                    if flags & END_STREAM:
                        return answer
                got = got[9 + length:]
        return answer


class Grpc(Http2):
    """gRPC's health protocol: the path of a check is the name of a service."""
    haproxy = 'check-proto h2'
    passing = b'\0\0\0\0\2\x08\1'    # SERVING

    def request(self, path, headers='', method='GET', body='', unread=False):
        name = path.strip('/').encode()
        length = bytes([len(name)]) if len(name) < 128 else bytes([len(name) % 128 + 128, len(name) // 128])
        message = b'\x0a' + length + name
        message = b'\0' + struct.pack('>I', len(message)) + message
        fields = self.fields('POST', '/grpc.health.v1.Health/Check', 'content-type: application/grpc\nte: trailers\n' + headers)
        begun = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + self.window
        return begun + frame(HEADERS, END_HEADERS, 1, fields) + frame(DATA, END_STREAM, 1, message)


LISTENERS = {'http': Http, 'tls': Tls, 'http2': Http2, 'grpc': Grpc, 'proxy': Proxy}


# Attacks: each is called again and again, with a number that counts its calls.

class Client:
    def __init__(self, talk, address, daemon, service, hostile):
        self.talk, self.address = talk, address
        self.daemon, self.service, self.hostile = daemon, service, hostile
        self.open = []

    def begin(self, bytes_, most=400):
        """Sends bytes and reads nothing."""
        with contextlib.suppress(OSError):
            stream = self.talk.connect(self.address, self.daemon)
            self.open.append(stream)
            stream.sendall(bytes_)
        while len(self.open) > most:
            self.open.pop(0).close()

    def send(self, path, headers='', method='GET', body='', most=400):
        self.begin(self.talk.request(path, headers, method, body), most)

    def raw(self, bytes_, most=400):
        """Sends bytes that are not what the listener speaks."""
        with contextlib.suppress(OSError):
            stream = Http().connect(self.address, self.daemon)
            self.open.append(stream)
            stream.sendall(bytes_)
        while len(self.open) > most:
            self.open.pop(0).close()

    def read(self, path):
        with contextlib.suppress(OSError):
            stream = self.talk.connect(self.address, self.daemon)
            stream.sendall(self.talk.request(path))
            self.talk.answer(stream)
            stream.close()


FRESH = 'Pragma: no-cache\r\n'


def nothing(client, i):
    """No attack: what the others are to be compared with."""
    time.sleep(0.1)


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
    path = f'/http/web/{client.hostile}/large?{client.address}{i}'
    unread = {'unread': True} if isinstance(client.talk, Http2) else {}
    client.begin(client.talk.request(path, **unread), most=800)
    time.sleep(1 / 50)


def half_forms(client, i):
    """Forms of which only the first half comes."""
    headers = 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 65536\r\n'
    client.send('/spool/made-up/0', headers, 'POST', 'x' * 32768, most=600)
    time.sleep(1 / 50)


def half_heads(client, i):
    """Heads of which the end never comes."""
    client.begin(client.talk.half_head(), most=4000)
    time.sleep(1 / 500)


def half_beginnings(client, i):
    """Beginnings of a TLS hello, of a PROXY header and of HTTP/2, of which no more comes."""
    client.raw([b'\x16\x03\x01\x02\x00\x01', b'PROXY TCP4 10.0.0.1', b'PRI * HTTP/2.0\r\n'][i % 3], most=4000)
    time.sleep(1 / 500)


def handshakes(client, i):
    """Connections that are ended as soon as they have begun: with TLS, after a handshake."""
    with contextlib.suppress(OSError):
        client.talk.connect(client.address, client.daemon).close()
    time.sleep(1 / 1000)


def many_streams(client, i):
    """Connections of HTTP/2 with a hundred requests at once for pages that take 6 s."""
    if not isinstance(client.talk, Http2):
        return time.sleep(1)
    begun = client.talk.request(f'/http/web/{client.service}/slow?{i}', FRESH)
    fields = client.talk.fields('GET', f'/http/web/{client.hostile}/slow?{i}', FRESH)
    more = [frame(HEADERS, END_HEADERS | END_STREAM, number, fields) for number in range(3, 203, 2)]
    client.begin(begun + b''.join(more), most=100)
    time.sleep(1 / 20)


def pages(client, i):
    """Many made-up services, and the pages that list them."""
    for name in range(50):
        client.read(f'/spool/made-up-{client.address}-{i}-{name}/80')
    client.read('/recent?threshold=99999')
    client.read('/status/count')
    time.sleep(1 / 20)


ATTACKS = [nothing, one_slow_page, slow_pages, pass_once_and_hang, unknown_names, one_command, steady_strangers,
           packed, unread, half_forms, half_heads, half_beginnings, handshakes, many_streams, pages]


def attack_for(attack, seconds, client):
    end, i = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        attack(client, i)
        i += 1


# What is looked at

def poll_steadily(talk, path, daemon, results, stop):
    """Polls ten times a second, as one more balancer, and notes how long each poll took."""
    while not stop.is_set():
        begun = time.monotonic()
        answer = b''
        with contextlib.suppress(OSError):
            stream = talk.connect(HERE, daemon)
            stream.sendall(talk.request(path))
            answer = talk.answer(stream)
            stream.close()
        took = time.monotonic() - begun
        results.put((took, talk.passing in answer[:100]))
        time.sleep(max(0, 0.1 - took))


class Balancer:
    def __init__(self, talk, folder, daemon, service):
        self.socket = os.path.join(folder, 'stats')
        config = os.path.join(folder, 'haproxy.cfg')
        with open(config, 'w') as file:
            file.write(f'global\n  stats socket {self.socket} mode 600 level admin\n'
                       'defaults\n  mode http\n  timeout connect 2s\n  timeout client 5s\n  timeout server 5s\n')
            for name in ('web', 'gone'):
                file.write(f'backend {name}\n  option httpchk GET /http/{name}/{service}/health\n'
                           f'  server s {HERE}:{service} check addr {HERE} port {daemon} inter 2s fall 2 rise 1 '
                           f'{talk.haproxy}\n')
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

    def __init__(self, listener, binary, folder):
        self.processes, self.talk, self.is_tls = [], LISTENERS[listener](), listener == 'tls'
        self.service, self.hostile = (self.start_service() for _ in range(2))
        self.port = free_port()
        self.daemon = self.start_daemon(binary, folder)
        wait_for('the daemon listens', lambda: socket.create_connection((HERE, self.port), 1).close() is None)
        self.balancer = Balancer(self.talk, folder, self.port, self.service)
        wait_for('the balancer knows', lambda: self.stats() == {'web': 'UP', 'gone': 'DOWN'})
        self.polls, self.stop = multiprocessing.Queue(), multiprocessing.Event()
        path = f'/http/web/{self.service}/health'
        self.start(poll_steadily, self.talk, path, self.port, self.polls, self.stop)

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
        tls = self.tls_settings(folder) if self.is_tls else ''
        with open(config, 'w') as file:
            file.write(CONFIG + tls)
        port = free_port() if self.is_tls else self.port
        command = [binary, 'serve', '-c', config, '-B', HERE, '-p', str(port), '--spool-root', spool]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def tls_settings(self, folder):
        cert, key = (os.path.join(folder, name) for name in ('cert.pem', 'key.pem'))
        subprocess.run(['openssl', 'req', '-x509', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-newkey', 'ec',
                        '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', key, '-out', cert], check=True,
                       stderr=subprocess.DEVNULL)
        return f'listen_tls: [{self.port}]\ntls_cert_file: {cert}\ntls_key_file: {key}\n'

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
    clients = [Client(site.talk, address, *args) for address in ADDRESSES]
    attackers = [site.start(attack_for, attack, seconds, client) for client in clients]
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
    parser.add_argument('--listener', choices=LISTENERS, default='http')
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
        site = Site(args.listener, os.path.abspath(args.binary), folder)
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
