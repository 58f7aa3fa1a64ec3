"""GET /tcp/...: a connection is made and closed."""
from lib.helpers import *  # noqa: F401,F403

case = area('tcp_check')


@case('ok', 'a listening port: 200 and the time taken')
def _(c):
    s, u = c.server(), tcp(c)
    c.resp(s.get('/tcp/%s/%d' % (c.svc(), u.port)), status=200, body_re=r'Connected in [0-9]+\.[0-9]{2}s')


@case('trailing_slash', '/tcp/svc/port/ is the same')
def _(c):
    s, u = c.server(), tcp(c)
    c.resp(s.get('/tcp/%s/%d/' % (c.svc(), u.port)), status=200, body_re=r'Connected in .*')


@case('sends_nothing', 'nothing is sent, the connection is closed')
def _(c):
    s, u = c.server(), tcp(c)
    c.resp(s.get('/tcp/%s/%d' % (c.svc(), u.port)), status=200)
    c.eq('seen', [e[1] for e in u.wait_events(1)], [b''])


@case('banner_ignored', 'a server that speaks first is fine')
def _(c):
    s, u = c.server(), tcp(c, greeting=b'220 hello\r\n')
    c.resp(s.get('/tcp/%s/%d' % (c.svc(), u.port)), status=200)


@case('timeout_config', 'healthcheck_timeout is in seconds and may be a fraction')
def _(c):
    s, b = c.server({'healthcheck_timeout': 0.3}), blackhole(c)
    c.resp(s.get('/tcp/%s/%d' % (c.svc(), b.port)), status=503, over=0.2)


@case('cached', 'a result is cached')
def _(c):
    s, u, n = c.server(), tcp(c), c.svc()
    a = s.get('/tcp/%s/%d' % (n, u.port))
    b = s.get('/tcp/%s/%d' % (n, u.port))
    c.resp(b, status=200, body=a.body)
    c.eq('connections', u.made(1), 1)


@case('cached_failure', 'a failure is cached: the port stays down until the cache expires')
def _(c):
    s, p, n = c.server({'healthcheck_timeout': 0.5}), c.port(), c.svc()
    c.resp(s.get('/tcp/%s/%d' % (n, p)), status=503)
    u = tcp(c, port=p)
    c.resp(s.get('/tcp/%s/%d' % (n, p)), status=503)
    c.eq('connections', u.made(0), 0)


@case('pragma', 'Pragma: no-cache makes a new connection')
def _(c):
    s, u, n = c.server(), tcp(c), c.svc()
    s.get('/tcp/%s/%d' % (n, u.port))
    c.resp(s.get('/tcp/%s/%d' % (n, u.port), [('Pragma', 'no-cache')]), status=200)
    c.eq('connections', u.made(2), 2)


@case('slow_does_not_block', 'a hanging connect does not hold up other requests')
def _(c):
    s, b, u = c.server({'healthcheck_timeout': 5}), blackhole(c), tcp(c)
    waiting = connecting(b.port)
    t = threading.Thread(target=lambda: s.get('/tcp/%s/%d' % (c.svc('h'), b.port)), daemon=True)
    t.start()
    c.wait_for(lambda: connecting(b.port) > waiting)
    c.resp(s.get('/tcp/%s/%d' % (c.svc(), u.port)), status=200)
    c.eq('the other one still hangs', t.is_alive(), True)
    t.join()


@case('port_zero', 'port 0 cannot be up')
def _(c):
    c.resp(c.server({'healthcheck_timeout': 0.5}).get('/tcp/%s/0' % c.svc()), status='5xx')


@case('port_too_big', 'a port above 65535 is never up')
def _(c):
    c.resp(c.server({'healthcheck_timeout': 0.5}).get('/tcp/%s/70000' % c.svc()), status='5xx')


@case('post', 'POST is not allowed')
def _(c):
    c.resp(c.server().post('/tcp/%s/80' % c.svc(), ''), status=405)


@case('many', 'a hundred checks leave no connection behind')
def _(c):
    s, u, n = c.server(), tcp(c), c.svc()
    for i in range(100):
        r = s.get('/tcp/%s/%d/%d' % (n, u.port, i))
        if r.status != 200:
            break
    c.resp(r, status=200)
    c.ok('open connections', c.wait_for(lambda: u.active == 0), '0', u.active)
