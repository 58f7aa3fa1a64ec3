"""The server process: options, signals, logs, limits."""
from lib.helpers import *  # noqa: F401,F403

case = area('process')


@case('sigint', 'SIGINT: exit code 0')
def _(c):
    s = c.server(fresh=True)
    s.signal(signal.SIGINT)
    c.eq('exit code', s.wait(EXIT_TIMEOUT), 0)


@case('sigquit', 'SIGQUIT: exit code 0')
def _(c):
    s = c.server(fresh=True)
    s.signal(signal.SIGQUIT)
    c.eq('exit code', s.wait(EXIT_TIMEOUT), 0)


@case('state_not_kept', 'counters start anew, spool files survive a restart')
def _(c):
    s = c.server(fresh=True)
    s.write_spool('a', 'r')
    s.get('/spool/b/0')
    s.signal(signal.SIGTERM)
    s.wait(EXIT_TIMEOUT)
    t = c.server(fresh=True, spool=s.spool)
    c.resp(t.get('/spool/a/0'), status=503)
    c.eq('counts', t.get('/status/count').json(), {'service_access_counts': {'a': {'127.0.0.1': 1}}})


@case('two_ports', '-p repeated: the server listens on every port')
def _(c):
    p2, p3 = c.port(), c.port()
    s = c.server(fresh=True, extra=('-p', p2, '--port', p3))
    for p in (s.port, p2, p3):
        c.resp(s.get('/spool/a/0', port=p), status=200)
    c.eq('one count', s.get('/status/count').json(), {'service_access_counts': {'a': {'127.0.0.1': 3}}})


@case('bind_address', '-B limits the server to one address')
def _(c):
    s = c.server(fresh=True, extra=('-B', '127.0.0.2'), host='127.0.0.2')
    c.resp(s.get('/spool/a/0'), status=200)
    c.eq('127.0.0.1', s.get('/spool/a/0', host='127.0.0.1').status, 'ERR:connect ConnectionRefusedError')


@case('bind_bad', 'an address that is not ours: the server does not start')
def _(c):
    p = c.spawn(extra=('-B', '192.0.2.1'))
    c.ok('exit code', (p.wait(EXIT_TIMEOUT) or 0) != 0, 'not 0', p.p.returncode)


@case('default_port', 'without -p the port is 3333')
def _(c):
    k = socket.socket()
    try:
        k.bind(('0.0.0.0', 3333))
    except OSError:
        raise Skip('port 3333 is in use')
    finally:
        k.close()
    s = c.server(fresh=True, omit=('port',), port=3333)
    c.resp(s.get('/spool/a/0'), status=200)


@case('share_port', 'a second server may listen on the same port (SO_REUSEPORT, for seamless restarts)')
def _(c):
    s = c.server(fresh=True)
    t = c.spawn(port=s.port)
    c.wait_for(lambda: not t.alive() or listeners(s.port) >= 2)
    c.eq('both run', (s.alive(), t.alive()), (True, True))
    s.signal(signal.SIGTERM)
    s.wait(EXIT_TIMEOUT)
    c.eq('second answers', t.wait_ready(), True)
    c.resp(t.get('/spool/a/0'), status=200)


@case('unknown_option', 'an unknown option: exit 2')
def _(c):
    p = c.spawn(extra=('--no-such-option',))
    c.eq('exit code', p.wait(EXIT_TIMEOUT), 2)


@case('spool_root_unreadable', 'a spool root that cannot be read: the server does not start')
def _(c):
    d = os.path.join(c.tmp(), 'spool')
    os.mkdir(d, 0)
    os.chmod(d, 0)
    p = c.spawn(spool=d, prefix=no_override(c))
    c.ok('exit code', (p.wait(EXIT_TIMEOUT) or 0) != 0, 'not 0', p.p.returncode)


@case('spool_root_read_only', 'a spool root that can only be read is enough for the server')
def _(c):
    d = os.path.join(c.tmp(), 'spool')
    os.mkdir(d)
    put(os.path.join(d, 'a'), 'r')
    os.chmod(d, 0o555)
    s = c.server(fresh=True, spool=d, prefix=no_override(c))
    c.resp(s.get('/spool/a/0'), status=503, body='Service a in down state: r')


@case('log_file', 'log_path: the file is made at start and holds request lines with -v')
def _(c):
    log = os.path.join(c.tmp(), 'hc.log')
    s = c.server({'log_path': log}, fresh=True, extra=('-v',))
    c.eq('made', os.path.exists(log), True)
    s.get('/spool/abc/0')
    c.ok('log', c.wait_for(lambda: '/spool/abc/0' in server_in_log(log)), 'a line with the path', server_in_log(log))
    c.match('line', [x for x in server_in_log(log).splitlines() if '/spool/abc/0' in x][-1:][0]
            if '/spool/abc/0' in server_in_log(log) else '', r'.*\b200\b.*GET /spool/abc/0 \(127\.0\.0\.1\).*')


@case('log_rotation', 'after the log file is renamed, new lines go to a new file of the old name')
def _(c):
    log = os.path.join(c.tmp(), 'hc.log')
    s = c.server({'log_path': log}, fresh=True, extra=('-v',))
    s.get('/spool/before/0')
    c.wait_for(lambda: '/spool/before/0' in server_in_log(log))
    os.rename(log, log + '.1')
    s.get('/spool/after/0')
    c.ok('new file', c.wait_for(lambda: '/spool/after/0' in server_in_log(log)), 'the new line', server_in_log(log))
    c.ok('old file', '/spool/before/0' in server_in_log(log + '.1') and '/spool/after/0' not in
         server_in_log(log + '.1'), 'the old line only', server_in_log(log + '.1')[-300:])


@case('log_appends', 'an existing log file is appended to')
def _(c):
    log = os.path.join(c.tmp(), 'hc.log')
    put(log, 'kept line\n')
    s = c.server({'log_path': log}, fresh=True, extra=('-v',))
    s.get('/spool/abc/0')
    c.wait_for(lambda: '/spool/abc/0' in server_in_log(log))
    c.ok('log', server_in_log(log).startswith('kept line\n'), 'the old line first', server_in_log(log)[:100])


@case('log_stderr', 'the default log goes to stderr')
def _(c):
    s = c.server(fresh=True, extra=('--verbose',))
    s.get('/spool/abc/0')
    c.ok('stderr', c.wait_for(lambda: '/spool/abc/0' in s.stderr()), 'the line', s.stderr()[-200:])
    c.eq('stdout', s.stdout(), '')


@case('log_bad_path', 'a log file in a directory that is not there: the server does not start')
def _(c):
    p = c.spawn({'log_path': os.path.join(c.tmp(), 'no', 'hc.log')})
    c.ok('exit code', (p.wait(EXIT_TIMEOUT) or 0) != 0, 'not 0', p.p.returncode)


@case('rlimit_number', 'rlimit_nofile sets the soft limit and keeps the hard limit')
def _(c):
    before = limits_nofile(os.getpid())
    s = c.server({'rlimit_nofile': 517}, fresh=True)
    got = limits_nofile(s.pid)
    c.eq('soft, hard', got, ['517', before[1]])


@case('rlimit_max', 'rlimit_nofile: max sets the soft limit to the hard limit')
def _(c):
    s = c.server({'rlimit_nofile': 'max'}, fresh=True, prefix=['sh', '-c', 'ulimit -Sn 256; exec "$@"', 'sh'])
    got = limits_nofile(s.pid)
    c.eq('soft equals hard', got[0], got[1])


@case('rlimit_quoted', 'rlimit_nofile may be a quoted number')
def _(c):
    s = c.server({'rlimit_nofile': '519'}, fresh=True)
    c.eq('soft', limits_nofile(s.pid)[0], '519')


@case('rlimit_unset', 'without rlimit_nofile the limit is inherited')
def _(c):
    s = c.server(fresh=True, prefix=['sh', '-c', 'ulimit -Sn 301; exec "$@"', 'sh'])
    c.eq('soft', limits_nofile(s.pid)[0], '301')


@case('rlimit_too_high', 'rlimit_nofile above the hard limit: the server does not start')
def _(c):
    p = c.spawn({'rlimit_nofile': 5000}, prefix=['sh', '-c', 'ulimit -n 400; exec "$@"', 'sh'])
    c.ok('exit code', (p.wait(EXIT_TIMEOUT) or 0) != 0, 'not 0', p.p.returncode)


@case('num_procs_one', '-n 1 is the default')
def _(c):
    s = c.server(fresh=True, extra=('-n', '1'))
    c.resp(s.get('/spool/a/0'), status=200)
    s.signal(signal.SIGTERM)
    c.eq('exit code', s.wait(EXIT_TIMEOUT), 0)


@case('num_procs_two', '-n 2: requests are answered')
def _(c):
    s = c.server(fresh=True, extra=('--num-procs', '2'))
    for _ in range(10):
        c.resp(s.get('/spool/a/0'), status=200)


@case('foreground', 'the server stays in the foreground')
def _(c):
    s = c.server(fresh=True)
    c.eq('alive', s.alive(), True)
