"""The servers that are measured, each on a free loopback port, in a folder of the run's own, ended by pid."""
import os
import resource
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(port, process, deadline=20):
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError('%s ended with %s' % (process.args, process.returncode))
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return
        except OSError:
            time.sleep(0.001)
    raise RuntimeError('%s does not listen on %d' % (process.args, port))


def raise_files(wanted):
    """Raises the limit of open files, for all that is started too, as far as that is allowed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit in (wanted, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, max(limit, hard)))
            return limit
        except (ValueError, OSError):
            pass
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Bench:
    """What a run starts and ends."""
    def __init__(self, hacheck, bare, rate):
        self.hacheck_binary, self.bare_binary, self.rate_binary = hacheck, bare, rate
        self.folder = tempfile.mkdtemp(prefix='hacheck-bench-')
        self.files = raise_files(65536)
        self.running = []

    def spawn(self, argv, **kw):
        p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kw)
        self.running.append(p)
        return p

    def start(self, argv, port, **kw):
        p = self.spawn(argv, **kw)
        wait_for(port, p)
        return p

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process in self.running:
            self.running.remove(process)

    def close(self):
        for p in list(self.running):
            self.stop(p)
        subprocess.run(['rm', '-rf', self.folder], check=False)

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w') as f:
            f.write(text)
        return path

    def spool(self, name, files):
        """A spool folder with so many downtimes, none of them for a service that is asked for."""
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        for i in range(files):
            with open(os.path.join(path, 'down%d' % i), 'w') as f:
                f.write('{"reason": "bench", "expiration": null, "creation": 1.0}')
        return path

    def hacheck(self, config='', threads=1, spool=None):
        port = free_port()
        path = self.file('hacheck-%d.yml' % port, config + '\nlog_level: "off"\n')
        argv = [self.hacheck_binary, '-c', path, '-p', str(port), '-B', '127.0.0.1', '-n', str(threads),
                '--spool-root', spool or self.spool('spool-%d' % port, 0)]
        return port, self.start(argv, port)

    def bare(self, threads=1, shared=False):
        port = free_port()
        return port, self.start([self.bare_binary, str(port), str(threads)] + ['shared'] * shared, port)

    def nginx(self, upstream, workers=1):
        """nginx with `return 200` at / and `proxy_pass` without kept connections at /proxy/."""
        port = free_port()
        d = os.path.join(self.folder, 'nginx-%d' % port)
        os.mkdir(d)
        conf = self.file('nginx-%d.conf' % port, '''
daemon off; worker_processes %d; pid %s/pid; error_log /dev/null; %s
events { worker_connections 4096; }
http { access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p; fastcgi_temp_path %s/f; uwsgi_temp_path %s/u;
  scgi_temp_path %s/s;
  server { listen 127.0.0.1:%d backlog=4096 reuseport;
    location / { default_type text/plain; return 200 "ok"; }
    location /proxy/ { proxy_pass http://127.0.0.1:%d/; } } }
''' % (workers, d, 'user root;' if os.geteuid() == 0 else '', d, d, d, d, d, port, upstream))
        return port, self.start(['nginx', '-c', conf, '-p', d], port)

    def certificate(self):
        """A certificate of this host and its key, as files."""
        cert, key = (os.path.join(self.folder, name) for name in ('cert.pem', 'key.pem'))
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                        '-days', '2', '-subj', '/CN=localhost', '-keyout', key, '-out', cert],
                       check=True, capture_output=True)
        return cert, key

    def hacheck_tls(self, cert, key):
        """hacheck; the port is that with TLS."""
        port = free_port()
        self.hacheck('listen_tls: [%d]\ntls_cert_file: %s\ntls_key_file: %s' % (port, cert, key))
        return port

    def nginx_modern(self, cert, key):
        """nginx with `return 200`: the ports with TLS, and with HTTP/2 in clear text."""
        tls, http2 = free_port(), free_port()
        d = os.path.join(self.folder, 'nginx-%d' % tls)
        os.mkdir(d)
        conf = self.file('nginx-%d.conf' % tls, '''
daemon off; worker_processes 1; pid %s/pid; error_log /dev/null; %s
events { worker_connections 4096; }
http { access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p; fastcgi_temp_path %s/f; uwsgi_temp_path %s/u;
  scgi_temp_path %s/s; ssl_certificate %s; ssl_certificate_key %s;
  server { listen 127.0.0.1:%d ssl backlog=4096 reuseport; listen 127.0.0.1:%d http2 backlog=4096 reuseport;
    location / { default_type text/plain; return 200 "ok"; } } }
''' % (d, 'user root;' if os.geteuid() == 0 else '', d, d, d, d, d, cert, key, tls, http2))
        self.start(['nginx', '-c', conf, '-p', d], tls)
        return tls, http2

    def haproxy(self, threads=1):
        port = free_port()
        conf = self.file('haproxy-%d.cfg' % port, '''
global
 nbthread %d
 maxconn 8000
defaults
 mode http
 timeout client 10s
 timeout connect 1s
 timeout server 10s
frontend f
 bind 127.0.0.1:%d backlog 4096
 http-request return status 200 content-type text/plain string ok
''' % (threads, port))
        return port, self.start(['haproxy', '-db', '-f', conf], port)


def get(port, path, timeout=5):
    with urllib.request.urlopen('http://127.0.0.1:%d%s' % (port, path), timeout=timeout) as r:
        return r.read()


def post(port, path, body, timeout=5):
    asked = urllib.request.Request('http://127.0.0.1:%d%s' % (port, path), body)
    with urllib.request.urlopen(asked, timeout=timeout) as r:
        return r.read()


def memory(process):
    """Resident memory, in bytes."""
    with open('/proc/%d/status' % process.pid) as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith('VmRSS'))


def cpu(process):
    """CPU time used so far, in seconds."""
    with open('/proc/%d/stat' % process.pid) as f:
        fields = f.read().rsplit(') ', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
