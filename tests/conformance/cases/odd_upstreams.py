"""HTTP upstreams that misbehave or answer in unusual ways."""
from lib.helpers import *  # noqa: F401,F403

case = area('odd_upstreams')


@case('reset', 'a reset connection: 503')
def _(c):
    class Reset(FakeServer):
        def handle(self, conn):
            conn.recv(4096)
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s, u = c.server(), c.keep(Reset(c.port()))
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=503)


@case('binary_noise', 'binary noise: 503')
def _(c):
    s, u = c.server(), upstream(c, raw=bytes(range(128, 256)) * 4 + b'\r\n\r\n')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=503)


@case('truncated_head', 'closed within the head: 503')
def _(c):
    s, u = c.server(), upstream(c, raw=b'HTTP/1.1 200 OK\r\nContent-Le')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=503)


@case('truncated_body', 'a body shorter than its Content-Length: 503')
def _(c):
    s, u = c.server(), upstream(c, raw=b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=503)


@case('truncated_chunks', 'chunks without an end: 503')
def _(c):
    s = c.server()
    u = upstream(c, raw=b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=503)


@case('bad_length', 'a Content-Length that is no number: 503')
def _(c):
    s, u = c.server(), upstream(c, raw=b'HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=503)


@case('slow_head', 'no answer within healthcheck_timeout: 503 in time')
def _(c):
    s, u = c.server({'healthcheck_timeout': 1}), upstream(c, delay=60)
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=503, over=0.8)


@case('drip', 'bytes that drip in do not extend the timeout')
def _(c):
    class Drip(FakeServer):
        def handle(self, conn):
            conn.recv(4096)
            conn.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n')
            for _ in range(600):
                conn.sendall(b'.')
                time.sleep(0.1)
    s, u = c.server({'healthcheck_timeout': 1}), c.keep(Drip(c.port()))
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=503, over=0.8)


@case('connect_timeout', 'a port that does not answer a connect: 503 in time')
def _(c):
    s, b = c.server({'healthcheck_timeout': 1}), blackhole(c)
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), b.port)), status=503, over=0.8)


@case('timeout_cached', 'a timeout is cached: the second answer asks nobody')
def _(c):
    s, u, n = c.server({'healthcheck_timeout': 1}), upstream(c, delay=60), c.svc()
    c.resp(s.get('/http/%s/%d/x' % (n, u.port)), status=503)
    c.resp(s.get('/http/%s/%d/x' % (n, u.port)), status=503)
    c.eq('hits', u.hits, 1)


@case('status_204', '204 passes, without a body')
def _(c):
    s, u = c.server(), upstream(c, raw=b'HTTP/1.1 204 No Content\r\n\r\n')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=204, body='')


@case('status_301', '301 is passed on, not followed')
def _(c):
    s, t = c.server(), upstream(c, body='target')
    u = upstream(c, status=301, body='moved', headers=[('Location', 'http://127.0.0.1:%d/y' % t.port)])
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=301, body='moved')
    c.eq('hits', (u.hits, t.hits), (1, 0))


@case('status_307', '307 is passed on, not followed')
def _(c):
    http_case(c, 307, 'elsewhere', headers=[])


@case('no_location_leaks', 'the Location of a redirect is not passed on')
def _(c):
    s, u = c.server(), upstream(c, status=301, body='moved', headers=[('Location', '/y')])
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=301, no_header=['Location'])


@case('status_304', '304 passes, without a body')
def _(c):
    s, u = c.server(), upstream(c, raw=b'HTTP/1.1 304 Not Modified\r\n\r\n')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=304, body='')


@case('status_599', '599 from the upstream becomes 503, with the body')
def _(c):
    http_case(c, 503, 'odd', status=599)


@case('status_799', '799 becomes 503')
def _(c):
    http_case(c, 503, status=799, want_body=False)


@case('status_1xx_final', 'a status of 101 or 199 as the final answer is not up')
def _(c):
    s = c.server({'healthcheck_timeout': 1})
    for code in (b'101', b'199'):
        u = upstream(c, raw=b'HTTP/1.1 ' + code + b' X\r\nConnection: close\r\n\r\n')
        c.resp(s.get('/http/%s/%d/x%s' % (c.svc(), u.port, code.decode())), status=503)


@case('continue_100', '100 Continue before the answer is skipped')
def _(c):
    s = c.server()
    u = upstream(c, raw=b'HTTP/1.1 100 Continue\r\n\r\n' + response(200, 'real'))
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=200, body='real')


@case('empty_200', '200 with an empty body')
def _(c):
    http_case(c, 200, '')


@case('big_error_body', 'an error body of one megabyte')
def _(c):
    http_case(c, 500, b'e' * 1000000)


@case('many_headers', 'an answer with two hundred headers')
def _(c):
    s, u = c.server(), upstream(c, body='b', headers=[('X-H%d' % i, 'v' * 50) for i in range(200)])
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=200, body='b')


@case('folded_case_headers', 'header names of the upstream in any case')
def _(c):
    s, u = c.server(), upstream(c, raw=b'HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh: 2\r\n\r\nokEXTRA', linger=60)
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=200, body='ok')


@case('extra_bytes', 'bytes after the body are dropped')
def _(c):
    s, u = c.server(), upstream(c, raw=response(200, 'ok') + b'HTTP/1.1 500 X\r\n\r\n')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=200, body='ok')


@case('recovers', 'after a failure a fresh check sees the recovered upstream')
def _(c):
    s, p, n = c.server(), c.port(), c.svc()
    c.resp(s.get('/http/%s/%d/x' % (n, p)), status=503)
    upstream(c, port=p, body='back')
    c.resp(s.get('/http/%s/%d/x' % (n, p), [('Pragma', 'no-cache')]), status=200, body='back')
