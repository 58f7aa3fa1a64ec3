"""Real balancers, each with its configuration of docs/balancers.md."""
import os, pathlib, shutil

import guest, lib
from hosts import Site, block, rolls
from lib import Skipped, case, fail, main, start, wait_for


def program(name):
    """A program of Debian, or one that tests/balancers/run has put into HACHECK_BALANCERS."""
    folder = os.environ.get("HACHECK_BALANCERS", "")
    pinned = pathlib.Path(folder or "/nonexistent") / "bin" / name
    found = str(pinned) if pinned.exists() else shutil.which(name)
    if not found:
        raise Skipped(f"SKIP {name} is not installed: tests/balancers/run installs it")
    return found


def running(site, *argv, **kw):
    """Starts a balancer and waits until it sends to both hosts."""
    log = open(site.folder / "balancer.log", "wb")
    process = start(argv, stdout=log, stderr=log, **kw)
    site.answers()
    return process


@case
def haproxy():
    site = Site()
    backend = site.text(block("HAProxy", "haproxy"))
    config = f"{backend}\nfrontend front\n    bind 127.0.0.1:{site.port}\n    default_backend web\n"
    config = config.replace("backend web", "defaults\n    mode http\n    timeout connect 2s\n    timeout client 10s\n    timeout server 10s\n\nbackend web", 1)
    running(site, program("haproxy"), "-db", "-f", site.write("haproxy.cfg", config))
    site.is_polled()
    rolls(site)


@case
def caddy():
    site = Site()
    options = "{\n\tadmin off\n\tauto_https off\n}\n"
    file = site.write("Caddyfile", options + site.text(block("Caddy", "caddy")))
    running(site, program("caddy"), "run", "--adapter", "caddyfile", "--config", file, env={"HOME": str(site.folder), "XDG_DATA_HOME": str(site.folder)})
    site.is_polled()
    rolls(site)


@case
def traefik():
    site = Site()
    dynamic = site.write("dynamic.yml", site.text(block("Traefik", "yaml")))
    file = site.write("traefik.yml", f"""global: {{checkNewVersion: false, sendAnonymousUsage: false}}
entryPoints: {{web: {{address: "127.0.0.1:{site.port}"}}}}
providers: {{file: {{filename: {dynamic}}}}}
""")
    running(site, program("traefik"), f"--configFile={file}")
    site.is_polled()
    rolls(site)


@case
def envoy():
    site = Site()
    clusters = "\n".join("  " + line for line in site.text(block("Envoy", "yaml")).splitlines())
    file = site.write("envoy.yaml", f"""static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {site.port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          route_config:
            virtual_hosts:
            - {{name: all, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: web}}}}]}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
{clusters}
""")
    running(site, program("envoy"), "-c", file, "--concurrency", "1", "--use-dynamic-base-id")
    site.is_polled()
    rolls(site)


@case
def varnish():
    site = Site()
    file = site.write("web.vcl", site.text(block("Varnish", "vcl")))
    running(site, program("varnishd"), "-F", "-n", site.folder / "varnish", "-a", f"127.0.0.1:{site.port}", "-f", file, "-s", "malloc,16m")
    site.is_polled()
    rolls(site)


def nginx_config(site, name, inside):
    folder = site.folder
    temporary = "".join(f"{kind}_temp_path {folder}/{name}-{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return site.write(name, f"""daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log info;
events {{ worker_connections 512; }}
http {{ access_log off; {temporary}
{inside}
}}
""")


NGINX = "nginx, and others without active checks"


@case
def nginx_with_files_on_each_host():
    nginx = program("nginx")
    site = Site()
    for number, host in enumerate((site.one, site.two), 1):
        # On each host nginx stands at the port that the balancer knows, and the service behind it.
        text = block(NGINX, "nginx", 0).replace("10.0.0.11", host.address).replace("/var/spool/hacheck", str(host.spool))
        inner = lib.free_port()
        text = text.replace("127.0.0.1:8081", f"{host.address}:{host.service_port}").replace("8080", str(inner))
        start([nginx, "-p", site.folder, "-c", nginx_config(site, f"host{number}.conf", text)])
        host.inner = inner
    front = block(NGINX, "nginx", 1).replace("10.0.0.11:8080", f"127.0.0.1:{site.one.inner}").replace("10.0.0.12:8080", f"127.0.0.2:{site.two.inner}")
    running(site, nginx, "-p", site.folder, "-c", nginx_config(site, "front.conf", front.replace("listen 8000", f"listen 127.0.0.1:{site.port}")))
    rolls(site, waits=False)
    # A downtime that ends by itself, which nobody polls: its file vanishes.
    done = site.one.tool("hadown", "--for", "2s", "-r", "short", "web")
    if done.code != 0 or not wait_for(lambda: not (site.one.spool / "web").exists(), 10):
        fail("the file of the downtime vanishes within a second of its end", done)


@case
def nginx_with_groups_on_the_balancer():
    nginx = program("nginx")
    site = Site()
    included = site.folder / "included"
    included.mkdir()
    front = block(NGINX, "nginx", 2).replace("/etc/nginx/hacheck", str(included)).replace("listen 8000", f"listen 127.0.0.1:{site.port}")
    config = nginx_config(site, "front.conf", front)
    script = block(NGINX, "shell").replace("/etc/nginx/hacheck", str(included))
    script = site.write("hacheck-nginx", script.replace("nginx -s reload", f"{nginx} -p {site.folder} -c {config} -s reload"))
    script.chmod(0o755)
    for number, host in enumerate((site.one, site.two), 1):
        (included / f"web0{number}.conf").write_text(f"server {host.address}:{host.service_port};\n")
    groups = site.text(block(NGINX, "yaml")).replace("/usr/local/sbin/hacheck-nginx", str(script)).replace("every: 2", "every: 1")
    running(site, nginx, "-p", site.folder, "-c", config)
    on_balancer = lib.Daemon(groups)
    wait_for(lambda: on_balancer.get("/group/web01/0/").status == 200, 20)
    site.is_polled()
    rolls(site)


def with_ipvs(name):
    """A case of ipvs.py: only few kernels have IPVS, so it gets one of its own."""
    program("keepalived")
    program("ip")
    guest.runs_case("ipvs.py", name)


@case
def keepalived():
    with_ipvs("keepalived")


@case
def keepalived_lets_connections_end():
    with_ipvs("keepalived_lets_connections_end")


@case
def keepalived_takes_a_server_out_after_its_retries():
    with_ipvs("keepalived_takes_a_server_out_after_its_retries")


if __name__ == "__main__":
    main()
