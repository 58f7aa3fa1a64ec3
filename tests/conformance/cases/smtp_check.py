"""GET /smtp/...: read a greeting, send QUIT, want 221."""
from lib.helpers import *  # noqa: F401,F403

case = area('smtp_check')


@case('ok', 'greeting and 221: 200')
def _(c):
    s, u = c.server(), lines(c, b'220 mail ESMTP\r\n', b'221 bye\r\n')
    c.resp(s.get('/smtp/%s/%d' % (c.svc(), u.port)), status=200, body_re=r'Connected in [0-9]+\.[0-9]{2}s')


@case('sends_quit', 'exactly QUIT CR LF is sent')
def _(c):
    s, u = c.server(), lines(c, b'220 mail ESMTP\r\n', b'221 bye\r\n')
    s.get('/smtp/%s/%d' % (c.svc(), u.port))
    c.eq('line', u.wait_events(1)[:1], [('line', b'QUIT\r\n')])


@case('waits_for_greeting', 'QUIT is sent only after the greeting')
def _(c):
    class Slow(FakeServer):
        def handle(self, conn):
            conn.settimeout(0.4)
            try:
                self.events.append(('early', conn.recv(100)))
            except socket.timeout:
                self.events.append(('early', b''))
            conn.settimeout(CLIENT_TIMEOUT)
            conn.sendall(b'220 hi\r\n')
            self.events.append(('late', conn.recv(100)))
            conn.sendall(b'221 bye\r\n')
    s, u = c.server(), c.keep(Slow(c.port()))
    c.resp(s.get('/smtp/%s/%d' % (c.svc(), u.port)), status=200)
    c.eq('events', u.wait_events(2), [('early', b''), ('late', b'QUIT\r\n')])


@case('trailing', 'a trailing slash and more path are ignored')
def _(c):
    s, u = c.server(), lines(c, b'220 x\r\n', b'221 bye\r\n')
    c.resp(s.get('/smtp/%s/%d/whatever?a=b' % (c.svc(), u.port)), status=200)


@case('closed_before_greeting', 'closed without a greeting: 503')
def _(c):
    s, u = c.server(), lines(c, None)
    c.resp(s.get('/smtp/%s/%d' % (c.svc(), u.port)), status=503, body='Peer unexpectedly closed connection')


@case('refused', 'a closed port: 503')
def _(c):
    c.resp(c.server().get('/smtp/%s/%d' % (c.svc(), c.port())), status=503)


@case('connect_timeout', 'a port that does not answer: 503 after healthcheck_timeout')
def _(c):
    s, b = c.server({'healthcheck_timeout': 1}), blackhole(c)
    c.resp(s.get('/smtp/%s/%d' % (c.svc(), b.port)), status=503, over=0.8,
           body_re=r'Connection timed out after [0-9]+\.[0-9]{2}s')


@case('other_host', 'the address in X-Nerve-Check-IP is used')
def _(c):
    s, u = c.server(), lines(c, b'220 x\r\n', b'221 bye\r\n', host='127.0.0.5')
    c.resp(s.get('/smtp/%s/%d' % (c.svc(), u.port), [('X-Nerve-Check-IP', '127.0.0.5')]), status=200)


@case('lowercase_text', 'only the code of the QUIT answer counts')
def _(c):
    s, u = c.server(), lines(c, b'220 x\r\n', b'221 2.0.0 see you\r\n')
    c.resp(s.get('/smtp/%s/%d' % (c.svc(), u.port)), status=200)


@case('bare_221', '221 without text is enough')
def _(c):
    s, u = c.server(), lines(c, b'220 x\r\n', b'221\r\n')
    c.resp(s.get('/smtp/%s/%d' % (c.svc(), u.port)), status=200)
