"""Core of the black-box suite: process control, HTTP client, case registry."""
import atexit
import http.client
import io
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

# How long is waited before something counts as hanging: far longer than it takes on a busy machine.
CLIENT_TIMEOUT = 30.0
START_TIMEOUT = 30.0
EXIT_TIMEOUT = 30.0
REGISTRY = []


class Skip(Exception):
    """The case cannot be run here."""


class Missing(Exception):
    """What the case needs and cannot be had: it fails, and this says what to install."""


class Case:
    def __init__(self, id, area, desc, func):
        self.id, self.area, self.desc, self.func = id, area, desc, func


def area(area_name):
    """Returns the decorator that registers cases of one area file."""
    def case(id, desc):
        def deco(func):
            full = '%s.%s' % (area_name, id)
            assert all(x.id != full for x in REGISTRY), 'duplicate id ' + full
            REGISTRY.append(Case(full, area_name, desc, func))
            return func
        return deco
    return case


# --------------------------------------------------------------------- HTTP

class Resp:
    def __init__(self, status, headers=(), body=b'', label='', seconds=0.0):
        self.status, self.body, self.label, self.seconds = status, body, label, seconds
        self.header_list = [(k.lower(), v) for k, v in headers]
        self.headers = dict(self.header_list)

    @property
    def text(self):
        return self.body.decode('utf-8', 'replace')

    def json(self):
        try:
            return json.loads(self.text)
        except ValueError:
            return {'_not_json': self.text[:200]}


class _SockFile:
    def __init__(self, sock):
        self.sock = sock

    def makefile(self, *a, **k):
        return self.sock.makefile('rb')


def raw_exchange(port, data, method='GET', host='127.0.0.1', timeout=CLIENT_TIMEOUT, label=None):
    """Send bytes, parse one HTTP response. Network trouble becomes a status string."""
    start = time.time()
    label = label or repr(data[:120])
    try:
        s = socket.create_connection((host, port), timeout=timeout)
    except OSError as e:
        return Resp('ERR:connect %s' % type(e).__name__, label=label)
    try:
        s.sendall(data)
        r = http.client.HTTPResponse(_SockFile(s), method=method)
        r.begin()
        body = r.read()
        return Resp(r.status, r.getheaders(), body, label, time.time() - start)
    except socket.timeout:
        return Resp('ERR:timeout', label=label, seconds=time.time() - start)
    except (OSError, http.client.HTTPException) as e:
        return Resp('ERR:%s' % type(e).__name__, label=label, seconds=time.time() - start)
    finally:
        s.close()


def build_request(method, path, headers, body=None, version='1.1'):
    lines = ['%s %s HTTP/%s' % (method, path, version)]
    lines += ['%s: %s' % (k, v) for k, v in headers]
    if body is not None:
        lines.append('Content-Length: %d' % len(body))
    return ('\r\n'.join(lines) + '\r\n\r\n').encode('utf-8') + (body or b'')


def request(port, method, path, headers=(), body=None, version='1.1', host='127.0.0.1',
            timeout=CLIENT_TIMEOUT, send_host=True):
    headers = list(headers.items()) if isinstance(headers, dict) else list(headers)
    if isinstance(body, str):
        body = body.encode('utf-8')
    if send_host and not any(k.lower() == 'host' for k, _ in headers):
        headers.insert(0, ('Host', '%s:%d' % (host, port)))
    if not any(k.lower() == 'connection' for k, _ in headers):
        headers.append(('Connection', 'close'))
    label = '%s %s' % (method, path)
    shown = [(k, v) for k, v in headers if k.lower() not in ('connection', 'host')]
    if shown:
        label += ' ' + ', '.join('%s: %s' % kv for kv in shown)
    if body is not None:
        label += ' body=%r' % body[:100]
    return raw_exchange(port, build_request(method, path, headers, body, version), method, host, timeout, label)


# ---------------------------------------------------------------- processes

class Ports:
    """Hands out free ports below the usual ephemeral range. Each is ours alone for as long as this process lives:
    a name in the abstract socket namespace, as the Rust tests use it too, tells others that it is taken."""
    LOW, HIGH = 20000, 32000

    def __init__(self):
        self.taken = []

    def take(self):
        for _ in range(3 * (self.HIGH - self.LOW)):
            port = random.randrange(self.LOW, self.HIGH)
            mark, probe = socket.socket(socket.AF_UNIX), socket.socket()
            try:
                mark.bind('\0hacheck-test-port-%d' % port)
                probe.bind(('0.0.0.0', port))
            except OSError:
                mark.close()
                continue
            finally:
                probe.close()
            self.taken.append(mark)
            return port
        raise RuntimeError('no free port')


def to_yaml(config):
    if isinstance(config, (str, bytes)):
        return config
    return ''.join('%s: %s\n' % (k, json.dumps(v)) for k, v in config.items())


def fill(template, values, omit=()):
    """Split a template and fill {x}; an omitted {x} goes together with the option before it."""
    out = []
    for tok in shlex.split(template):
        names = [n for n in ('port', 'config', 'spool') if '{%s}' % n in tok]
        if any(n in omit for n in names):
            if out and out[-1].startswith('-') and not tok.startswith('-'):
                out.pop()
            continue
        for n in names:
            tok = tok.replace('{%s}' % n, str(values[n]))
        out.append(tok)
    return out


class Proc:
    """A started program in a session of its own; stop() always ends it."""
    def __init__(self, run, argv, env=None, cwd=None):
        self.dir = run.mkdir()
        self.argv = argv
        self.out_path = os.path.join(self.dir, 'stdout')
        self.err_path = os.path.join(self.dir, 'stderr')
        e = dict(run.env)
        e.update(env or {})
        # However this run ends, what it has started ends with it.
        argv = ['setpriv', '--pdeathsig', 'KILL', '--'] + argv if shutil.which('setpriv') else argv
        with open(self.out_path, 'wb') as o, open(self.err_path, 'wb') as x:
            self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=o, stderr=x, env=e,
                                      cwd=cwd or self.dir, start_new_session=True)
        self.pid = self.p.pid
        run.procs.append(self)

    def alive(self):
        return self.p.poll() is None

    def signal(self, sig):
        os.kill(self.pid, sig)

    def wait(self, timeout):
        """Exit code, or None when still running after the timeout."""
        try:
            return self.p.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def _group(self, sig):
        try:
            os.killpg(self.pid, sig)
        except (ProcessLookupError, PermissionError):
            pass

    def stop(self):
        if self.alive():
            self._group(signal.SIGTERM)
            if self.wait(1.5) is None:
                self._group(signal.SIGKILL)
                self.wait(5)
        self._group(signal.SIGKILL)     # forked children that outlived their parent

    def stdout(self):
        with open(self.out_path, 'rb') as f:
            return f.read().decode('utf-8', 'replace')

    def stderr(self):
        with open(self.err_path, 'rb') as f:
            return f.read().decode('utf-8', 'replace')


class Server(Proc):
    def __init__(self, run, template, config=None, extra=(), omit=(), env=None, prefix=(),
                 spool=None, port=None, spool_exists=True, host='127.0.0.1', files_cwd=None):
        self.port = port or run.ports.take()
        base = run.mkdir()
        self.spool = spool or os.path.join(base, 'spool')
        self.host = host
        if spool_exists and not os.path.isdir(self.spool):
            os.mkdir(self.spool)
        self.config_path = os.path.join(base, 'config.yaml')
        data = to_yaml({} if config is None else config)
        if not data:
            data = 'x_unused: 1\n'
        with open(self.config_path, 'wb') as f:
            f.write(data.encode('utf-8') if isinstance(data, str) else data)
        argv = list(prefix) + fill(template, {'port': self.port, 'config': self.config_path, 'spool': self.spool},
                                   omit) + [str(x) for x in extra]
        super().__init__(run, argv, env, files_cwd)

    def wait_ready(self, port=None, host=None, timeout=START_TIMEOUT):
        end = time.time() + timeout
        while time.time() < end:
            if not self.alive():
                return False
            r = request(port or self.port, 'GET', '/status', host=host or self.host, timeout=2)
            if r.status == 200:
                return True
            time.sleep(0.03)
        return False

    # requests
    def req(self, method, path, headers=(), body=None, **kw):
        kw.setdefault('host', self.host)
        return request(kw.pop('port', self.port), method, path, headers, body, **kw)

    def get(self, path, headers=(), **kw):
        return self.req('GET', path, headers, **kw)

    def post(self, path, form=None, headers=(), **kw):
        headers = list(headers.items()) if isinstance(headers, dict) else list(headers)
        if not any(k.lower() == 'content-type' for k, _ in headers):
            headers.append(('Content-Type', 'application/x-www-form-urlencoded'))
        return self.req('POST', path, headers, body='' if form is None else form, **kw)

    # spool files
    def spool_path(self, name):
        return os.path.join(self.spool, name)

    def write_spool(self, name, content):
        if isinstance(content, dict):
            content = json.dumps(content)
        if isinstance(content, str):
            content = content.encode('utf-8')
        tmp = os.path.join(os.path.dirname(self.config_path), '.new')
        with open(tmp, 'wb') as f:
            f.write(content)
        os.rename(tmp, self.spool_path(name))

    def has_spool(self, name):
        return os.path.lexists(self.spool_path(name))

    def read_spool(self, name):
        return read_json(self.spool_path(name))

    def cache_stats(self):
        return self.get('/status').json().get('cache', {})


class CliResult:
    def __init__(self, label, rc, out, err):
        self.label, self.rc, self.out, self.err = label, rc, out, err


# ---------------------------------------------------------------------- run

class Run:
    def __init__(self, opts):
        self.opts = opts
        self.ports = Ports()
        self.root = tempfile.mkdtemp(prefix='hcconf-')
        os.chmod(self.root, 0o755)
        self.n = 0
        self.procs = []
        self.shared = {}
        self.memo = {}
        self.closers = []
        self.env = {k: v for k, v in os.environ.items()
                    if k not in ('SUDO_USER', 'SSH_USER') and not k.lower().endswith('_proxy')}
        self.env.update({'LC_ALL': 'C.UTF-8', 'PYTHONUNBUFFERED': '1'})
        self.closed = False
        atexit.register(self.close)

    def mkdir(self):
        self.n += 1
        d = os.path.join(self.root, 'd%04d' % self.n)
        os.mkdir(d)
        return d

    def close(self):
        if self.closed:
            return
        self.closed = True
        for f in reversed(self.closers):
            try:
                f()
            except Exception:
                pass
        for p in reversed(self.procs):
            try:
                p.stop()
            except Exception:
                pass
        shutil.rmtree(self.root, ignore_errors=True)


class Ctx:
    """What a case gets: servers, fakes, CLI, checks."""
    def __init__(self, run, case):
        self.run, self.case = run, case
        self.checks = []
        self.cleanup = []
        self.n = 0

    # ------- checks
    def _rec(self, ok, request_label, expected, got):
        self.checks.append({'ok': bool(ok), 'request': str(request_label), 'expected': expected, 'got': got})
        return ok

    def eq(self, label, got, want):
        return self._rec(got == want, label, repr(want), repr(got)[:600])

    def ok(self, label, cond, want, got=''):
        return self._rec(cond, label, want, repr(got)[:600])

    def match(self, label, got, regex, flags=0):
        return self._rec(isinstance(got, str) and re.search(r'\A(?:%s)\Z' % regex, got, flags | re.S) is not None,
                         label, 're:' + regex, repr(got)[:600])

    def resp(self, r, status=None, body=None, body_re=None, header=None, no_header=None, over=None):
        """Compare a response; status may be a value, a tuple of values, or '5xx'."""
        exp, got, ok = [], [], True
        if status is not None:
            if status == '5xx':
                ok &= isinstance(r.status, int) and 500 <= r.status <= 599
            elif isinstance(status, tuple):
                ok &= r.status in status
            else:
                ok &= r.status == status
            exp.append('status=%s' % (status,))
            got.append('status=%s' % (r.status,))
        if body is not None:
            want = body.encode('utf-8') if isinstance(body, str) else body
            ok &= r.body == want
            exp.append('body=%r' % want[:300])
        if body_re is not None:
            ok &= re.search(r'\A(?:%s)\Z' % body_re, r.text, re.S) is not None
            exp.append('body~/%s/' % body_re)
        if body is not None or body_re is not None or not ok:
            got.append('body=%r' % r.body[:300])
        for k, rx in (header or {}).items():
            v = r.headers.get(k.lower())
            ok &= v is not None and re.search(r'\A(?:%s)\Z' % rx, v) is not None
            exp.append('%s~/%s/' % (k, rx))
            got.append('%s=%r' % (k, v))
        for k in (no_header or ()):
            ok &= k.lower() not in r.headers
            exp.append('no %s' % k)
            got.append('%s=%r' % (k, r.headers.get(k.lower())))
        if over is not None:
            ok &= r.seconds > over
            exp.append('in >%ss' % over)
            got.append('%.2fs' % r.seconds)
        return self._rec(ok, r.label, '; '.join(exp), '; '.join(got))

    def cli_is(self, r, rc=None, out=None, out_re=None, err_re=None, rc_not=None, lines=None):
        exp, got, ok = [], [], True
        if rc is not None:
            ok &= r.rc == rc
            exp.append('rc=%r' % rc)
        if rc_not is not None:
            ok &= r.rc != rc_not and r.rc is not None
            exp.append('rc!=%r' % rc_not)
        got.append('rc=%r' % r.rc)
        if out is not None:
            ok &= r.out == out
            exp.append('stdout=%r' % out)
        if out_re is not None:
            ok &= re.search(r'\A(?:%s)\Z' % out_re, r.out, re.S) is not None
            exp.append('stdout~/%s/' % out_re)
        if lines is not None:
            ok &= sorted(r.out.splitlines()) == sorted(lines)
            exp.append('stdout lines (any order)=%r' % sorted(lines))
        if out is not None or out_re is not None or lines is not None:
            got.append('stdout=%r' % r.out[:400])
        if err_re is not None:
            ok &= re.search(err_re, r.err, re.S | re.I) is not None
            exp.append('stderr has /%s/' % err_re)
            got.append('stderr=%r' % r.err[-300:])
        return self._rec(ok, r.label, '; '.join(exp), '; '.join(got))

    # ------- things
    def svc(self, suffix=''):
        """A service name nobody else uses in this run."""
        self.n += 1
        return 't%d-%d%s' % (abs(hash_id(self.case.id)) % 10 ** 8, self.n, suffix)

    def port(self):
        return self.run.ports.take()

    def tmp(self):
        return self.run.mkdir()

    def server(self, config=None, fresh=False, tag='', **kw):
        """A running server. Shared between cases with equal settings unless fresh."""
        template = self.run.opts.server
        if config is None:
            config = {'healthcheck_timeout': 10}
        key = None
        if not fresh and not kw:
            key = (template, json.dumps(config, sort_keys=True) if isinstance(config, dict) else config, tag)
            s = self.run.shared.get(key)
            if s is not None and s.alive():
                return s
        s = Server(self.run, template, config, **kw)
        if key is None:
            self.cleanup.append(s.stop)
        if not s.wait_ready():
            s.stop()
            raise AssertionError('server did not answer GET /status: %r; stderr: %s' % (s.argv, s.stderr()[-400:]))
        if key is not None:
            self.run.shared[key] = s
        return s

    def spawn(self, config=None, **kw):
        """Start a server without waiting for it."""
        s = Server(self.run, self.run.opts.server, config, **kw)
        self.cleanup.append(s.stop)
        return s

    def keep(self, thing):
        self.cleanup.append(thing.stop)
        return thing

    def cli(self, name, *args, env=None, prefix=(), timeout=CLIENT_TIMEOUT):
        tmpl = getattr(self.run.opts, name)
        if not tmpl:
            raise Missing('--%s must be given' % name)
        argv = list(prefix) + shlex.split(tmpl) + [str(a) for a in args]
        e = dict(self.run.env)
        e.update(env or {})
        label = '%s %s' % (name, ' '.join(shlex.quote(str(a)) for a in args))
        try:
            p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=e, cwd=self.run.root, timeout=timeout)
        except subprocess.TimeoutExpired:
            return CliResult(label, None, '', 'timeout')
        return CliResult(label, p.returncode, p.stdout.decode('utf-8', 'replace'), p.stderr.decode('utf-8', 'replace'))

    def spool_dir(self):
        d = os.path.join(self.run.mkdir(), 'spool')
        os.mkdir(d)
        return d

    def memo(self, key, make):
        """Once per run, e.g. an expensive real daemon. That it cannot be had is remembered."""
        if key not in self.run.memo:
            try:
                self.run.memo[key] = make()
            except (Skip, Missing) as e:
                self.run.memo[key] = e
        v = self.run.memo[key]
        if isinstance(v, (Skip, Missing)):
            raise v
        return v

    def parallel(self, funcs):
        out = [None] * len(funcs)

        def go(i):
            out[i] = funcs[i]()
        ts = [threading.Thread(target=go, args=(i,), daemon=True) for i in range(len(funcs))]
        for t in ts:
            t.start()
        for t in ts:
            t.join(2 * CLIENT_TIMEOUT)
        return out

    def wait_for(self, cond, timeout=CLIENT_TIMEOUT, step=0.02):
        end = time.time() + timeout
        while time.time() < end:
            if cond():
                return True
            time.sleep(step)
        return bool(cond())

    def finish(self):
        for f in reversed(self.cleanup):
            try:
                f()
            except Exception:
                pass


def hash_id(s):
    h = 5381
    for ch in s:
        h = (h * 33 + ord(ch)) & 0x7fffffff
    return h


def read_json(path):
    """The JSON object in a file; trouble is shown as an object too, so that comparisons fail readably."""
    try:
        with io.open(path, encoding='utf-8') as f:
            j = json.load(f)
    except OSError:
        return {'_trouble': 'no such file'}
    except ValueError:
        return {'_trouble': 'not JSON'}
    return j if isinstance(j, dict) else {'_trouble': 'not an object', 'value': j}


def put(path, content):
    with open(path, 'wb') as f:
        f.write(content if isinstance(content, bytes) else
                (json.dumps(content) if isinstance(content, dict) else content).encode('utf-8'))
