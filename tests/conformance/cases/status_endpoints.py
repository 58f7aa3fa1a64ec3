"""/status, /status/count, /recent."""
from lib.helpers import *  # noqa: F401,F403

case = area('status_endpoints')


@case('count', '/status/count counts requests by service and client address')
def _(c):
    s = c.server(fresh=True)
    for n in ('a', 'b', 'a', 'a'):
        s.get('/spool/%s/0' % n)
    c.eq('body', s.get('/status/count').json(),
         {'service_access_counts': {'a': {'127.0.0.1': 3}, 'b': {'127.0.0.1': 1}}})


@case('count_cached_and_failed', 'cached answers and failures count')
def _(c):
    s, p = c.server(fresh=True), c.port()
    for _ in range(3):
        s.get('/http/a/%d/x' % p)
    c.eq('counts', s.get('/status/count').json().get('service_access_counts'), {'a': {'127.0.0.1': 3}})


@case('count_by_address', 'clients on two addresses are counted apart')
def _(c):
    s = c.server(fresh=True)
    s.get('/spool/a/0')
    k = socket.socket()
    k.settimeout(CLIENT_TIMEOUT)
    try:
        k.bind(('127.0.0.8', 0))
        k.connect(('127.0.0.1', s.port))
        k.sendall(build_request('GET', '/spool/a/0', [('Host', 'x'), ('Connection', 'close')]))
        while k.recv(4096):
            pass
    finally:
        k.close()
    c.eq('counts', s.get('/status/count').json().get('service_access_counts'),
         {'a': {'127.0.0.1': 1, '127.0.0.8': 1}})


@case('count_not_404', 'unknown paths and the status pages are not counted')
def _(c):
    s = c.server(fresh=True)
    for p in ('/nope/a/1', '/http/a/80', '/status', '/recent', '/status/count'):
        s.get(p)
    c.eq('counts', s.get('/status/count').json().get('service_access_counts'), {})


@case('recent_empty', '/recent of a new server: no services, threshold 600')
def _(c):
    r = c.server(fresh=True).get('/recent')
    c.resp(r, status=200, header={'Content-Type': r'application/json.*'})
    c.eq('body', r.json(), {'seen_services': [], 'threshold_seconds': 600})


@case('recent', '/recent lists [name, {code, remote_ip, ts}] with the time of the check')
def _(c):
    s = c.server(fresh=True)
    t0 = time.time()
    s.get('/spool/a/0')
    j = s.get('/recent').json()
    t1 = time.time()
    e = (j.get('seen_services') or [[None, {}]])[0]
    c.eq('name', e[0], 'a')
    c.eq('fields', sorted(e[1] or {}), ['code', 'remote_ip', 'ts'])
    c.eq('code and address', ((e[1] or {}).get('code'), (e[1] or {}).get('remote_ip')), (200, '127.0.0.1'))
    c.ok('ts', t0 - 0.1 <= (e[1] or {}).get('ts', 0) <= t1 + 0.1, 'about now, in seconds', e)


@case('recent_last_code', '/recent shows the code of the last check')
def _(c):
    s = c.server(fresh=True)
    s.get('/spool/a/0')
    s.write_spool('a', 'r')
    s.get('/spool/a/0')
    c.eq('codes', [x[1]['code'] for x in s.get('/recent').json().get('seen_services', [])], [503])
    os.unlink(s.spool_path('a'))
    s.get('/spool/a/0')
    c.eq('codes', [x[1]['code'] for x in s.get('/recent').json().get('seen_services', [])], [200])


@case('recent_upstream_code', '/recent shows the code of the upstream')
def _(c):
    s, u = c.server(fresh=True), upstream(c, status=404)
    s.get('/http/a/%d/x' % u.port)
    c.eq('codes', [x[1]['code'] for x in s.get('/recent').json().get('seen_services', [])], [404])


@case('recent_once', 'a service is listed once, whatever its ports and protocols')
def _(c):
    s, u = c.server(fresh=True), upstream(c)
    s.get('/spool/a/1')
    s.get('/tcp/a/%d' % u.port)
    s.get('/http/a/%d/x' % u.port)
    c.eq('names', [x[0] for x in s.get('/recent').json().get('seen_services', [])], ['a'])


@case('recent_threshold', '?threshold= is echoed and applied')
def _(c):
    s = c.server(fresh=True)
    s.get('/spool/old/0')
    time.sleep(2.2)
    s.get('/spool/new/0')
    j = s.get('/recent?threshold=2').json()
    c.eq('threshold', j.get('threshold_seconds'), 2)
    c.eq('names', [x[0] for x in j.get('seen_services', [])], ['new'])
    c.eq('names', [x[0] for x in s.get('/recent?threshold=100').json().get('seen_services', [])], ['new', 'old'])


@case('recent_threshold_zero', '?threshold=0 lists nothing that is older than an instant')
def _(c):
    s = c.server(fresh=True)
    s.get('/spool/old/0')
    time.sleep(0.1)
    c.eq('body', s.get('/recent?threshold=0').json(), {'seen_services': [], 'threshold_seconds': 0})


@case('recent_pending', 'a service whose first check is under way is listed with null')
def _(c):
    s, answer = c.server(fresh=True), threading.Event()
    u = upstream(c, delay=answer)
    t = threading.Thread(target=lambda: s.get('/http/a/%d/x' % u.port), daemon=True)
    t.start()
    c.wait_for(lambda: u.hits == 1)
    c.eq('body', s.get('/recent').json().get('seen_services'), [['a', None]])
    answer.set()
    t.join()


@case('recent_bad_threshold_not_up', 'a threshold that is no number is an error')
def _(c):
    r = c.server().get('/recent?threshold=soon')
    c.ok(r.label, isinstance(r.status, int) and 400 <= r.status <= 599, 'status 4xx or 5xx', r.status)


@case('post_status', 'POST /status, /status/count, /recent: 405')
def _(c):
    for p in ('/status', '/status/count', '/recent'):
        c.resp(c.server().post(p, ''), status=405)
