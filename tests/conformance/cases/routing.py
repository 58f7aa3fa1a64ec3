"""Paths and methods."""
from lib.helpers import *  # noqa: F401,F403

case = area('routing')


@case('unknown', 'unknown paths: 404')
def _(c):
    s = c.server()
    for p in ('/', '/nope', '/nope/svc/80/x', '/favicon.ico', '/HTTP/svc/80/x', '/statu', '/status/other', '/recent/x'):
        c.resp(s.get(p), status=404)


@case('status_trailing', '/status/ and /recent/ with a trailing slash: 404')
def _(c):
    for p in ('/status/', '/recent/', '/status/count/'):
        c.resp(c.server().get(p), status=404)


@case('port_not_digits', 'a port that does not start with a digit: 404')
def _(c):
    s = c.server()
    for p in ('/spool/svc/abc', '/http/svc/http/x', '/tcp/svc/-1', '/tcp/svc/+80', '/http/svc/8a/x', '/http/svc/%38/x'):
        c.resp(s.get(p), status=404)


@case('no_service', 'an empty service name: 404')
def _(c):
    s = c.server()
    for p in ('/spool//80', '/http//80/x', '/tcp//80'):
        c.resp(s.get(p), status=404)


@case('case_of_protocol', 'protocol names are lower case')
def _(c):
    for p in ('Spool', 'TCP', 'Http'):
        c.resp(c.server().get('/%s/svc/80/x' % p), status=404)


@case('leading_double_slash', 'a path with two leading slashes: 404')
def _(c):
    c.resp(c.server().get('//spool/svc/80'), status=404)


@case('post_not_allowed', 'POST to a check other than spool: 405')
def _(c):
    s = c.server({'allow_remote_spool_changes': True})
    for p in ('/http/svc/80/x', '/https/svc/80/x', '/tcp/svc/80', '/mysql/svc/80', '/smtp/svc/80'):
        c.resp(s.post(p, 'status=down&reason=x'), status=405)


@case('http10', 'an HTTP/1.0 request without Host is answered, and the connection closes')
def _(c):
    s = c.server()
    k = socket.create_connection(('127.0.0.1', s.port), timeout=CLIENT_TIMEOUT)
    k.sendall(b'GET /spool/svc/0 HTTP/1.0\r\n\r\n')
    data = b''
    try:
        while True:
            x = k.recv(4096)
            if not x:
                break
            data += x
        closed = True
    except socket.timeout:
        closed = False
    k.close()
    c.match('status line', data.split(b'\r\n')[0].decode(), r'HTTP/1\.[01] 200 .*')
    c.eq('closed', closed, True)


@case('keep_alive', 'two requests on one HTTP/1.1 connection')
def _(c):
    s = c.server()
    h = http_connection(s.port)
    got = []
    for p in ('/spool/a/0', '/status'):
        h.request('GET', p)
        r = h.getresponse()
        r.read()
        got.append(r.status)
    h.close()
    c.eq('statuses', got, [200, 200])


@case('keep_alive_after_error', 'the connection is usable after 404 and 503')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, 'r')
    h = http_connection(s.port)
    got = []
    for p in ('/nope', '/spool/%s/0' % n, '/status'):
        h.request('GET', p)
        r = h.getresponse()
        r.read()
        got.append(r.status)
    h.close()
    c.eq('statuses', got, [404, 503, 200])


@case('connection_close', 'Connection: close is honoured')
def _(c):
    s = c.server()
    k = socket.create_connection(('127.0.0.1', s.port), timeout=CLIENT_TIMEOUT)
    k.sendall(b'GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    try:
        while k.recv(4096):
            pass
        closed = True
    except socket.timeout:
        closed = False
    k.close()
    c.eq('closed', closed, True)


@case('no_host', 'an HTTP/1.1 request without Host is answered (HAProxy may send none)')
def _(c):
    c.resp(c.server().get('/spool/svc/0', send_host=False), status=200)


@case('lowercase_headers', 'header names in lower case')
def _(c):
    head = b'GET /spool/svc/0 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'
    c.resp(raw_exchange(c.server().port, head), status=200)


@case('two_writes', 'a request that comes in pieces')
def _(c):
    s = c.server()
    k = socket.create_connection(('127.0.0.1', s.port), timeout=CLIENT_TIMEOUT)
    for piece in (b'GET /spo', b'ol/svc/0 HTTP/1.1\r\nHo', b'st: x\r\nConnection: close\r\n', b'\r\n'):
        k.sendall(piece)
        time.sleep(0.05)
    data = k.recv(4096)
    k.close()
    c.match('status line', data.split(b'\r\n')[0].decode(), r'HTTP/1\.1 200 .*')


@case('idle_connections', 'a hundred idle connections do not stop the service')
def _(c):
    s = c.server()
    ks = [socket.create_connection(('127.0.0.1', s.port), timeout=CLIENT_TIMEOUT) for _ in range(100)]
    c.resp(s.get('/spool/svc/0'), status=200)
    for k in ks:
        k.close()


@case('gives_up_client', 'a client that goes away during a check does not harm the service')
def _(c):
    s, u = c.server(), upstream(c, delay=0.6, body='b')
    n = c.svc()
    k = socket.create_connection(('127.0.0.1', s.port), timeout=CLIENT_TIMEOUT)
    k.sendall(('GET /http/%s/%d/x HTTP/1.1\r\nHost: x\r\n\r\n' % (n, u.port)).encode())
    c.wait_for(lambda: u.hits == 1)
    k.close()
    c.wait_for(lambda: u.busy == 0)
    c.resp(s.get('/http/%s/%d/x' % (n, u.port)), status=200, body='b')
