"""Fake upstreams: each is a thread-per-connection loopback server that records what it saw."""
import hashlib
import os
import socket
import ssl
import struct
import subprocess
import threading
import time


class FakeServer:
    def __init__(self, port, host='127.0.0.1', tls=None, backlog=128):
        self.host, self.port, self.tls = host, port, tls
        self.lock = threading.Lock()
        self.connections = 0
        self.active = 0
        self.events = []
        self.stopping = False
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, port))
        self.sock.listen(backlog)
        self.thread = threading.Thread(target=self._loop, daemon=True)
        self.thread.start()

    def _loop(self):
        while not self.stopping:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(conn,), daemon=True).start()

    def _one(self, conn):
        with self.lock:
            self.connections += 1
            self.active += 1
        try:
            conn.settimeout(60)
            if self.tls is not None:
                conn = self.tls.wrap_socket(conn, server_side=True)
            self.handle(conn)
        except (OSError, ValueError, IndexError, struct.error) as e:
            self.events.append(('error', type(e).__name__))
        finally:
            with self.lock:
                self.active -= 1
            try:
                conn.close()
            except OSError:
                pass

    def handle(self, conn):
        pass

    def made(self, want):
        """Connections so far; waits until there are as many as wanted, then a moment for any excess."""
        end = time.time() + 30
        while self.connections < want and time.time() < end:
            time.sleep(0.01)
        time.sleep(0.05)
        return self.connections

    def wait_events(self, n, timeout=30.0):
        end = time.time() + timeout
        while len(self.events) < n and time.time() < end:
            time.sleep(0.01)
        return self.events

    def stop(self):
        self.stopping = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Request:
    def __init__(self, head):
        self.raw = head
        lines = head.decode('latin-1').split('\r\n')
        parts = lines[0].split(' ')
        self.line = lines[0]
        self.method = parts[0]
        self.target = parts[1] if len(parts) > 1 else ''
        self.version = parts[-1]
        self.header_list = [(k.strip().lower(), v.strip()) for k, _, v in
                            (ln.partition(':') for ln in lines[1:] if ln)]
        self.headers = dict(self.header_list)


def response(status=200, body=b'', headers=(), reason='X', length=True):
    if isinstance(body, str):
        body = body.encode('utf-8')
    out = ['HTTP/1.1 %s %s' % (status, reason)]
    out += ['%s: %s' % h for h in headers]
    if length:
        out.append('Content-Length: %d' % len(body))
    return ('\r\n'.join(out) + '\r\n\r\n').encode('latin-1') + body


class FakeHTTP(FakeServer):
    """status/body/headers/raw describe the answer; script(req) -> bytes overrides them.

    delay is a number of seconds, or a threading.Event that is waited for before the answer goes.
    """
    def __init__(self, port, status=200, body='ok', headers=(), raw=None, delay=0, script=None, linger=0, **kw):
        self.requests = []
        self.spec = dict(status=status, body=body, headers=headers)
        self.raw, self.delay, self.script, self.linger = raw, delay, script, linger
        self.busy = self.max_busy = 0       # requests received and not yet answered
        super().__init__(port, **kw)

    @property
    def hits(self):
        return len(self.requests)

    @property
    def last(self):
        return self.requests[-1] if self.requests else Request(b'(no request)')

    def handle(self, conn):
        data = b''
        while b'\r\n\r\n' not in data:
            chunk = conn.recv(65536)
            if not chunk:
                return
            data += chunk
        req = Request(data[:data.index(b'\r\n\r\n')])
        req.extra = data[data.index(b'\r\n\r\n') + 4:]
        with self.lock:
            self.requests.append(req)
            self.busy += 1
            self.max_busy = max(self.max_busy, self.busy)
        if isinstance(self.delay, threading.Event):
            self.delay.wait(60)
        elif self.delay:
            time.sleep(self.delay)
        if self.script is not None:
            out = self.script(req)
        elif self.raw is not None:
            out = self.raw
        else:
            out = response(**self.spec)
        with self.lock:
            self.busy -= 1
        if out:
            conn.sendall(out)
        if self.linger:
            time.sleep(self.linger)


class FakeTCP(FakeServer):
    """Accepts, optionally speaks first, records what the peer sent until it closed."""
    def __init__(self, port, greeting=b'', **kw):
        self.greeting = greeting
        super().__init__(port, **kw)

    def handle(self, conn):
        if self.greeting:
            conn.sendall(self.greeting)
        got = b''
        try:
            while True:
                x = conn.recv(4096)
                if not x:
                    break
                got += x
            self.events.append(('closed', got))
        except OSError:
            self.events.append(('reset', got))


class LineServer(FakeServer):
    """SMTP-like or redis-like: greeting, then one reply per line received."""
    def __init__(self, port, greeting=b'', reply=b'', close_after=True, delay=0, **kw):
        self.greeting, self.reply, self.close_after, self.delay = greeting, reply, close_after, delay
        super().__init__(port, **kw)

    def handle(self, conn):
        if self.greeting is None:
            return
        if self.greeting:
            conn.sendall(self.greeting)
        f = conn.makefile('rb')
        line = f.readline()
        self.events.append(('line', line))
        if line and self.delay:
            time.sleep(self.delay)
        if line and self.reply:
            conn.sendall(self.reply)
        if not self.close_after:
            f.readline()


class Blackhole:
    """A port whose connects hang: listening with a full accept queue."""
    def __init__(self, port, host='127.0.0.1'):
        self.port = port
        self.s = socket.socket()
        self.s.bind((host, port))
        self.s.listen(0)
        self.fill = []
        for _ in range(4):
            x = socket.socket()
            x.setblocking(False)
            x.connect_ex((host, port))
            self.fill.append(x)
        time.sleep(0.1)

    def stop(self):
        for x in self.fill:
            x.close()
        self.s.close()


# -------------------------------------------------------------------- MySQL

def native_scramble(password, salt):
    a = hashlib.sha1(password).digest()
    b = hashlib.sha1(salt + hashlib.sha1(a).digest()).digest()
    return bytes(x ^ y for x, y in zip(a, b))


def packet(seq, payload):
    return struct.pack('<I', len(payload))[:3] + bytes([seq]) + payload


def err_packet(code, state, message):
    return b'\xff' + struct.pack('<H', code) + b'#' + state + message


OK_PACKET = b'\x00\x00\x00\x02\x00\x00\x00'


class FakeMySQL(FakeServer):
    """Protocol 10 greeting, checks the native password, records login and COM_QUIT.

    reply: payload bytes sent after login instead of the verdict; greeting: raw payload instead of a handshake;
    stall: 'greeting' or 'auth' keeps silent at that point; drop: same, but closes.
    """
    SALT = b'abcdefgh' + b'ijklmnopqrst'

    def __init__(self, port, user='checker', password='s3cret', reply=None, greeting=None, stall=None, drop=None,
                 version=b'5.7.99-fake', salt=None, **kw):
        self.user, self.password, self.reply, self.greeting = user.encode(), password.encode(), reply, greeting
        self.stall, self.drop, self.server_version = stall, drop, version
        self.salt = salt or self.SALT
        self.login = {}
        super().__init__(port, **kw)

    def _handshake(self):
        caps = 0x200 | 0x400 | 0x8000 | 0x80000 | 0x1 | 0x8
        return (b'\x0a' + self.server_version + b'\0' + struct.pack('<I', 77) + self.salt[:8] + b'\0' +
                struct.pack('<H', caps & 0xffff) + b'\x21' + struct.pack('<H', 2) + struct.pack('<H', caps >> 16) +
                bytes([len(self.salt) + 1]) + b'\0' * 10 + self.salt[8:] + b'\0' + b'mysql_native_password\0')

    def _read(self, conn):
        head = self._exact(conn, 4)
        if head is None:
            return None, None
        n = struct.unpack('<I', head[:3] + b'\0')[0]
        return head[3], self._exact(conn, n)

    def _exact(self, conn, n):
        out = b''
        while len(out) < n:
            x = conn.recv(n - len(out))
            if not x:
                return None
            out += x
        return out

    def handle(self, conn):
        if self.drop == 'greeting':
            return
        if self.stall == 'greeting':
            conn.recv(100)
            return
        conn.sendall(packet(0, self.greeting if self.greeting is not None else self._handshake()))
        seq, body = self._read(conn)
        if body is None:
            self.events.append(('eof before login', None))
            return
        caps, max_packet, charset = struct.unpack('<IIB', body[:9])
        rest = body[32:]
        user, rest = rest.split(b'\0', 1)
        auth = rest[1:1 + rest[0]]
        tail = rest[1 + rest[0]:]
        good = (user == self.user and auth == native_scramble(self.password, self.salt))
        self.login = dict(seq=seq, caps=caps, charset=charset, user=user, auth_len=len(auth), good=good,
                          plugin=tail.split(b'\0')[0])
        self.events.append(('login', good))
        if self.drop == 'auth':
            return
        if self.stall == 'auth':
            conn.recv(100)
            return
        if self.reply is not None:
            conn.sendall(packet(seq + 1, self.reply))
        elif good:
            conn.sendall(packet(seq + 1, OK_PACKET))
        else:
            conn.sendall(packet(seq + 1, err_packet(1045, b'28000', b"Access denied for user '" + user + b"'")))
        seq, body = self._read(conn)
        self.events.append(('quit', (seq, body)) if body is not None else ('eof', None))


# ---------------------------------------------------------------------- TLS

def tls_context(directory):
    """A server context with a fresh self-signed certificate; None when openssl did not make one."""
    crt, key = os.path.join(directory, 'c.pem'), os.path.join(directory, 'k.pem')
    try:
        p = subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj',
                            '/CN=conformance.invalid', '-keyout', key, '-out', crt],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if p.returncode != 0:
        return None
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(crt, key)
    return ctx
