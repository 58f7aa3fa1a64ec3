"""GET /http/... and /https/...: what reaches the upstream and what comes back."""
from lib.helpers import *  # noqa: F401,F403

case = area('http_check')


@case('request_line', 'the upstream sees GET /<query> HTTP/1.1')
def _(c):
    r, u, s = http_case(c, 200, path='status')
    c.eq('request line', u.last.line, 'GET /status HTTP/1.1')


@case('deep_path', 'a path of several segments is kept')
def _(c):
    r, u, s = http_case(c, 200, path='a/b/c.d_e~f/')
    c.eq('target', u.last.target, '/a/b/c.d_e~f/')


@case('query_second_mark', 'a second question mark belongs to the query string')
def _(c):
    r, u, s = http_case(c, 200, path='x?a=b?c=d')
    c.eq('target', u.last.target, '/x?a=b?c=d')


@case('query_empty', 'a lone question mark is dropped')
def _(c):
    r, u, s = http_case(c, 200, path='x?')
    c.eq('target', u.last.target, '/x')


@case('path_like_url', 'a path that holds a colon and an at sign is kept')
def _(c):
    r, u, s = http_case(c, 200, path='a:b@c;d=1')
    c.eq('target', u.last.target, '/a:b@c;d=1')


@case('no_body_sent', 'the check request carries no body')
def _(c):
    r, u, s = http_case(c, 200)
    c.eq('content-length', u.last.headers.get('content-length', '0'), '0')
    c.eq('bytes after the head', u.last.extra, b'')


@case('upstream_headers_not_copied', 'headers of the upstream answer stay behind')
def _(c):
    s = c.server()
    u = upstream(c, body='b', headers=[('Set-Cookie', 'a=b'), ('X-Secret', 'z'), ('Cache-Control', 'max-age=9')])
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=200, body='b',
           no_header=['Set-Cookie', 'X-Secret', 'Cache-Control'])


@case('content_length', 'the answer has a Content-Length that fits')
def _(c):
    r, u, s = http_case(c, 200, body='12345')
    c.eq('content-length', r.headers.get('content-length'), '5')


@case('binary_body', 'bytes that are not UTF-8 pass unchanged')
def _(c):
    http_case(c, 200, body=bytes(range(256)))


@case('status_404', '404 and its body pass')
def _(c):
    http_case(c, 404, 'nothing here')


@case('status_503', '503 and its body pass')
def _(c):
    http_case(c, 503, 'draining')


@case('status_503_empty', '503 without a body passes')
def _(c):
    http_case(c, 503, '')


@case('status_401', '401 and its body pass')
def _(c):
    http_case(c, 401, 'who are you')


@case('status_403', '403 and its body pass')
def _(c):
    http_case(c, 403, 'no')


@case('status_400', '400 and its body pass')
def _(c):
    http_case(c, 400, 'bad')


@case('status_504', '504 and its body pass')
def _(c):
    http_case(c, 504, 'late')


@case('chunked', 'a chunked body is put together')
def _(c):
    s = c.server()
    u = upstream(c, raw=b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=200, body='wikipedia')


@case('chunked_error', 'a chunked body of an error answer is put together')
def _(c):
    s = c.server()
    u = upstream(c, raw=b'HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nout\r\n0\r\n\r\n')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=503, body='out')


@case('http10', 'an HTTP/1.0 upstream')
def _(c):
    s = c.server()
    u = upstream(c, raw=b'HTTP/1.0 200 OK\r\nServer: old\r\n\r\nold but fine')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=200, body='old but fine')


@case('no_reason_phrase', 'a status line without a reason phrase')
def _(c):
    s = c.server()
    u = upstream(c, raw=b'HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=200, body='ok')


@case('keepalive_upstream', 'an upstream that keeps the connection open does not delay the answer')
def _(c):
    s = c.server()
    u = upstream(c, raw=response(200, 'quick', [('Connection', 'keep-alive')]), linger=60)
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=200, body='quick')


@case('slow_but_in_time', 'an upstream slower than a second but within the timeout')
def _(c):
    s = c.server()
    u = upstream(c, body='late but fine', delay=1.2)
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=200, body='late but fine', over=1.0)


@case('slow_does_not_block', 'a slow check does not hold up a fast one')
def _(c):
    s, answer = c.server(), threading.Event()
    slow, fast = upstream(c, delay=answer), upstream(c, body='fast')
    t = threading.Thread(target=lambda: s.get('/http/%s/%d/x' % (c.svc(), slow.port)), daemon=True)
    t.start()
    c.wait_for(lambda: slow.hits == 1)
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), fast.port)), status=200, body='fast')
    c.eq('the slow check is still under way', t.is_alive(), True)
    answer.set()
    t.join()


@case('max_clients', 'max_clients bounds the checks under way; the rest wait and succeed')
def _(c):
    s = c.server({'max_clients': 2}, fresh=True)
    u, n = upstream(c, body='done', delay=0.3), c.svc()
    rs = c.parallel([lambda i=i: s.get('/http/%s/%d/p%d' % (n, u.port, i)) for i in range(6)])
    for r in rs:
        c.resp(r, status=200, body='done')
    c.eq('most at once', u.max_busy, 2)


@case('max_clients_timeout', 'a check that waits for a free slot beyond the timeout gets 503')
def _(c):
    s = c.server({'max_clients': 1, 'healthcheck_timeout': 3}, fresh=True)
    u, n = upstream(c, delay=2), c.svc()
    rs = c.parallel([lambda i=i: s.get('/http/%s/%d/p%d' % (n, u.port, i)) for i in range(3)])
    got = sorted(str(r.status) for r in rs)
    c.ok('statuses', got in (['200', '200', '503'], ['200', '503', '503']), 'the first 200, the last 503', got)


@case('no_header_injection', 'escaped line ends in the path never inject a header into the upstream request')
def _(c):
    s, u = c.server(), upstream(c)
    s.get('/http/%s/%d/a%%20HTTP/1.1%%0d%%0aX-Injected:%%20yes%%0d%%0aX-R:' % (c.svc(), u.port))
    c.eq('injected', [r.headers.get('x-injected') for r in u.requests if 'x-injected' in r.headers], [])


@case('https', 'an upstream with a self-signed certificate is accepted')
def _(c):
    r, u, s = http_case(c, 200, 'secret ok', proto='https', path='health?x=1', tls=tls(c))
    c.eq('target', u.last.target, '/health?x=1')


@case('https_status', 'an error status over HTTPS passes')
def _(c):
    http_case(c, 503, 'secret down', proto='https', tls=tls(c))


@case('https_headers', 'an HTTPS check sends the same User-Agent and Host')
def _(c):
    r, u, s = http_case(c, 200, proto='https', tls=tls(c), headers=[('Host', 'svc.example')])
    c.match('user-agent', u.last.headers.get('user-agent'), r'hastate \S+')
    c.eq('host', u.last.headers.get('host'), 'svc.example')


@case('https_other_host', 'the HAProxy header sets host and port of an HTTPS check')
def _(c):
    s = c.server()
    u = upstream(c, host='127.0.0.3', tls=tls(c), body='there')
    c.resp(s.get('/https/%s/1/x' % c.svc(), hap(state('127.0.0.3', u.port))), status=200, body='there')


@case('https_slow', 'an HTTPS upstream slower than the timeout: 503 in time')
def _(c):
    s, u = c.server({'healthcheck_timeout': 1}), upstream(c, tls=tls(c), delay=60)
    c.resp(s.get('/https/%s/%d/x' % (c.svc(), u.port)), status=503, over=0.8)


@case('upstream_once', 'one check makes one connection and one request')
def _(c):
    r, u, s = http_case(c, 200)
    c.eq('connections, requests', (u.made(1), u.hits), (1, 1))
