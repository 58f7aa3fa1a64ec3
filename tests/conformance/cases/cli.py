"""The command-line programs: files they write, what they print, exit codes."""
from lib.helpers import *  # noqa: F401,F403

case = area('cli')


@case('haup_absent', 'haup of a service that is not down: exit 0, silent')
def _(c):
    c.cli_is(c.cli('haup', '--spool-root', c.spool_dir(), 'web'), rc=0, out='')


@case('hadown_writes_json', 'hadown writes JSON with reason, null expiration, creation now; exit 0, silent')
def _(c):
    d = c.spool_dir()
    before = time.time()
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'why', 'web'), rc=0, out='')
    j = read_json(os.path.join(d, 'web'))
    c.ok('keys', {'creation', 'expiration', 'reason'} <= set(j), 'the three, others may stand beside them', sorted(j))
    c.eq('reason', j.get('reason'), 'why')
    c.eq('expiration', j.get('expiration', 0), None)
    c.ok('creation', before - 1 <= (j.get('creation') or 0) <= time.time() + 1, 'about now', j)


@case('hadown_reason_long', '--reason is the same as -r')
def _(c):
    d = c.spool_dir()
    c.cli_is(c.cli('hadown', '--spool-root', d, '--reason', 'long form', 'web'), rc=0)
    c.eq('reason', read_json(os.path.join(d, 'web')).get('reason'), 'long form')


@case('equals_form', '--option=value works')
def _(c):
    d = c.spool_dir()
    c.cli_is(c.cli('hadown', '--spool-root=' + d, '--reason=a=b', '--expiration=4000000000', 'web'), rc=0)
    j = read_json(os.path.join(d, 'web'))
    c.eq('reason, expiration', (j.get('reason'), j.get('expiration')), ('a=b', FAR))


@case('port_file_name', '-P makes the file svc:port')
def _(c):
    d = c.spool_dir()
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'x', '-P', '8080', 'web'), rc=0)
    c.eq('files', os.listdir(d), ['web:8080'])


@case('long_port_host', '--service-port and --service-host')
def _(c):
    d = c.spool_dir()
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'x', '--service-port', '8080', '--service-host', '10.1.2.3',
                   'web'), rc=0)
    c.eq('files', os.listdir(d), ['web:10.1.2.3:8080'])


@case('host_without_port_up', 'haup -H without -P: exit 2, nothing removed')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'web'), 'x')
    c.cli_is(c.cli('haup', '--spool-root', d, '-H', '10.1.2.3', 'web'), rc=2, out='', err_re='port')
    c.eq('files', os.listdir(d), ['web'])


@case('host_without_port_status', 'hastatus -H without -P: exit 2')
def _(c):
    c.cli_is(c.cli('hastatus', '--spool-root', c.spool_dir(), '-H', '10.1.2.3', 'web'), rc=2, out='', err_re='port')


@case('several_down', 'hadown of several services')
def _(c):
    d = c.spool_dir()
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'x', 'a', 'b', 'c.d'), rc=0, out='')
    c.eq('files', sorted(os.listdir(d)), ['a', 'b', 'c.d'])


@case('several_up', 'haup of several services, one of them not down')
def _(c):
    d = c.spool_dir()
    for n in ('a', 'b', 'keep'):
        put(os.path.join(d, n), 'x')
    c.cli_is(c.cli('haup', '--spool-root', d, 'a', 'missing', 'b'), rc=0, out='')
    c.eq('files', os.listdir(d), ['keep'])


@case('up_only_host', 'haup -P -H removes only svc:host:port')
def _(c):
    d = c.spool_dir()
    for n in ('web', 'web:80', 'web:10.1.2.3:80'):
        put(os.path.join(d, n), 'x')
    c.cli_is(c.cli('haup', '--spool-root', d, '-P', '80', '-H', '10.1.2.3', 'web'), rc=0)
    c.eq('files', sorted(os.listdir(d)), ['web', 'web:80'])


@case('status_up', 'hastatus of an up service')
def _(c):
    c.cli_is(c.cli('hastatus', '--spool-root', c.spool_dir(), 'web'), rc=0, out='UP\tweb\n')


@case('status_down', 'hastatus of a downed service: exit 1, expiration inf')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'web'), {'reason': 'because', 'creation': 1.0, 'expiration': None})
    c.cli_is(c.cli('hastatus', '--spool-root', d, 'web'), rc=1, out='DOWN\tinf\tweb\tbecause\n')


@case('status_expiration', 'hastatus shows the expiration with six decimals')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'web'), {'reason': 'because', 'creation': 1.0, 'expiration': FAR})
    c.cli_is(c.cli('hastatus', '--spool-root', d, 'web'), rc=1, out='DOWN\t4000000000.000000\tweb\tbecause\n')


@case('status_empty_file', 'hastatus of an empty file: an empty reason field')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'web'), '')
    c.cli_is(c.cli('hastatus', '--spool-root', d, 'web'), rc=1, out='DOWN\tinf\tweb\t\n')


@case('status_host', 'hastatus -P -H shows svc:host:port')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'web:10.1.2.3:80'), {'reason': 'r', 'expiration': FAR})
    c.cli_is(c.cli('hastatus', '--spool-root', d, '-P', '80', '-H', '10.1.2.3', 'web'), rc=1,
             out='DOWN\t4000000000.000000\tweb:10.1.2.3:80\tr\n')


@case('status_not_all', 'hastatus does not look at the all file')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'all'), 'x')
    c.cli_is(c.cli('hastatus', '--spool-root', d, 'web'), rc=0, out='UP\tweb\n')
    c.cli_is(c.cli('hastatus', '--spool-root', d, 'all'), rc=1, out='DOWN\tinf\tall\tx\n')


@case('status_expired', 'hastatus of an expired file: UP, and the file goes')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'web'), {'reason': 'r', 'expiration': PAST})
    c.cli_is(c.cli('hastatus', '--spool-root', d, 'web'), rc=0, out='UP\tweb\n')
    c.eq('files', os.listdir(d), [])


@case('no_args_down', 'hadown without a service: exit 2 with usage')
def _(c):
    c.cli_is(c.cli('hadown', '--spool-root', c.spool_dir(), '-r', 'x'), rc=2, out='', err_re='usage')


@case('no_args_status', 'hastatus without a service: exit 2 with usage')
def _(c):
    c.cli_is(c.cli('hastatus', '--spool-root', c.spool_dir()), rc=2, out='', err_re='usage')


@case('unknown_option', 'an unknown option: exit 2')
def _(c):
    for n in ('haup', 'hadown', 'hastatus'):
        c.cli_is(c.cli(n, '--no-such-option', 'web'), rc=2, out='')


@case('bad_expiration', '-e that is no number: exit 2, nothing written')
def _(c):
    d = c.spool_dir()
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'x', '-e', 'tomorrow', 'web'), rc=2, out='')
    c.eq('files', os.listdir(d), [])


@case('bad_port', '-P that is no number: exit 2, nothing written')
def _(c):
    d = c.spool_dir()
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'x', '-P', 'http', 'web'), rc=2, out='')
    c.eq('files', os.listdir(d), [])


@case('bad_action', '-a with an unknown action: exit 2')
def _(c):
    c.cli_is(c.cli('haup', '--spool-root', c.spool_dir(), '-a', 'sideways', 'web'), rc=2, out='')


@case('action_status_downed', '-a status_downed lists the downed services')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'web'), 'x')
    c.cli_is(c.cli('hastatus', '--spool-root', d, '-a', 'status_downed'), rc=0, out='DOWN\tinf\tweb\tx\n')


@case('showdowned_empty', 'hashowdowned of an empty spool: silent, exit 0')
def _(c):
    c.cli_is(c.cli('hashowdowned', '--spool-root', c.spool_dir()), rc=0, out='')


@case('showdowned', 'hashowdowned lists every downed service, exit 0')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'a'), {'reason': 'ra', 'expiration': None})
    put(os.path.join(d, 'b'), {'reason': 'rb', 'expiration': FAR})
    put(os.path.join(d, 'c.d'), 'plain')
    put(os.path.join(d, 'all'), '')
    c.cli_is(c.cli('hashowdowned', '--spool-root', d), rc=0,
             lines=['DOWN\tinf\ta\tra', 'DOWN\t4000000000.000000\tb\trb', 'DOWN\tinf\tc.d\tplain', 'DOWN\tinf\tall\t'])


@case('showdowned_ports', 'hashowdowned shows ports and hosts')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'a:80'), {'reason': 'r1'})
    put(os.path.join(d, 'a:10.1.2.3:81'), {'reason': 'r2', 'expiration': FAR})
    c.cli_is(c.cli('hashowdowned', '--spool-root', d), rc=0,
             lines=['DOWN\tinf\ta::80\tr1', 'DOWN\t4000000000.000000\ta:10.1.2.3:81\tr2'])


@case('showdowned_skips_dirs', 'hashowdowned skips directories')
def _(c):
    d = c.spool_dir()
    os.mkdir(os.path.join(d, 'sub'))
    put(os.path.join(d, 'web'), 'x')
    c.cli_is(c.cli('hashowdowned', '--spool-root', d), rc=0, out='DOWN\tinf\tweb\tx\n')


@case('reason_sudo', 'the default reason is SUDO_USER')
def _(c):
    d = c.spool_dir()
    c.cli_is(c.cli('hadown', '--spool-root', d, 'web', env={'SUDO_USER': 'alice', 'SSH_USER': 'bob'}), rc=0)
    c.eq('reason', read_json(os.path.join(d, 'web')).get('reason'), 'alice')


@case('reason_login', 'without both the default reason is the name of the effective user')
def _(c):
    import pwd
    d = c.spool_dir()
    c.cli_is(c.cli('hadown', '--spool-root', d, 'web', env={'USER': 'nobody-real', 'LOGNAME': 'nobody-real'}), rc=0)
    c.eq('reason', read_json(os.path.join(d, 'web')).get('reason'), pwd.getpwuid(os.geteuid()).pw_name)


@case('nonhuman_with_reason', 'an explicit reason is accepted from a nonhuman; a human needs none')
def _(c):
    prefix = private_etc(c, 'jenkins\n#alice\n')
    d = c.spool_dir()
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'jenkins', 'a', env={'SUDO_USER': 'jenkins'}, prefix=prefix),
             rc=0, out='')
    c.cli_is(c.cli('hadown', '--spool-root', d, 'b', env={'SUDO_USER': 'alice'}, prefix=prefix), rc=0, out='')
    c.eq('files', sorted(os.listdir(d)), ['a', 'b'])


@case('nonhuman_may_haup', 'haup does not ask who you are')
def _(c):
    prefix = private_etc(c, 'jenkins\n')
    d = c.spool_dir()
    put(os.path.join(d, 'web'), 'x')
    c.cli_is(c.cli('haup', '--spool-root', d, 'web', env={'SUDO_USER': 'jenkins'}, prefix=prefix), rc=0, out='')
    c.eq('files', os.listdir(d), [])


@case('redown_same_reason', 'downing again for the same reason keeps creation, renews expiration')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'web'), {'reason': 'r', 'creation': 1000.0, 'expiration': FAR})
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'r', '-e', FAR + 60, 'web'), rc=0)
    j = read_json(os.path.join(d, 'web'))
    c.eq('file', {k: j.get(k) for k in ('reason', 'creation', 'expiration')},
         {'reason': 'r', 'creation': 1000.0, 'expiration': FAR + 60.0})


@case('redown_expired', 'downing over an expired file sets a new creation')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'web'), {'reason': 'r', 'creation': 1000.0, 'expiration': PAST})
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'r', 'web'), rc=0)
    j = read_json(os.path.join(d, 'web'))
    c.ok('creation', abs((j.get('creation') or 0) - time.time()) < 5, 'about now', j)


@case('redown_legacy', 'downing over a plain-text file makes it JSON with creation now')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'web'), 'r')
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'r', 'web'), rc=0)
    j = read_json(os.path.join(d, 'web'))
    c.eq('reason', j.get('reason'), 'r')
    c.ok('creation', abs((j.get('creation') or 0) - time.time()) < 5, 'about now', j)


@case('redown_port_separate', 'creation of svc:port is independent of the service file')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'web'), {'reason': 'r', 'creation': 1000.0, 'expiration': None})
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'r', '-P', '80', 'web'), rc=0)
    j = read_json(os.path.join(d, 'web:80'))
    c.ok('creation', abs((j.get('creation') or 0) - time.time()) < 5, 'about now', j)


@case('creates_root', 'a missing spool root is made with mode 0750')
def _(c):
    d = os.path.join(c.tmp(), 'new')
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'x', 'web', prefix=['sh', '-c', 'umask 022; exec "$@"', 'sh']),
             rc=0)
    c.eq('mode', oct(os.stat(d).st_mode & 0o777) if os.path.isdir(d) else None, oct(0o750))
    c.eq('files', os.listdir(d) if os.path.isdir(d) else None, ['web'])


@case('missing_parent', 'a spool root whose parent is missing: not exit 0')
def _(c):
    d = os.path.join(c.tmp(), 'no', 'such')
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', 'x', 'web'), rc_not=0, out='')


@case('reason_escapes', 'quotes, backslashes and newlines in a reason survive')
def _(c):
    d = c.spool_dir()
    reason = 'say "hi" \\ and\nbye'
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', reason, 'web'), rc=0)
    c.eq('reason', read_json(os.path.join(d, 'web')).get('reason'), reason)


@case('reason_unicode', 'a non-ASCII reason survives, in the file and in hastatus')
def _(c):
    d = c.spool_dir()
    c.cli_is(c.cli('hadown', '--spool-root', d, '-r', u'caf\u00e9', 'web'), rc=0)
    c.eq('reason', read_json(os.path.join(d, 'web')).get('reason'), u'caf\u00e9')
    c.cli_is(c.cli('hastatus', '--spool-root', d, 'web'), rc=1, out=u'DOWN\tinf\tweb\tcaf\u00e9\n')


@case('with_server', 'hadown takes a service down in a running server, haup brings it back')
def _(c):
    s, n = c.server(), c.svc()
    c.cli_is(c.cli('hadown', '--spool-root', s.spool, '-r', 'x', n), rc=0)
    c.resp(s.get('/spool/%s/0' % n), status=503, body_re=r'Service %s in down state since [0-9]+\.[0-9]{6}: x' % n)
    c.cli_is(c.cli('haup', '--spool-root', s.spool, n), rc=0)
    c.resp(s.get('/spool/%s/0' % n), status=200)


@case('all_with_server', 'hadown all takes everything down in a running server')
def _(c):
    s = c.server(fresh=True)
    c.cli_is(c.cli('hadown', '--spool-root', s.spool, '-r', 'reboot', 'all'), rc=0)
    c.resp(s.get('/spool/%s/0' % c.svc()), status=503, body_re=r'Service all in down state since .*: reboot')
    c.cli_is(c.cli('haup', '--spool-root', s.spool, 'all'), rc=0)
    c.resp(s.get('/spool/%s/0' % c.svc()), status=200)


@case('host_with_server', 'hadown -P -H takes one address down in a running server')
def _(c):
    s, n = c.server(), c.svc()
    c.cli_is(c.cli('hadown', '--spool-root', s.spool, '-r', 'x', '-P', '8080', '-H', '10.3.2.1', n), rc=0)
    c.resp(s.get('/spool/%s/80' % n, hap(state('10.3.2.1', 8080))), status=503)
    c.resp(s.get('/spool/%s/8080' % n), status=200)


@case('list_format', 'halist JSON has a space after colons and commas')
def _(c):
    s = c.server(fresh=True)
    s.get('/spool/svc/0')
    c.cli_is(c.cli('halist', '-p', s.port), rc=0,
             out_re=r'svc last_response=\{"\w+": [^,{}]+, "\w+": [^,{}]+, "\w+": [^,{}]+\}\n')


@case('list_null_response', 'halist of a service without a finished check shows null')
def _(c):
    s, answer = c.server(fresh=True), threading.Event()
    u = upstream(c, delay=answer)
    t = threading.Thread(target=lambda: s.get('/http/pending/%d/x' % u.port), daemon=True)
    t.start()
    c.wait_for(lambda: u.hits == 1)
    c.cli_is(c.cli('halist', '-p', s.port), rc=0, out='pending last_response=null\n')
    answer.set()
    t.join()


@case('read_only_status', 'hastatus and hashowdowned need no right to write')
def _(c):
    d = c.spool_dir()
    put(os.path.join(d, 'web'), 'x')
    os.chmod(d, 0o555)
    c.cli_is(c.cli('hastatus', '--spool-root', d, 'web', prefix=no_override(c)), rc=1, out='DOWN\tinf\tweb\tx\n')
    c.cli_is(c.cli('hashowdowned', '--spool-root', d, prefix=no_override(c)), rc=0, out='DOWN\tinf\tweb\tx\n')
