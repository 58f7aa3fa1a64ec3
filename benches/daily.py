"""What a host lives through, as figures: how long polls take below the highest rate, what a day costs, how late --wait returns, what a
flood leaves behind, and what the replaced tool did."""
import json
import os
import re
import socket
import statistics
import subprocess
import time

import peers


def figures(b, o, wrk):
    out = {}
    out.update(percentiles(b, o, wrk))
    out.update(day(b, o))
    out.update(flood(b, o))
    out.update(wait(b, o))
    if o.yelp:
        out.update(replaced(b, o, wrk))
    return out


def rate(b, port, per_second, seconds, kind, path, services=1):
    """Asks at a steady rate; the answers' times count from when each request was due."""
    argv = [b.rate_binary] + [str(a) for a in (port, int(per_second), seconds, kind, path, services)]
    found = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    # On a busy machine the load generator may not keep its rate: then the times say nothing, and the run goes on.
    found['missed'] = max(0, int(per_second) * seconds - found['answered'])
    return found


def percentiles(b, o, wrk):
    """Times of polls at 70 % of hacheck's highest rate, for hacheck and bare hyper in turn: each the median of its rounds."""
    hc, _ = b.hacheck('max_connections: 20000\nmax_connections_per_address: 20000')
    bare, _ = b.bare()
    out = {}
    for kind in ('close', 'kept'):
        highest = wrk(hc, '/spool/web/80', o.seconds, close=kind == 'close')
        # The load generator has a core of its own, and is slower than wrk.
        asked = min(highest * 0.7, 30000)
        found = {'hacheck': [], 'bare hyper': []}
        for _ in range(o.rounds):
            found['hacheck'].append(rate(b, hc, asked, o.seconds, kind, '/spool/web/80'))
            found['bare hyper'].append(rate(b, bare, asked, o.seconds, kind, '/'))
        name = {'close': 'new connections', 'kept': 'kept connections'}[kind]
        out['%s, polls a second asked for' % name] = int(asked)
        missed = [sum(f['missed'] for f in found[server]) for server in found]
        out['%s, polls without an answer: hacheck, bare hyper' % name] = '%d %d' % tuple(missed)
        for share in ('p50', 'p99', 'p999'):
            medians = [statistics.median(f[share] for f in found[server]) for server in found]
            ratio = statistics.median(h[share] / max(1, f[share]) for h, f in zip(found['hacheck'], found['bare hyper']))
            out['%s, %s, us: hacheck, bare hyper, ratio' % (name, share)] = '%d %d %.2f' % (*medians, ratio)
    return out


def day(b, o):
    """Two balancers that ask for 500 services every two seconds, whose results expire in between as by default; and what asking
    costs a server that has nothing to find out."""
    upstream, _ = b.bare()
    servers = {'hacheck': b.hacheck(), 'bare hyper': b.bare()}
    path = '/http/service%%/%d/health' % upstream
    seconds = 6 if o.quick else 60
    share = {}
    for server, (port, process) in servers.items():
        rate(b, port, 500, 2, 'close', path, 500)
        before = peers.cpu(process)
        rate(b, port, 500, seconds, 'close', path, 500)
        share[server] = 100 * (peers.cpu(process) - before) / seconds
    name = 'CPU with 500 services under two balancers at 2 s, % of a core: hacheck, bare hyper'
    return {name: '%.2f %.2f' % (share['hacheck'], share['bare hyper'])}


def flood(b, o):
    """Memory before, while and after clients hold half requests."""
    hc, p = b.hacheck('max_connections: 30000\nmax_connections_per_address: 30000\nheader_timeout: 5')
    peers.get(hc, '/spool/web/80')
    out = {'RSS before a flood, bytes': peers.memory(p)}
    held = []
    for _ in range(10000 // o.divide):
        k = socket.create_connection(('127.0.0.1', hc))
        k.sendall(b'GET /spool/web/80 HTTP/1.1\r\nX: ' + b'x' * 4000)
        held.append(k)
    out['RSS with %d half requests, bytes' % len(held)] = peers.memory(p)
    for k in held:
        k.close()
    time.sleep(5)
    peers.get(hc, '/spool/web/80')
    out['RSS 5 s after the flood, bytes'] = peers.memory(p)
    return out


HAPROXY = '''
global
 node lb1
 log 127.0.0.1:%d local0
defaults
 mode http
 log global
 timeout client 10s
 timeout connect 1s
 timeout server 10s
frontend f
 bind 127.0.0.1:%d
 default_backend b
backend b
 option httpchk GET /spool/web/80/status
 http-check send-state
 server web 127.0.0.1:9 check port %d inter %dms fall 3 rise 2
'''


def wait(b, o):
    """How long after HAProxy has taken the server out `hadown --wait` returns, and `haup --wait` after it is back, in its intervals."""
    interval, front = 500, peers.free_port()
    hc, _ = b.hacheck('log_level: "off"', spool=b.spool('wait', 0))
    log = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    log.bind(('127.0.0.1', 0))
    log.settimeout(30)
    conf = b.file('wait.cfg', HAPROXY % (log.getsockname()[1], front, hc, interval))
    b.start(['haproxy', '-db', '-f', conf], front)
    late = []
    for _ in range(2 if o.quick else 10):
        for command, state in (('down', 'DOWN'), ('up', 'UP')):
            argv = [b.hacheck_binary, command, '-p', str(hc), '--spool-root', os.path.join(b.folder, 'wait'), '--wait', '--force',
                    '--min-pollers', '1', 'web']
            running = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            acted = None
            while acted is None:
                line = log.recv(4096).decode(errors='replace')
                if re.search(r'Server b/web is %s' % state, line):
                    acted = time.monotonic()
            said = running.stderr.read()
            if running.wait(60) != 0:
                raise RuntimeError('%s: %s' % (argv, said.decode()))
            late.append((time.monotonic() - acted) * 1000 / interval)
    return {'--wait returns after HAProxy has acted, in intervals: least, median, most':
            '%.2f %.2f %.2f' % (min(late), statistics.median(late), max(late))}


def replaced(b, o, wrk):
    """Yelp's hacheck 0.17 under the load of the rows of the same names."""
    port = peers.free_port()
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([o.yelp] + [f for f in [o.yelp_packages] if f]))
    argv = [o.python, '-c', 'import sys; from hacheck.main import main; sys.exit(main())', '-p', str(port), '--spool-root',
            b.spool('yelp', 0)]
    p = b.start(argv, port, env=env)
    upstream, _ = b.bare()
    hc, _ = b.hacheck()
    out = {}
    for name, path in (('spool', '/spool/web/80/status'), ('cached http', '/http/web/%d/health' % upstream)):
        pairs = [[wrk(server, path, o.seconds, close=True) for server in (hc, port)] for _ in range(o.rounds)]
        rates = [statistics.median(pair[i] for pair in pairs) for i in (0, 1)]
        ratio = statistics.median(a / b for a, b in pairs)
        out["%s, new connection, req/s: hacheck, Yelp's hacheck, ratio" % name] = '%d %d %.1f' % (*rates, ratio)
    out["RSS of Yelp's hacheck, bytes"] = peers.memory(p)
    return out
