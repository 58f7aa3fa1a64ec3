#!/usr/bin/env python3
"""Runs the conformance cases against a hacheck-compatible implementation. See README.md."""
import argparse
import importlib.util
import os
import signal
import sys
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from lib import harness  # noqa: E402


def load():
    d = os.path.join(HERE, 'cases')
    for f in sorted(os.listdir(d)):
        if f.endswith('.py'):
            spec = importlib.util.spec_from_file_location('cases_' + f[:-3], os.path.join(d, f))
            mod = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(mod)


def run_case(run, case):
    """Runs one, prints a line for each of its checks that failed, and gives its result."""
    c = harness.Ctx(run, case)
    start = time.time()
    note = None
    try:
        case.func(c)
        if not c.checks:
            note = 'the case made no check'
    except harness.Skip as e:
        print('SKIP   %s: %s' % (case.id, e))
        return 'skipped'
    except harness.Missing as e:
        note = str(e)
    except Exception as e:
        note = '%s: %s' % (type(e).__name__, e)
        if run.opts.verbose:
            traceback.print_exc()
    finally:
        c.finish()
    if note:
        print('FAIL   %s | %s' % (case.id, note.replace('\n', '\\n')))
    for x in c.checks:
        if not x['ok']:
            print('FAIL   %s | %s | expected %s | got %s' % (case.id, x['request'], x['expected'], x['got']))
    if note or not all(x['ok'] for x in c.checks):
        return 'failed'
    if run.opts.verbose:
        print('ok     %s (%.2fs)' % (case.id, time.time() - start))
    return 'passed'


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--server', help='command template, e.g. "prog -c {config} -p {port} --spool-root {spool}"')
    for n in ('haup', 'hadown', 'hastatus', 'halist', 'hashowdowned'):
        p.add_argument('--' + n, help='command prefix of %s' % n)
    p.add_argument('--area', action='append', default=[], help='only this file of cases (repeat for more)')
    p.add_argument('-k', action='append', default=[], help='only ids that contain this (repeat for more)')
    p.add_argument('--list', action='store_true', help='list the cases and stop')
    p.add_argument('-v', '--verbose', action='store_true')
    opts = p.parse_args()

    load()
    cases = sorted(harness.REGISTRY, key=lambda c: (c.area, c.id))
    if opts.area:
        cases = [c for c in cases if c.area in opts.area]
    if opts.k:
        cases = [c for c in cases if any(k in c.id for k in opts.k)]
    if opts.list:
        for c in cases:
            print('%-44s %s' % (c.id, c.desc))
        return 0
    if not opts.server:
        p.error('--server is needed')
    if not cases:
        p.error('no case is called so; --list shows them')

    run = harness.Run(opts)

    def bail(signum, frame):
        run.close()
        os._exit(128 + signum)
    signal.signal(signal.SIGTERM, bail)
    signal.signal(signal.SIGINT, bail)

    count = {'passed': 0, 'failed': 0, 'skipped': 0}
    try:
        for c in cases:
            count[run_case(run, c)] += 1
            sys.stdout.flush()
    finally:
        run.close()
    print('%(passed)d passed, %(failed)d failed, %(skipped)d skipped' % count)
    return 1 if count['failed'] else 0


if __name__ == '__main__':
    sys.exit(main())
