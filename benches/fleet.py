#!/usr/bin/env python3
"""What a fleet costs: `hacheck fleet` with many hosts, and a host that is in a fleet beside one that is in none.

On a real etcd of three members on loopback (Debian: etcd-server); benches/run prints the same where etcd is installed.
"""
import argparse
import base64
import concurrent.futures
import glob
import json
import os
import resource
import shutil
import statistics
import subprocess
import time

import peers

MEMBERS = 3

# The keys of the fleet.
ROOT = '/hacheck/v1/bench'

# Keys in one transaction; etcd takes 128.
KEYS = 100


class Etcd:
    """A cluster, and what is written to it."""
    def __init__(self, b):
        self.clients, members = ([peers.free_port() for _ in range(MEMBERS)] for _ in range(2))
        cluster = ','.join('m%d=http://127.0.0.1:%d' % pair for pair in enumerate(members))
        running = []
        for n, (client, member) in enumerate(zip(self.clients, members)):
            own, peer = 'http://127.0.0.1:%d' % client, 'http://127.0.0.1:%d' % member
            argv = ['etcd', '--name', 'm%d' % n, '--data-dir', os.path.join(b.folder, 'etcd-%d' % client), '--initial-cluster', cluster,
                    '--listen-client-urls', own, '--advertise-client-urls', own, '--listen-peer-urls', peer,
                    '--initial-advertise-peer-urls', peer]
            # A member listens once it has a leader, so all are to be started first.
            running.append(b.spawn(argv))
        for port, p in zip(self.clients, running):
            peers.wait_for(port, p)
        self.call('kv/range', {'key': text(ROOT)})

    def call(self, path, body):
        return peers.post(self.clients[0], '/v3/' + path, json.dumps(body).encode(), 60)

    def put(self, pairs):
        """Writes keys below the fleet's, many at once."""
        ops = [{'requestPut': {'key': text('%s/%s' % (ROOT, key)), 'value': text(json.dumps(value))}} for key, value in pairs]
        parts = [ops[at:at + KEYS] for at in range(0, len(ops), KEYS)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda part: self.call('kv/txn', {'success': part}), parts))

    def fleet_yml(self, b, more=''):
        endpoints = ', '.join('http://127.0.0.1:%d' % port for port in self.clients)
        return b.file('fleet-%d.yml' % len(os.listdir(b.folder)), 'fleet: bench\nendpoints: [%s]\n%s' % (endpoints, more))

    def host(self, name):
        """What a host says of itself; None while it has said nothing."""
        found = json.loads(self.call('kv/range', {'key': text('%s/hosts/%s' % (ROOT, name))}))
        return found.get('kvs')


def text(value):
    return base64.b64encode(value.encode()).decode()


def figures(b, o):
    if not shutil.which('etcd'):
        return {'fleet': 'not measured: there is no etcd'}
    etcd = Etcd(b)
    out = agent(b, o, etcd)
    out.update(picture(b, o, etcd))
    return out


def picture(b, o, etcd):
    """Whole processes that read a fleet of hosts, of which some are down, and print it."""
    count = 10000 // o.divide
    etcd.put(hosts(count))
    etcd.put(downtimes(count // 100))
    named = ['--fleet-file', etcd.fleet_yml(b)]
    commands = {'hacheck fleet': ['fleet'] + named, 'hacheck fleet -o json': ['fleet', '-o', 'json'] + named,
                'hastatus --fleet': ['status', '--fleet', 'web'] + named}
    out = {}
    for name, argv in commands.items():
        walls, cpus = times([b.hacheck_binary] + argv, 5 if o.quick else 20)
        out['%s of %d hosts, ms: least, median, most' % (name, count)] = '%.0f %.0f %.0f' % (min(walls), statistics.median(walls), max(walls))
        out['%s of %d hosts, ms of its own CPU' % (name, count)] = round(statistics.median(cpus))
    return out


def times(argv, rounds):
    """Milliseconds from begin to end, and of CPU, for each round."""
    walls, cpus = [], []
    for _ in range(rounds):
        start, before = time.perf_counter(), used()
        ran = subprocess.run(argv, capture_output=True)
        walls.append((time.perf_counter() - start) * 1000)
        cpus.append((used() - before) * 1000)
        # hastatus says by 1 that something is down.
        if ran.returncode not in (0, 1) or not ran.stdout:
            raise RuntimeError('%s: %s' % (argv, ran.stderr.decode()))
    return walls, cpus


def used():
    """CPU time of the commands that have ended, in seconds."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def hosts(count):
    for n in range(count):
        name = 'web%05d' % n
        yield 'hosts/' + name, {'v': 1, 'host': name, 'address': '10.0.%d.%d' % (n // 250, n % 250 + 1), 'port': 3333,
                                'tags': {'zone': 'abc'[n % 3], 'cluster': 'blue'}, 'services': ['api', 'web'],
                                'version': '1.0.0', 'rev': 4711, 'held': {}, 'waived': {}, 'since': 1795600000}
        yield 'alive/' + name, {'machine': 'm%d' % n, 'boot': 'b', 'pid': 1}


def downtimes(count):
    for n in range(count):
        yield 'down/web%05d/web' % n, {'v': 1, 'since': 1795632137.0, 'reason': 'new disk', 'by': 'alice', 'origin': 'local',
                                       'pollers': 3, 'acted': 3, 'sessions': 0}


def agent(b, o, etcd):
    """CPU and memory of a daemon in a fleet and of one in none, both idle, at the same time."""
    seconds = 10 if o.quick else 60
    more = 'host: idle\nstate_dir: %s\nservices: [web]\n' % os.path.join(b.folder, 'state')
    _, alone = b.hacheck()
    _, member = b.hacheck('fleet_file: ' + etcd.fleet_yml(b, more))
    end = time.monotonic() + 30
    while not etcd.host('idle'):
        if time.monotonic() > end:
            raise RuntimeError('the host does not report')
        time.sleep(0.05)
    # What is done at the start is no part of a minute.
    time.sleep(3)
    daemons = {'without a fleet': alone, 'in a fleet': member}
    before = {name: busy(p) for name, p in daemons.items()}
    time.sleep(seconds)
    out = {}
    for name, p in daemons.items():
        spent = (busy(p) - before[name]) * 60 / seconds
        out['CPU of an idle daemon %s, ms a minute' % name] = round(spent * 1000, 1)
    for name, p in daemons.items():
        out['RSS of an idle daemon %s, bytes' % name] = peers.memory(p)
        out['threads of a daemon %s' % name] = len(os.listdir('/proc/%d/task' % p.pid))
        b.stop(p)
    return out


def busy(process):
    """CPU time of all threads so far, in seconds: to the nanosecond, as ticks of 10 ms are more than a minute costs."""
    total = 0
    for path in glob.glob('/proc/%d/task/*/schedstat' % process.pid):
        with open(path) as f:
            total += int(f.read().split()[0])
    return total / 1e9


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--quick', action='store_true', help='at a tenth of the scale: does it work?')
    p.add_argument('--binary', default=os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'target/release/hacheck'),
                   help='the hacheck that is measured')
    o = p.parse_args()
    o.divide = 10 if o.quick else 1
    b = peers.Bench(o.binary, None, None)
    try:
        for name, value in figures(b, o).items():
            print('%-60s %20s' % (name, value))
    finally:
        b.close()


if __name__ == '__main__':
    main()
