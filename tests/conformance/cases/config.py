"""The YAML configuration file."""
from lib.helpers import *  # noqa: F401,F403

case = area('config')


@case('no_file', 'no configuration file at all: defaults')
def _(c):
    s = c.server(fresh=True, omit=('config',))
    u = upstream(c, body='b')
    c.resp(s.get('/http/a/%d/x' % u.port, [('Host', 'h.example')]), status=200, body='b')
    s.get('/http/a/%d/x' % u.port, [('Host', 'h.example')])
    c.eq('cached', u.hits, 1)
    c.eq('host', u.last.headers.get('host'), 'h.example')
    c.resp(s.post('/spool/a/0', form(status='up')), status=403)
    c.resp(s.get('/mysql/a/%d' % u.port), status=500)


@case('yaml_document', 'a document start, flow mappings and JSON')
def _(c):
    s = c.server('---\n{"allow_remote_spool_changes": true, "cache_time": 0}\n', fresh=True)
    u = upstream(c)
    c.resp(s.post('/spool/a/0', form(status='up')), status=200)
    s.get('/http/a/%d/x' % u.port)
    s.get('/http/a/%d/x' % u.port)
    c.eq('hits', u.hits, 2)


@case('number_as_string', 'cache_time and healthcheck_timeout may be quoted numbers')
def _(c):
    s = c.server('cache_time: "0"\nhealthcheck_timeout: "0.5"\n', fresh=True)
    u, b = upstream(c), blackhole(c)
    s.get('/http/a/%d/x' % u.port)
    s.get('/http/a/%d/x' % u.port)
    c.eq('hits', u.hits, 2)
    c.resp(s.get('/tcp/a/%d' % b.port), status=503)


@case('integer_times', 'times may be integers')
def _(c):
    s = c.server('cache_time: 1\nhealthcheck_timeout: 1\n', fresh=True)
    b = blackhole(c)
    c.resp(s.get('/tcp/a/%d' % b.port), status=503, over=0.8)


@case('default_timeout', 'the default healthcheck_timeout is longer than three seconds')
def _(c):
    s, u = c.server('x: 1\n', fresh=True), upstream(c, delay=3.2, body='late')
    c.resp(s.get('/http/a/%d/x' % u.port), status=200, body='late')


@case('numeric_password', 'a password that YAML reads as a number is used as text')
def _(c):
    s = c.server('mysql_username: checker\nmysql_password: 12345\nhealthcheck_timeout: 10\nlogin_to: [127.0.0.0/8]\n',
                 fresh=True)
    m = mysql(c, password='12345')
    c.resp(mysql_get(c, s, m.port), status=200)


@case('missing_file', 'a configuration file that is not there: the server does not start')
def _(c):
    s = c.spawn()
    s.stop()
    t = c.run.opts.server.replace('{config}', '/nonexistent/hc.yaml')
    p = c.keep(Server(c.run, t, {}))
    c.ok('exit code', (p.wait(EXIT_TIMEOUT) or 0) != 0, 'not 0', p.p.returncode)
    c.ok('message', p.stderr().strip() != '', 'something on stderr', p.stderr()[-200:])


@case('bad_timeout', 'a healthcheck_timeout that is a list: the server does not start')
def _(c):
    p = c.spawn('healthcheck_timeout: [1]\n')
    c.ok('exit code', (p.wait(EXIT_TIMEOUT) or 0) != 0, 'not 0', p.p.returncode)


@case('bad_rlimit', 'an rlimit_nofile that is neither a number nor max: the server does not start')
def _(c):
    p = c.spawn('rlimit_nofile: lots\n')
    c.ok('exit code', (p.wait(EXIT_TIMEOUT) or 0) != 0, 'not 0', p.p.returncode)


@case('long_option', '--config-file is the same as -c')
def _(c):
    path = os.path.join(c.tmp(), 'c.yaml')
    put(path, 'allow_remote_spool_changes: true\n')
    s = c.server(fresh=True, omit=('config',), extra=('--config-file', path))
    c.resp(s.post('/spool/a/0', form(status='up')), status=200)


@case('not_reread', 'the file is read once, at start')
def _(c):
    s = c.server({'cache_time': 5}, fresh=True)
    put(s.config_path, 'allow_remote_spool_changes: true\n')
    time.sleep(0.2)
    c.resp(s.post('/spool/a/0', form(status='up')), status=403)
