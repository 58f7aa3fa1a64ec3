"""The result cache."""
from lib.helpers import *  # noqa: F401,F403

case = area('caching')


@case('hit', 'a second check within cache_time does not reach the upstream')
def _(c):
    s, u, n = c.server(), upstream(c, body='b'), c.svc()
    for _ in range(3):
        c.resp(s.get('/http/%s/%d/x' % (n, u.port)), status=200, body='b')
    c.eq('hits', u.hits, 1)


@case('refused_cached', 'a refused connection is cached')
def _(c):
    s, p, n = c.server(), c.port(), c.svc()
    c.resp(s.get('/http/%s/%d/x' % (n, p)), status=503)
    u = upstream(c, port=p)
    c.resp(s.get('/http/%s/%d/x' % (n, p)), status=503)
    c.eq('hits', u.hits, 0)


@case('expiry_not_extended', 'hits do not extend the life of a result')
def _(c):
    s, u, n = c.server({'cache_time': 0.9}), upstream(c), c.svc()

    def asked_again():
        s.get('/http/%s/%d/x' % (n, u.port))
        return u.hits == 2
    c.ok('hits', c.wait_for(asked_again, step=0.2), 'a second one, though hits come more often than cache_time', u.hits)


@case('result_changes_after_expiry', 'a changed upstream shows after cache_time')
def _(c):
    s, u, n = c.server({'cache_time': 2}), upstream(c, status=200, body='up'), c.svc()
    c.resp(s.get('/http/%s/%d/x' % (n, u.port)), status=200, body='up')
    u.spec = dict(status=503, body='down', headers=())
    c.resp(s.get('/http/%s/%d/x' % (n, u.port)), status=200, body='up')
    c.wait_for(lambda: s.get('/http/%s/%d/x' % (n, u.port)).status == 503)
    c.resp(s.get('/http/%s/%d/x' % (n, u.port)), status=503, body='down')


@case('cache_time_zero', 'cache_time 0 switches the cache off')
def _(c):
    s, u, n = c.server({'cache_time': 0}), upstream(c), c.svc()
    for _ in range(3):
        c.resp(s.get('/http/%s/%d/x' % (n, u.port)), status=200)
    c.eq('hits', u.hits, 3)


@case('default_time', 'the default cache_time is longer than two seconds')
def _(c):
    s, u, n = c.server(), upstream(c), c.svc()
    s.get('/http/%s/%d/x' % (n, u.port))
    time.sleep(2.2)
    s.get('/http/%s/%d/x' % (n, u.port))
    c.eq('hits', u.hits, 1)


@case('key_path', 'another path is another result')
def _(c):
    s, u, n = c.server(), upstream(c, script=lambda r: response(200, r.target)), c.svc()
    c.resp(s.get('/http/%s/%d/a' % (n, u.port)), status=200, body='/a')
    c.resp(s.get('/http/%s/%d/b' % (n, u.port)), status=200, body='/b')


@case('key_protocol', 'HTTP and TCP results of one port are kept apart')
def _(c):
    s, u, n = c.server(), upstream(c, status=500, body='B'), c.svc()
    c.resp(s.get('/tcp/%s/%d/x' % (n, u.port)), status=200)
    c.resp(s.get('/http/%s/%d/x' % (n, u.port)), status=500, body='B')
    c.resp(s.get('/tcp/%s/%d/x' % (n, u.port)), status=200)


@case('key_without_service', 'services share the result of one port and path')
def _(c):
    s, u = c.server(), upstream(c, body='b')
    for _ in range(4):
        c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=200, body='b')
    c.eq('hits', u.hits, 1)


@case('key_with_service_header', 'with service_name_header services do not share')
def _(c):
    s = c.server({'service_name_header': 'X-Service'})
    u, a, b = upstream(c, script=lambda r: response(200, r.headers.get('x-service', '?'))), c.svc(), c.svc()
    for _ in range(2):
        c.resp(s.get('/http/%s/%d/x' % (a, u.port)), status=200, body=a)
        c.resp(s.get('/http/%s/%d/x' % (b, u.port)), status=200, body=b)
    c.eq('hits', u.hits, 2)


@case('key_tcp_with_service_header', 'with service_name_header TCP results are not shared either')
def _(c):
    s, u = c.server({'service_name_header': 'X-Service'}), tcp(c)
    a, b = c.svc(), c.svc()
    for n in (a, b, a, b):
        c.resp(s.get('/tcp/%s/%d' % (n, u.port)), status=200)
    c.eq('connections', u.made(2), 2)


@case('header_port_shares', 'the same target by URL or by HAProxy header is one result')
def _(c):
    s, u, n = c.server(), upstream(c, body='b'), c.svc()
    c.resp(s.get('/http/%s/%d/x' % (n, u.port)), status=200)
    c.resp(s.get('/http/%s/1/x' % n, hap(state('127.0.0.1', u.port))), status=200, body='b')
    c.eq('hits', u.hits, 1)


@case('pragma_first', 'Pragma: no-cache on an empty cache stores the result')
def _(c):
    s, u, n = c.server(), upstream(c), c.svc()
    s.get('/http/%s/%d/x' % (n, u.port), [('Pragma', 'no-cache')])
    s.get('/http/%s/%d/x' % (n, u.port))
    c.eq('hits', u.hits, 1)


@case('pragma_name_case', 'the name Pragma is matched in any case')
def _(c):
    s, u, n = c.server(), upstream(c), c.svc()
    s.get('/http/%s/%d/x' % (n, u.port))
    s.get('/http/%s/%d/x' % (n, u.port), [('pragma', 'no-cache')])
    c.eq('hits', u.hits, 2)


@case('pragma_other_value', 'another Pragma value does not bust the cache')
def _(c):
    s, u, n = c.server(), upstream(c), c.svc()
    s.get('/http/%s/%d/x' % (n, u.port))
    s.get('/http/%s/%d/x' % (n, u.port), [('Pragma', 'cache')])
    c.eq('hits', u.hits, 1)


@case('in_flight_shared', 'checks of one target at the same time make one upstream request')
def _(c):
    s, u, n = c.server(), upstream(c, body='b', delay=0.5), c.svc()
    rs = c.parallel([lambda: s.get('/http/%s/%d/x' % (n, u.port)) for _ in range(6)])
    for r in rs:
        c.resp(r, status=200, body='b')
    c.eq('hits', u.hits, 1)


@case('stats_miss', 'a first check: one get, one miss, one set')
def _(c):
    s, u = c.server(fresh=True), upstream(c)
    s.get('/http/svc/%d/x' % u.port)
    c.eq('stats', s.cache_stats(), {'expirations': 0, 'sets': 1, 'gets': 1, 'hits': 0, 'misses': 1})


@case('pragma_own_request_only', 'while a busted check is under way other requests still use the cache')
def _(c):
    s, answer = c.server(fresh=True), threading.Event()
    fast, slow = upstream(c, body='f'), upstream(c, delay=answer)
    s.get('/tcp/warm/%d' % fast.port)
    n0 = fast.made(1)
    t = threading.Thread(target=lambda: s.get('/http/x/%d/x' % slow.port, [('Pragma', 'no-cache')]), daemon=True)
    t.start()
    c.wait_for(lambda: slow.hits == 1)
    s.get('/tcp/warm/%d' % fast.port)
    c.eq('new connections', fast.made(n0) - n0, 0)
    answer.set()
    t.join()
    s.get('/tcp/warm/%d' % fast.port)
    c.eq('new connections afterwards', fast.made(n0) - n0, 0)


@case('pragma_after_error', 'an error during a busted check leaves the cache working for later requests')
def _(c):
    s, u, n = c.server(fresh=True), upstream(c), c.svc()
    s.get('/http/%s/%d/x' % (n, u.port))
    s.get('/http/%s/1/x' % n, hap('UP; port=abc') + [('Pragma', 'no-cache')])
    s.get('/http/%s/%d/x' % (n, u.port))
    s.get('/http/%s/%d/x' % (n, u.port))
    c.eq('hits', u.hits, 1)
