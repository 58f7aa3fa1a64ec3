"""GET /redis, /sentinel, /redis-info, /sentinel-info (a fork of the original has them)."""
from lib.helpers import *  # noqa: F401,F403

case = area('redis_checks')

INFO = (b'# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n\r\n# Replication\r\nrole:master\r\n'
        b'connected_slaves:2\r\n\r\n# CPU\r\nused_cpu_sys:0.5\r\n\r\n# Keyspace\r\ndb0:keys=1,expires=0\r\n')

SENTINEL = (b'# Server\r\nredis_version:7.0.15\r\nredis_mode:sentinel\r\n\r\n# Sentinel\r\nsentinel_masters:1\r\n'
            b'master0:name=mymaster,status=ok,address=10.20.30.40:6379,slaves=2,sentinels=3\r\n')


@case('sentinel_ping', '/sentinel is the same')
def _(c):
    s, u = c.server(), lines(c, b'', b'+PONG\r\n')
    c.resp(s.get('/sentinel/svc1/%d/' % u.port), status=200, body='Sent PING, got back +PONG')
    c.eq('line', u.wait_events(1)[:1], [('line', b'PING\r\n')])


@case('ping_loading', 'a loading server: 500')
def _(c):
    s, u = c.server(), lines(c, b'', b'-LOADING Redis is loading the dataset in memory\r\n')
    c.resp(s.get('/redis/svc1/%d' % u.port), status=500, body_re=r'Sent PING, got back .*-LOADING.*')


@case('ping_spool', 'a downed service is not pinged')
def _(c):
    s, u, n = c.server(), lines(c, b'', b'+PONG\r\n'), c.svc()
    s.write_spool(n, 'r')
    c.resp(s.get('/redis/%s/%d' % (n, u.port)), status=503, body='Service %s in down state: r' % n)
    c.eq('connections', u.made(0), 0)


@case('info', '/redis-info: the fields of INFO as JSON')
def _(c):
    s, u = c.server(), lines(c, b'', INFO)
    r = s.get('/redis-info/svc1/%d' % u.port)
    c.resp(r, status=200)
    j = r.json()
    c.eq('fields', {k: j.get(k) for k in ('redis_version', 'role', 'connected_slaves', 'used_cpu_sys')},
         {'redis_version': '7.0.15', 'role': 'master', 'connected_slaves': '2', 'used_cpu_sys': '0.5'})
    c.eq('line', u.wait_events(1)[:1], [('line', b'INFO\r\n')])


@case('info_no_match', 'no match: 500')
def _(c):
    s, u = c.server(), lines(c, b'', INFO)
    c.resp(s.get('/redis-info/svc1/%d/match?role=slave' % u.port), status=500, body='No matching field found')


@case('info_match_any', 'of several conditions one is enough')
def _(c):
    s, u = c.server(), lines(c, b'', INFO)
    c.resp(s.get('/redis-info/svc1/%d/match?role=slave&connected_slaves=2' % u.port), status=200,
           body='Match found: field connected_slaves, value 2')


@case('info_match_unknown', 'an unknown field: 500')
def _(c):
    s, u = c.server(), lines(c, b'', INFO)
    c.resp(s.get('/redis-info/svc1/%d/match?nope=1' % u.port), status=500, body='No matching field found')


@case('info_match_empty', 'match without conditions gives the JSON')
def _(c):
    s, u = c.server(), lines(c, b'', INFO)
    r = s.get('/redis-info/svc1/%d/match' % u.port)
    c.resp(r, status=200)
    c.eq('role', r.json().get('role'), 'master')


@case('info_not_up', 'an error reply to INFO is not up')
def _(c):
    s, u = c.server(), lines(c, b'', b'-NOAUTH Authentication required.\r\n')
    c.resp(s.get('/redis-info/svc1/%d' % u.port), status='5xx')


@case('sentinel_info', '/sentinel-info: JSON with redis_master')
def _(c):
    s, u = c.server(), lines(c, b'', SENTINEL)
    r = s.get('/sentinel-info/svc1/%d' % u.port)
    c.resp(r, status=200)
    c.eq('fields', {k: r.json().get(k) for k in ('redis_master', 'redis_mode')},
         {'redis_master': '10.20.30.40:6379', 'redis_mode': 'sentinel'})


@case('sentinel_info_match', 'match on redis_master')
def _(c):
    s, u = c.server(), lines(c, b'', SENTINEL)
    c.resp(s.get('/sentinel-info/svc1/%d/match?redis_master=10.20.30.40:6379' % u.port), status=200,
           body='Match found: field redis_master, value 10.20.30.40:6379')


@case('sentinel_info_no_match', 'no match on redis_master: 500')
def _(c):
    s, u = c.server(), lines(c, b'', SENTINEL)
    c.resp(s.get('/sentinel-info/svc1/%d/match?redis_master=10.20.30.41:6379' % u.port), status=500,
           body='No matching field found')


@case('real_info', 'INFO of a real redis')
def _(c):
    r = c.server().get('/redis-info/svc1/%d' % real_redis(c))
    c.resp(r, status=200)
    c.match('version', r.json().get('redis_version'), r'[0-9.]+')
