"""POST /spool/...: taking services down and up over HTTP."""
from lib.helpers import *  # noqa: F401,F403

case = area('remote_spool')


@case('off_before_arguments', '403 comes before any look at the arguments')
def _(c):
    c.resp(c.server().post('/spool/%s/0' % c.svc(), ''), status=403)


@case('down', 'status=down writes the file: 200, empty body')
def _(c):
    s, n = remote(c), c.svc()
    t = time.time()
    c.resp(s.post('/spool/%s/0' % n, form(status='down', reason='because')), status=200, body='')
    j = s.read_spool(n)
    c.eq('reason, expiration', (j.get('reason'), j.get('expiration', 0)), ('because', None))
    c.ok('creation', abs(j.get('creation', 0) - t) < 3, 'about now', j)


@case('down_then_get', 'the downed service answers 503, after status=up 200')
def _(c):
    s, n = remote(c), c.svc()
    s.post('/spool/%s/0' % n, form(status='down', reason='because'))
    c.resp(s.get('/spool/%s/0' % n), status=503, body_re=r'Service %s in down state since [0-9.]+: because' % n)
    c.resp(s.post('/spool/%s/0' % n, form(status='up')), status=200, body='')
    c.resp(s.get('/spool/%s/0' % n), status=200)


@case('port_zero', 'port 0 means the whole service')
def _(c):
    s, n = remote(c), c.svc()
    s.post('/spool/%s/0' % n, form(status='down', reason='r'))
    c.eq('files', (s.has_spool(n), s.has_spool(n + ':0')), (True, False))


@case('port', 'another port means svc:port')
def _(c):
    s, n = remote(c), c.svc()
    c.resp(s.post('/spool/%s/8080' % n, form(status='down', reason='r')), status=200)
    c.eq('files', (s.has_spool(n), s.has_spool(n + ':8080')), (False, True))


@case('up_absent', 'status=up of a service that is not down: 200')
def _(c):
    c.resp(remote(c).post('/spool/%s/0' % c.svc(), form(status='up')), status=200, body='')


@case('expiration_fraction', 'expiration may have a fraction')
def _(c):
    s, n = remote(c), c.svc()
    s.post('/spool/%s/0' % n, form(status='down', reason='r', expiration='4000000000.25'))
    c.eq('expiration', s.read_spool(n).get('expiration'), 4000000000.25)


@case('expiration_past', 'a past expiration is accepted; the next GET is up and removes the file')
def _(c):
    s, n = remote(c), c.svc()
    c.resp(s.post('/spool/%s/0' % n, form(status='down', reason='r', expiration='1000')), status=200)
    c.resp(s.get('/spool/%s/0' % n), status=200)
    c.eq('file', s.has_spool(n), False)


@case('creation', 'creation is stored as given')
def _(c):
    s, n = remote(c), c.svc()
    c.resp(s.post('/spool/%s/0' % n, form(status='down', reason='r', creation='1234.5')), status=200)
    c.eq('creation', s.read_spool(n).get('creation'), 1234.5)
    c.resp(s.get('/spool/%s/0' % n), status=503, body='Service %s in down state since 1234.500000: r' % n)


@case('repeat_new_creation', 'a given creation replaces the stored one')
def _(c):
    s, n = remote(c), c.svc()
    s.post('/spool/%s/0' % n, form(status='down', reason='r', creation='1234.5'))
    s.post('/spool/%s/0' % n, form(status='down', reason='r', creation='2345.5'))
    c.eq('creation', s.read_spool(n).get('creation'), 2345.5)


@case('other_reason', 'another reason sets a new creation')
def _(c):
    s, n = remote(c), c.svc()
    s.post('/spool/%s/0' % n, form(status='down', reason='r', creation='1234.5'))
    s.post('/spool/%s/0' % n, form(status='down', reason='other'))
    c.ok('creation', abs(s.read_spool(n).get('creation', 0) - time.time()) < 3, 'about now', s.read_spool(n))


@case('no_status', 'without status: 400, nothing written')
def _(c):
    s, n = remote(c), c.svc()
    c.resp(s.post('/spool/%s/0' % n, form(reason='r')), status=400)
    c.eq('file', s.has_spool(n), False)


@case('bad_status', 'another status: 400 and a hint')
def _(c):
    s, n = remote(c), c.svc()
    c.resp(s.post('/spool/%s/0' % n, form(status='sideways', reason='r')), status=400,
           body='status must be up or down')
    c.eq('file', s.has_spool(n), False)


@case('status_case', 'status is matched exactly: DOWN is 400')
def _(c):
    s, n = remote(c), c.svc()
    c.resp(s.post('/spool/%s/0' % n, form(status='DOWN', reason='r')), status=400)
    c.eq('file', s.has_spool(n), False)


@case('empty_body', 'an empty body: 400')
def _(c):
    c.resp(remote(c).post('/spool/%s/0' % c.svc(), ''), status=400)


@case('query_arguments', 'the arguments may be in the query string')
def _(c):
    s, n = remote(c), c.svc()
    c.resp(s.post('/spool/%s/0?status=down&reason=from+query' % n, ''), status=200)
    c.eq('reason', s.read_spool(n).get('reason'), 'from query')


@case('form_decoding', 'plus signs and percent escapes are decoded')
def _(c):
    s, n = remote(c), c.svc()
    c.resp(s.post('/spool/%s/0' % n, 'status=down&reason=a+b%20c%26d%3De%2B'), status=200)
    c.eq('reason', s.read_spool(n).get('reason'), 'a b c&d=e+')


@case('unicode_reason', 'a UTF-8 reason')
def _(c):
    s, n = remote(c), c.svc()
    c.resp(s.post('/spool/%s/0' % n, form(status='down', reason=u'caf\u00e9')), status=200)
    c.eq('reason', s.read_spool(n).get('reason'), u'caf\u00e9')
    c.resp(s.get('/spool/%s/0' % n), status=503, body_re=u'.*: caf\u00e9')


@case('all', 'the service all takes everything down')
def _(c):
    s = c.server({'allow_remote_spool_changes': True}, fresh=True)
    c.resp(s.post('/spool/all/0', form(status='down', reason='r')), status=200)
    c.resp(s.get('/spool/%s/80' % c.svc()), status=503, body_re=r'Service all in down state since .*: r')
    c.resp(s.post('/spool/all/0', form(status='up')), status=200)
    c.resp(s.get('/spool/%s/80' % c.svc()), status=200)


@case('path_rest', 'a trailing slash or more path is ignored')
def _(c):
    s, n = remote(c), c.svc()
    c.resp(s.post('/spool/%s/0/' % n, form(status='down', reason='a')), status=200)
    c.eq('reason', s.read_spool(n).get('reason'), 'a')
    c.resp(s.post('/spool/%s/0/status' % n, form(status='down', reason='b')), status=200)
    c.eq('reason', s.read_spool(n).get('reason'), 'b')


@case('put_delete', 'PUT and DELETE are not allowed')
def _(c):
    s, n = remote(c), c.svc()
    s.write_spool(n, 'r')
    c.resp(s.req('PUT', '/spool/%s/0' % n, body=form(status='up')), status=405)
    c.resp(s.req('DELETE', '/spool/%s/0' % n), status=405)
    c.eq('file', s.has_spool(n), True)
