"""GET /haproxy/<backend>/<stats port> (a fork of the original has it)."""
from lib.helpers import *  # noqa: F401,F403

case = area('haproxy_check')

HEAD = '# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,'


def csv(*rows):
    out = [HEAD]
    for px, sv, st in rows:
        out.append(','.join([px, sv] + ['0'] * 15 + [st, '1', '']))
    return '\n'.join(out) + '\n'


@case('down', 'a backend that is DOWN: 500')
def _(c):
    s, u = c.server(), upstream(c, body=csv(('web', 's1', 'UP'), ('web', 'BACKEND', 'DOWN')))
    c.resp(s.get('/haproxy/web/%d/' % u.port), status=500, body='web is DOWN')


@case('missing', 'a backend that is not listed: 500')
def _(c):
    s, u = c.server(), upstream(c, body=csv(('other', 'BACKEND', 'UP')))
    c.resp(s.get('/haproxy/web/%d' % u.port), status=500, body='web is not found')


@case('exact_name', 'the name is matched exactly')
def _(c):
    s, u = c.server(), upstream(c, body=csv(('web2', 'BACKEND', 'UP'), ('Web', 'BACKEND', 'UP')))
    c.resp(s.get('/haproxy/web/%d' % u.port), status=500, body='web is not found')


@case('stats_error', 'an error status of the statistics page is passed on')
def _(c):
    s, u = c.server(), upstream(c, status=401, body='who')
    c.resp(s.get('/haproxy/web/%d' % u.port), status=401, body='who')


@case('refused', 'a closed port: 503')
def _(c):
    c.resp(c.server().get('/haproxy/web/%d' % c.port()), status=503)


@case('spool_first', 'a downed service is not looked up')
def _(c):
    s, u, n = c.server(), upstream(c), c.svc()
    s.write_spool(n, 'r')
    c.resp(s.get('/haproxy/%s/%d' % (n, u.port)), status=503, body='Service %s in down state: r' % n)
    c.eq('hits', u.hits, 0)


@case('short_rows', 'rows too short and empty lines are skipped')
def _(c):
    s = c.server()
    u = upstream(c, body='junk\n\n,,\n' + csv(('web', 'BACKEND', 'UP')) + 'tail')
    c.resp(s.get('/haproxy/web/%d' % u.port), status=200, body='web is UP')


@case('two_backends', 'two backends of one HAProxy have their own results')
def _(c):
    s, u = c.server(), upstream(c, body=csv(('web', 'BACKEND', 'UP'), ('db', 'BACKEND', 'DOWN')))
    c.resp(s.get('/haproxy/web/%d' % u.port), status=200, body='web is UP')
    c.resp(s.get('/haproxy/db/%d' % u.port), status=500, body='db is DOWN')
