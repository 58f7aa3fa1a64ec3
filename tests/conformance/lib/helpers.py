"""Short forms shared by the case files."""
import gzip
import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

from .fakes import (Blackhole, FakeHTTP, FakeMySQL, FakeServer, FakeTCP, LineServer, err_packet, packet, response,
                    tls_context)
from .harness import (CLIENT_TIMEOUT, EXIT_TIMEOUT, Missing, Proc, Resp, Server, Skip, area, build_request, put,
                      raw_exchange, read_json, request)

NUM = r'[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?'
FAR = 4000000000            # an expiration far in the future
PAST = 1000000000           # one long past


def program(name, package):
    """The path of a program, wherever Debian puts it."""
    exe = shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/usr/bin:/sbin:/bin')
    if not exe:
        raise Missing('%s is missing: apt-get install %s' % (name, package))
    return exe


def upstream(c, **kw):
    port = kw.pop('port', None) or c.port()
    return c.keep(FakeHTTP(port, **kw))


def tcp(c, **kw):
    return c.keep(FakeTCP(kw.pop('port', None) or c.port(), **kw))


def lines(c, greeting=b'', reply=b'', **kw):
    return c.keep(LineServer(kw.pop('port', None) or c.port(), greeting, reply, **kw))


def mysql(c, **kw):
    return c.keep(FakeMySQL(kw.pop('port', None) or c.port(), **kw))


def blackhole(c):
    return c.keep(Blackhole(c.port()))


def tls(c):
    def make():
        program('openssl', 'openssl')
        ctx = tls_context(c.tmp())
        if ctx is None:
            raise Missing('openssl made no certificate')
        return ctx
    return c.memo('tls', make)


def http_case(c, want, body='from-upstream', want_body=None, path='x', headers=(), config=None, proto='http', **up):
    """One upstream answer, one check through the server; returns (server response, upstream, server)."""
    s = c.server(config)
    up.setdefault('status', want if isinstance(want, int) else 200)
    u = upstream(c, body=body, **up)
    r = s.get('/%s/%s/%d/%s' % (proto, c.svc(), u.port, path), headers)
    kw = {}
    if want_body is not False:
        kw['body'] = body if want_body is None else want_body
    c.resp(r, status=want, **kw)
    return r, u, s


def state(address=None, port=None, sep='; '):
    """A header value as HAProxy's http-check send-state builds it."""
    parts = ['UP 2/3']
    if address is not None:
        parts.append('address=%s' % address)
    if port is not None:
        parts.append('port=%s' % port)
    parts += ['name=bck/srv2', 'node=lb1', 'weight=1/2', 'scur=13/22', 'qcur=0']
    return sep.join(parts)


def hap(value):
    return [('X-Haproxy-Server-State', value)]


# login_to: where passwords may go; the Python tools know no such key and ignore it.
MYSQL_CONF = {'healthcheck_timeout': 10, 'mysql_username': 'checker', 'mysql_password': 's3cret',
              'login_to': ['127.0.0.0/8']}


def mysql_get(c, s, port, tail='', headers=(), **kw):
    return s.get('/mysql/%s/%d%s' % (c.svc(), port, tail), headers, **kw)


def form(**kw):
    return urllib.parse.urlencode(kw)


def remote(c, **conf):
    d = {'allow_remote_spool_changes': True}
    d.update(conf)
    return c.server(d)


def sockets(column, port, state):
    """How many TCP sockets have this port as their own (column 1) or the other side's (2), in a state of the kernel's."""
    with open('/proc/net/tcp') as f:
        rows = [line.split() for line in f.readlines()[1:]]
    return sum(r[column].endswith(':%04X' % port) and r[3] == state for r in rows)


def listeners(port):
    return sockets(1, port, '0A')


def connecting(port):
    return sockets(2, port, '02')


def limits_nofile(pid):
    with open('/proc/%d/limits' % pid) as f:
        for line in f:
            if line.startswith('Max open files'):
                return line.split()[3:5]
    return None


def unshare_ok(c, *flags):
    def make():
        program('unshare', 'util-linux')
        p = subprocess.run(['unshare'] + list(flags) + ['true'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if p.returncode != 0:
            raise Skip('unshare %s not permitted' % ' '.join(flags))
        return True
    return c.memo(('unshare',) + flags, make)


def no_override(c):
    """A command prefix under which file permissions bind even root; nothing when not root."""
    if os.geteuid() != 0:
        return []
    argv = ['setpriv', '--inh-caps=-dac_override,-dac_read_search', '--bounding-set=-dac_override,-dac_read_search']

    def make():
        program('setpriv', 'util-linux')
        if subprocess.run(argv + ['true'], stderr=subprocess.DEVNULL).returncode != 0:
            raise Skip('setpriv not permitted')
        return argv
    return c.memo('setpriv', make)


def private_etc(c, nonhumans):
    """A command prefix under which /etc is a private copy holding a nonhumans file."""
    unshare_ok(c, '-m')
    etc = c.tmp()
    for n in ('passwd', 'group', 'nsswitch.conf', 'hosts', 'ld.so.cache', 'localtime'):
        if os.path.exists('/etc/' + n):
            shutil.copy('/etc/' + n, etc)
    put(os.path.join(etc, 'nonhumans'), nonhumans)
    return ['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /etc && exec "$@"', etc]


def http_connection(port):
    return http.client.HTTPConnection('127.0.0.1', port, timeout=CLIENT_TIMEOUT)


def server_in_log(path):
    try:
        with open(path, 'rb') as f:
            return f.read().decode('utf-8', 'replace')
    except OSError:
        return ''


def real_redis(c):
    def make():
        exe = program('redis-server', 'redis-server')
        port = c.port()
        p = Proc(c.run, [exe, '--port', str(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no',
                         '--dir', c.tmp()])
        if not wait_port(port, p):
            p.stop()
            raise Missing('redis-server did not start: ' + p.stderr()[-200:])
        return port
    return c.memo('redis', make)


def wait_port(port, proc=None, timeout=60):
    end = time.time() + timeout
    while time.time() < end:
        if proc is not None and not proc.alive():
            return False
        s = socket.socket()
        s.settimeout(1)
        try:
            s.connect(('127.0.0.1', port))
            return True
        except OSError:
            time.sleep(0.05)
        finally:
            s.close()
    return False


def real_mariadb(c):
    """A throwaway MariaDB with a user checker/s3cret; gives its port."""
    def make():
        exe, inst = (program(x, 'mariadb-server') for x in ('mariadbd', 'mariadb-install-db'))
        import pwd
        d = c.tmp()
        data = os.path.join(d, 'data')
        user = pwd.getpwuid(os.geteuid()).pw_name
        p = subprocess.run([inst, '--no-defaults', '--datadir=' + data, '--user=' + user, '--skip-test-db',
                            '--auth-root-authentication-method=normal'],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        if p.returncode != 0:
            raise Missing('mariadb-install-db failed')
        port = c.port()
        init = os.path.join(d, 'init.sql')
        put(init, "CREATE USER 'checker'@'%' IDENTIFIED BY 's3cret';\n"
                  "CREATE USER 'checker'@'localhost' IDENTIFIED BY 's3cret';\nFLUSH PRIVILEGES;\n")
        m = Proc(c.run, [exe, '--no-defaults', '--datadir=' + data, '--user=' + user, '--port=%d' % port,
                         '--bind-address=127.0.0.1', '--socket=' + os.path.join(d, 's'), '--init-file=' + init,
                         '--pid-file=' + os.path.join(d, 'pid'), '--innodb-buffer-pool-size=16M',
                         '--performance-schema=off', '--skip-log-bin'])
        if not wait_port(port, m):
            m.stop()
            raise Missing('mariadbd did not start: ' + m.stderr()[-200:])
        return port
    return c.memo('mariadb', make)


def real_haproxy(c, up_port, down_port):
    exe = program('haproxy', 'haproxy')
    port, front = c.port(), c.port()
    cfg = os.path.join(c.tmp(), 'h.cfg')
    put(cfg, 'defaults\n mode http\n timeout connect 1s\n timeout client 5s\n timeout server 5s\n'
             'listen stats\n bind 127.0.0.1:%d\n stats enable\n stats uri /\n'
             'frontend f\n bind 127.0.0.1:%d\n default_backend good\n'
             'backend good\n server s1 127.0.0.1:%d check inter 200 rise 1 fall 1\n'
             'backend bad\n server s1 127.0.0.1:%d check inter 200 rise 1 fall 1\n' % (port, front, up_port, down_port))
    p = c.keep(Proc(c.run, [exe, '-db', '-f', cfg]))
    if not wait_port(port, p):
        raise Missing('haproxy did not start: ' + p.stderr()[-200:])
    return port
