"""Spool files read by the server: GET /spool/... and the spool step of other checks."""
from lib.helpers import *  # noqa: F401,F403

case = area('spool_files')


@case('absent_up', 'no file: 200 with an empty body')
def _(c):
    c.resp(c.server().get('/spool/%s/0' % c.svc()), status=200, body='')


@case('legacy_text', 'a plain-text file is a reason without times')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, 'being upgraded')
    c.resp(s.get('/spool/%s/0' % n), status=503, body='Service %s in down state: being upgraded' % n)


@case('legacy_newline_kept', 'a final newline in a plain-text file stays in the body')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, 'maintenance\n')
    c.resp(s.get('/spool/%s/0' % n), status=503, body='Service %s in down state: maintenance\n' % n)


@case('json_full', 'JSON with reason, creation and expiration: since and until with six decimals')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, {'reason': 'deploy', 'creation': 1000.5, 'expiration': FAR})
    c.resp(s.get('/spool/%s/0' % n), status=503,
           body='Service %s in down state since 1000.500000 until 4000000000.000000: deploy' % n)


@case('json_null_times', 'JSON with null times: neither since nor until')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, {'reason': 'r', 'creation': None, 'expiration': None})
    c.resp(s.get('/spool/%s/0' % n), status=503, body='Service %s in down state: r' % n)


@case('json_null_reason', 'JSON with a null reason: no colon')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, '{"reason": null}')
    c.resp(s.get('/spool/%s/0' % n), status=503, body='Service %s in down state' % n)


@case('json_empty_object', 'JSON {} is down without reason')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, '{}')
    c.resp(s.get('/spool/%s/0' % n), status=503, body='Service %s in down state' % n)


@case('json_extra_keys', 'unknown keys are ignored, a stored service name too')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, {'reason': 'r', 'service': 'other', 'who': ['x'], 'expiration': None})
    c.resp(s.get('/spool/%s/0' % n), status=503, body='Service %s in down state: r' % n)


@case('json_whitespace_around', 'JSON with white space around it is still JSON')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, '\n  {"reason":"r",\n "expiration":null}\n')
    c.resp(s.get('/spool/%s/0' % n), status=503, body='Service %s in down state: r' % n)


@case('json_exponent', 'an expiration written with an exponent')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, '{"reason": "r", "expiration": 4e9}')
    c.resp(s.get('/spool/%s/0' % n), status=503, body='Service %s in down state until 4000000000.000000: r' % n)


@case('unicode_escaped', 'an escaped non-ASCII reason is sent as UTF-8')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, '{"reason": "caf\\u00e9 \\u2014"}')
    c.resp(s.get('/spool/%s/0' % n), status=503, body=u'Service %s in down state: caf\u00e9 \u2014' % n)


@case('expired_port_file_removed', 'an expired svc:port file means up and is deleted')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n + ':81', {'reason': 'r', 'expiration': PAST})
    c.resp(s.get('/spool/%s/81' % n), status=200)
    c.eq('file gone', s.has_spool(n + ':81'), False)


@case('expired_other_port_kept', 'an expired file of another port is left alone')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n + ':81', {'reason': 'r', 'expiration': PAST})
    c.resp(s.get('/spool/%s/82' % n), status=200)
    c.eq('file stays', s.has_spool(n + ':81'), True)


@case('expiring', 'down until the expiration passes, then up')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, {'reason': 'r', 'expiration': time.time() + 2})
    c.resp(s.get('/spool/%s/0' % n), status=503)
    c.wait_for(lambda: s.get('/spool/%s/0' % n).status == 200)
    c.resp(s.get('/spool/%s/0' % n), status=200)


@case('zero_expiration', 'expiration 0 is in the past, so up')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, {'reason': 'r', 'expiration': 0})
    c.resp(s.get('/spool/%s/0' % n), status=200)
    c.eq('file gone', s.has_spool(n), False)


@case('all_down', 'a file named all takes every service down, named all in the body')
def _(c):
    s = c.server(fresh=True)
    s.write_spool('all', {'reason': 'reboot', 'creation': None})
    c.resp(s.get('/spool/%s/0' % c.svc()), status=503, body='Service all in down state: reboot')
    c.resp(s.get('/spool/%s/8080/x' % c.svc()), status=503, body='Service all in down state: reboot')
    os.unlink(s.spool_path('all'))
    c.resp(s.get('/spool/%s/0' % c.svc()), status=200)


@case('all_down_http', 'the all file stops an HTTP check before the upstream is asked')
def _(c):
    s, u = c.server(fresh=True), upstream(c)
    s.write_spool('all', 'reboot')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port)), status=503, body='Service all in down state: reboot')
    c.eq('upstream requests', u.hits, 0)


@case('all_first', 'the all file is reported before the service file')
def _(c):
    s, n = c.server(fresh=True), c.svc()
    s.write_spool('all', 'A')
    s.write_spool(n, 'B')
    c.resp(s.get('/spool/%s/0' % n), status=503, body='Service all in down state: A')


@case('all_with_port_is_not_all', 'a file all:80 does not take other services down')
def _(c):
    s = c.server(fresh=True)
    s.write_spool('all:80', 'A')
    c.resp(s.get('/spool/%s/80' % c.svc()), status=200)
    c.resp(s.get('/spool/all/80'), status=503, body='Service all in down state: A')


@case('service_any_port', 'the service file covers every port')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, 'r')
    for p in (0, 80, 65535):
        c.resp(s.get('/spool/%s/%d' % (n, p)), status=503, body='Service %s in down state: r' % n)


@case('service_file_before_port_file', 'the service file is reported before svc:port')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, 'whole')
    s.write_spool(n + ':80', 'part')
    c.resp(s.get('/spool/%s/80' % n), status=503, body='Service %s in down state: whole' % n)


@case('expired_service_then_port', 'an expired service file lets svc:port decide')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, {'reason': 'whole', 'expiration': PAST})
    s.write_spool(n + ':80', 'part')
    c.resp(s.get('/spool/%s/80' % n), status=503, body='Service %s in down state: part' % n)


@case('host_file_haproxy', 'svc:host:port covers the address in the HAProxy header')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n + ':10.9.8.7:7001', 'r')
    c.resp(s.get('/spool/%s/80' % n, hap(state('10.9.8.7', 7001))), status=503, body='Service %s in down state: r' % n)
    c.resp(s.get('/spool/%s/80' % n, hap(state('10.9.8.8', 7001))), status=200)
    c.resp(s.get('/spool/%s/7001' % n), status=200)


@case('before_http', 'a downed service is not asked over HTTP')
def _(c):
    s, n, u = c.server(), c.svc(), upstream(c)
    s.write_spool(n, 'r')
    c.resp(s.get('/http/%s/%d/x' % (n, u.port)), status=503, body='Service %s in down state: r' % n)
    c.eq('upstream requests', u.hits, 0)


@case('before_https', 'a downed service is not asked over HTTPS')
def _(c):
    s, n, u = c.server(), c.svc(), tcp(c)
    s.write_spool(n, 'r')
    c.resp(s.get('/https/%s/%d/x' % (n, u.port)), status=503, body='Service %s in down state: r' % n)
    c.eq('upstream connections', u.made(0), 0)


@case('before_tcp', 'a downed service is not connected to')
def _(c):
    s, n, u = c.server(), c.svc(), tcp(c)
    s.write_spool('%s:%d' % (n, u.port), 'r')
    c.resp(s.get('/tcp/%s/%d' % (n, u.port)), status=503, body='Service %s in down state: r' % n)
    c.eq('upstream connections', u.made(0), 0)


@case('before_mysql', 'a downed service gets no MySQL connection')
def _(c):
    s, n, u = c.server(MYSQL_CONF), c.svc(), tcp(c)
    s.write_spool(n, 'r')
    c.resp(s.get('/mysql/%s/%d' % (n, u.port)), status=503, body='Service %s in down state: r' % n)
    c.eq('upstream connections', u.made(0), 0)


@case('replaced_file', 'a replaced file is read anew')
def _(c):
    s, n = c.server(), c.svc()
    for reason in ('first', 'second'):
        s.write_spool(n, reason)
        c.resp(s.get('/spool/%s/0' % n), status=503, body='Service %s in down state: %s' % (n, reason))


@case('prefix_names', 'a name that is a prefix of another is another service')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n + 'x', 'r')
    c.resp(s.get('/spool/%s/0' % n), status=200)


@case('directory_is_up', 'a directory with the name of the service does not take it down')
def _(c):
    s, n = c.server(), c.svc()
    os.mkdir(s.spool_path(n))
    c.resp(s.get('/spool/%s/0' % n), status=200)


@case('dangling_symlink_is_up', 'a dangling symbolic link does not take a service down')
def _(c):
    s, n = c.server(), c.svc()
    os.symlink('nowhere', s.spool_path(n))
    c.resp(s.get('/spool/%s/0' % n), status=200)


@case('symlink_followed', 'a symbolic link to a file takes a service down')
def _(c):
    s, n = c.server(), c.svc()
    put(s.spool_path(n + '.target'), 'linked')
    os.symlink(n + '.target', s.spool_path(n))
    c.resp(s.get('/spool/%s/0' % n), status=503, body='Service %s in down state: linked' % n)


@case('port_zero_file', 'GET with port 0 consults svc:0 as well')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n + ':0', 'r')
    c.resp(s.get('/spool/%s/0' % n), status=503)
    c.resp(s.get('/spool/%s/1' % n), status=200)


@case('content_type', 'bodies are declared text/html; charset=UTF-8')
def _(c):
    s, n = c.server(), c.svc()
    s.write_spool(n, 'r')
    c.resp(s.get('/spool/%s/0' % n), status=503, header={'Content-Type': r'text/(html|plain); charset=(UTF|utf)-8'})


@case('many_files', 'a spool of a thousand files gives the right answers')
def _(c):
    s = c.server(fresh=True)
    for i in range(1000):
        put(s.spool_path('m%04d' % i), 'r%d' % i)
    c.resp(s.get('/spool/m0777/0'), status=503, body='Service m0777 in down state: r777')
    c.resp(s.get('/spool/m1777/0'), status=200)


@case('not_up_when_odd_json', 'whatever odd JSON a file holds, the answer is a 5xx, never up')
def _(c):
    s = c.server()
    for text in ('1', '["a"]', '"quoted"', 'true', 'null'):
        n = c.svc()
        s.write_spool(n, text)
        c.resp(s.get('/spool/%s/0' % n), status='5xx')


@case('not_up_when_bad_times', 'times of the wrong type do not make a downed service up')
def _(c):
    s = c.server()
    for text in ('{"reason": "r", "expiration": "soon"}', '{"reason": "r", "creation": "then"}',
                 '{"reason": "r", "expiration": [1]}'):
        n = c.svc()
        s.write_spool(n, text)
        c.resp(s.get('/spool/%s/0' % n), status='5xx')


@case('expired_unremovable', 'an expired file that cannot be removed still means up')
def _(c):
    s, n = c.server(fresh=True, prefix=no_override(c)), c.svc()
    s.write_spool(n, {'reason': 'r', 'expiration': PAST})
    os.chmod(s.spool, 0o555)
    c.resp(s.get('/spool/%s/0' % n), status=200)
    c.eq('file stays', s.has_spool(n), True)
