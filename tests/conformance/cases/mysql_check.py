"""GET /mysql/...: log in with the configured user, then quit."""
from lib.helpers import *  # noqa: F401,F403

case = area('mysql_check')


@case('no_credentials', 'without credentials in the configuration: 500 and a hint, no connection')
def _(c):
    s, u = c.server(), tcp(c)
    c.resp(mysql_get(c, s, u.port), status=500, body_re=r'No MySQL username/pass?word in config file')
    c.eq('connections', u.made(0), 0)


@case('no_password', 'a user name without a password: the same')
def _(c):
    s = c.server({'mysql_username': 'x'})
    c.resp(mysql_get(c, s, c.port()), status=500, body_re=r'No MySQL username/pass?word in config file')


@case('ok', 'a good login: 200 and the response of the server')
def _(c):
    s, m = c.server(MYSQL_CONF), mysql(c)
    c.resp(mysql_get(c, s, m.port), status=200, body_re=r'MySQL connect response: .*OK.*')


@case('ok_body', 'the exact body of a good login')
def _(c):
    s, m = c.server(MYSQL_CONF), mysql(c)
    c.resp(mysql_get(c, s, m.port), status=200, body='MySQL connect response: MySQLResponse(OK)<>')


@case('scramble', 'the password is sent as a mysql_native_password hash of 20 bytes, with the user name')
def _(c):
    s, m = c.server(MYSQL_CONF), mysql(c)
    mysql_get(c, s, m.port)
    c.eq('login', {k: m.login.get(k) for k in ('user', 'good', 'auth_len', 'plugin')},
         {'user': b'checker', 'good': True, 'auth_len': 20, 'plugin': b'mysql_native_password'})


@case('sends_quit', 'COM_QUIT with sequence 0 after the login')
def _(c):
    s, m = c.server(MYSQL_CONF), mysql(c)
    mysql_get(c, s, m.port)
    c.eq('events', m.wait_events(2), [('login', True), ('quit', (0, b'\x01'))])


@case('denied', 'access denied: 500 with the message of the server')
def _(c):
    s, m = c.server(MYSQL_CONF), mysql(c, password='other')
    c.resp(mysql_get(c, s, m.port), status=500, body_re=r"MySQL sez .*Access denied for user 'checker'.*")


@case('ok_with_message', 'an OK packet with a message, rows and ids')
def _(c):
    s, m = c.server(MYSQL_CONF), mysql(c, reply=b'\x00\xfc\x34\x12\x05\x02\x00\x01\x00hello')
    c.resp(mysql_get(c, s, m.port), status=200, body_re=r'MySQL connect response: MySQLResponse\(OK\)<(hello)?>')


@case('too_many_connections', 'an error packet instead of a greeting is not up')
def _(c):
    s = c.server(MYSQL_CONF)
    m = mysql(c, greeting=err_packet(1040, b'08004', b'Too many connections'))
    c.resp(mysql_get(c, s, m.port), status='5xx')


@case('host_blocked', 'an error packet without a SQL state instead of a greeting is not up')
def _(c):
    s = c.server(MYSQL_CONF)
    m = mysql(c, greeting=b'\xff' + struct.pack('<H', 1129) + b"Host 'x' is blocked")
    c.resp(mysql_get(c, s, m.port), status='5xx')


@case('long_version', 'a long server version does not confuse the login')
def _(c):
    s, m = c.server(MYSQL_CONF), mysql(c, version=b'5.5.5-10.11.14-MariaDB-0+deb12u2-log' * 3)
    c.resp(mysql_get(c, s, m.port), status=200)
    c.eq('login good', m.login.get('good'), True)


@case('cached', 'a result is cached')
def _(c):
    s, m, n = c.server(MYSQL_CONF), mysql(c), c.svc()
    for _ in range(3):
        c.resp(s.get('/mysql/%s/%d' % (n, m.port)), status=200)
    c.eq('connections', m.made(1), 1)


@case('cached_across_services', 'a result is shared between service names')
def _(c):
    s, m = c.server(MYSQL_CONF), mysql(c)
    for _ in range(3):
        c.resp(mysql_get(c, s, m.port), status=200)
    c.eq('connections', m.made(1), 1)


@case('spool_first', 'a downed service is not logged in to')
def _(c):
    s, m, n = c.server(MYSQL_CONF), mysql(c), c.svc()
    s.write_spool(n, 'r')
    c.resp(s.get('/mysql/%s/%d' % (n, m.port)), status=503, body='Service %s in down state: r' % n)
    c.eq('connections', m.made(0), 0)


@case('real_denied', 'a wrong password at a real MariaDB')
def _(c):
    port = real_mariadb(c)
    s = c.server(dict(MYSQL_CONF, mysql_password='wrong'))
    c.resp(mysql_get(c, s, port), status=500, body_re=r"MySQL sez .*Access denied for user 'checker'@.*")
