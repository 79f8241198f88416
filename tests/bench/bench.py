#!/usr/bin/python3
"""bench.py -- what requests and WebSockets cost, beside nginx, HAProxy and ourselves.

    make bench                             all scenarios
    make bench ARGS="get log --rounds 9"   some, more rounds
    make bench ARGS=rules                  those with rules: by host and path, header, query, ...
    make bench ARGS=ws                     those with WebSockets

Two programs answer the same load in turns (A B B A ...), each round is short, and what counts
is the CPU time of the whole process tree for each request, as a ratio within a round: wall time
lies on a shared machine, and CPU time drifts, but both drift for A and B alike. A row is met when
the median ratio, or that less its spread (half the range between the quartiles), is within the bound.
Rows with rules compare as many as a listener can be expected to have with ten, and say also what
a request costs without any.

Two rows have no peer. ws-idle: the growth of PSS by tunnels that have each carried an 8 KB echo, in
bytes for each. ws-pinged: the same tunnels held and pinged, in CPU time of a second, over 51 s each round.

Load and backend run on CPU 0, what is measured on CPU 1, one worker each, in a network namespace
of their own (root; without it, on this machine's loopback).
"""

import argparse
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CONNECTIONS = 64
FEW_RULES, MANY_RULES = 10, 10000
BACKEND_PORT, WS_BACKEND_PORT, FIRST_PORT = 17000, 17001, 17100
HELD = 9000  # idle tunnels
BLOCKS = 90000  # of the edge set
HOSTS = 1000  # targets of a group, of those scenarios that have many
BY_CHANCE = "load_balancing.algorithm.type = weighted_random"
HASHED = ("load_balancing.algorithm.type = consistent_hash\n"
          "load_balancing.consistent_hash.key = path")
PING_S = 25  # between pings of a tunnel, when it has any

ALB = """
[alb]
workers = 1
client_keep_alive.seconds = 86400
idle_timeout.timeout_seconds = 4000
max_connections = 19000
websocket.ping_interval = {ping}
access_logs.enabled = {log}
access_logs.file = {folder}/access-{port}.log
[edge]
{edge}
[listener main]
bind = 127.0.0.1:{port}
default_action = forward all
[target_group all]
{targets}
health_check.interval_seconds = 300
{group}
{rules}
"""

RULE = """
[rule r{n}]
listener = main
priority = {n}
{condition}
action = forward all
"""

NGINX = """
daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid {folder}/nginx.pid;
error_log {folder}/nginx.err warn;
events {{ worker_connections 19900; use epoll; }}
http {{
    access_log {log};
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    tcp_nodelay on; keepalive_timeout 300s; keepalive_requests 100000000; server_tokens off;
    upstream all {{ server 127.0.0.1:{backend}; keepalive 256; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://all; proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            {upgrade}
        }}
    }}
}}
"""

NGINX_UPGRADE = """proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
            proxy_read_timeout 3600s; proxy_send_timeout 3600s;"""

HAPROXY = """
global
    nbthread 1
    maxconn 9900
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 300s
    timeout tunnel 1h
    option forwardfor
    backlog 4096
frontend plain
    bind 127.0.0.1:{port}
    default_backend be
backend be
    server s1 127.0.0.1:{backend} maxconn 9900
"""


def tree(pid):
    """The process and all below it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
                parent = int(stat[stat.rindex(")") + 2:].split()[1])
                children.setdefault(parent, []).append(int(entry))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def cpu_s(pid):
    """Seconds of CPU time that all threads of the tree have had."""
    total = 0
    for each in tree(pid):
        for task in os.listdir(f"/proc/{each}/task"):
            with contextlib.suppress(OSError):
                total += int(pathlib.Path(f"/proc/{each}/task/{task}/schedstat").read_text().split()[0])
    return total / 1e9


def pss(pid):
    """Bytes of memory of the tree, what is shared divided among those who share."""
    total = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{each}/smaps_rollup").read_text()
            total += int(re.search(r"Pss:\s+(\d+)", text)[1]) * 1024
    return total


def wait_port(port, process):
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if process.poll() is not None:
            sys.exit(f"bench: {process.args} ended with {process.returncode}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return
        time.sleep(0.02)
    sys.exit(f"bench: nothing listens on port {port}: {process.args}")


class Bench:
    def __init__(self, binaries, folder, seconds):
        self.binaries, self.folder, self.seconds = binaries, folder, seconds
        self.processes = contextlib.ExitStack()
        self.ports = FIRST_PORT
        self.start(0, BACKEND_PORT, binaries / "bench-backend", str(BACKEND_PORT))
        self.start(0, WS_BACKEND_PORT, binaries / "bench-ws-backend", str(WS_BACKEND_PORT))

    def start(self, cpu, port, *command):
        log = open(self.folder / f"{port}.out", "w")
        process = subprocess.Popen(["taskset", "-c", str(cpu), *map(str, command)],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.callback(self._stop, process)
        wait_port(port, process)
        return process

    @staticmethod
    def _stop(process):
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
                return

    def _configure(self, name, text, **values):
        self.ports += 1
        path = self.folder / f"{name}-{self.ports}"
        values.setdefault("backend", BACKEND_PORT)
        path.write_text(text.format(port=self.ports, folder=self.folder, **values))
        return self.ports, path

    def alb(self, log="false", rules="", ping="0", edge="allow = any", group="",
            backend=BACKEND_PORT, hosts=1):
        """In front of so many targets, which are all the same backend."""
        targets = "\n".join(f"target = 127.0.{n // 250}.{1 + n % 250}:{backend}"
                            for n in range(hosts))
        port, path = self._configure("alb.ini", ALB, log=log, rules=rules, ping=ping, edge=edge,
                                     group=group, targets=targets)
        return port, self.start(1, port, self.binaries / "alb", "run", path)

    def nginx(self, log="off", upgrade='proxy_set_header Connection "";', **more):
        port, path = self._configure("nginx.conf", NGINX, log=log.format(folder=self.folder),
                                     upgrade=upgrade, **more)
        return port, self.start(1, port, shutil.which("nginx") or "/usr/sbin/nginx", "-p",
                                self.folder, "-c", path, "-e", self.folder / "nginx.err")

    def haproxy(self, **more):
        port, path = self._configure("haproxy.cfg", HAPROXY, **more)
        return port, self.start(1, port, shutil.which("haproxy") or "/usr/sbin/haproxy", "-db",
                                "-f", path)

    def wsload(self, *args):
        """Started, and past its START."""
        load = subprocess.Popen(["taskset", "-c", "0", self.binaries / "bench-wsload",
                                 *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True)
        if load.stdout.readline() != "START\n":
            sys.exit("bench: the WebSocket clients failed")
        return load

    def ws_round(self, target, mode, connections, *args):
        """Microseconds of CPU time for each message, or connection, once all are open."""
        port, process = target
        load = self.wsload(mode, port, connections, self.seconds, *args)
        before = cpu_s(process.pid)
        done = int(load.stdout.readline())
        used = cpu_s(process.pid) - before
        load.communicate()
        return used * 1e6 / done

    def held_bytes(self, target):
        """What each of many idle tunnels adds to the process tree's memory."""
        port, process = target
        before = pss(process.pid)
        load = self.wsload("hold", port, HELD)
        time.sleep(1.5)  # what only the beginning needed is given back
        grown = pss(process.pid) - before
        load.communicate()
        return grown / HELD

    def pinged_percent(self, target):
        """Of a core, while the tunnels of hold() are pinged; at least two pings each way."""
        process = target[1]
        began, before = time.monotonic(), cpu_s(process.pid)
        time.sleep(2 * PING_S + 1)
        return 100 * (cpu_s(process.pid) - before) / (time.monotonic() - began)

    def connect_round(self, target):
        """Microseconds of CPU time for each request on a connection of its own, of both ends: the
        kernel does what the listener's filter asks for in the time of the client."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = self.round(target, field="Connection: close")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        client = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return used + client * 1e6 / self.requests

    def round(self, target, path="/", field=None, script=None):
        """Microseconds of CPU time for each request, over one short run."""
        port, process = target
        fields = [] if field is None else ["-H", field]
        if script is not None:
            lua = self.folder / "wrk.lua"
            lua.write_text(script)
            fields += ["-s", lua]
        before = cpu_s(process.pid)
        done = subprocess.run(
            ["taskset", "-c", "0", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{self.seconds}", *fields,
             f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True)
        used = cpu_s(process.pid) - before
        if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
            sys.exit(f"bench: errors under load:\n{done.stdout}")
        self.requests = int(re.search(r"(\d+) requests in", done.stdout)[1])
        return used * 1e6 / self.requests


def hold_idle(target, count):
    """Connections that have made one request and now say nothing."""
    sockets = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", target[0]))
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        sockets.append(sock)
    for sock in sockets:
        sock.recv(4096)
    return sockets


# What a rule asks for: {n} is its number. None is the one that answers, though the request has
# all that they look at, and as long as theirs.
ASKED = {"path": "/api/items?page=2&tenant=t0001", "field": "X-Tenant: tenant-0001"}
CONDITIONS = {
    "rules": ("path-pattern = /service-{n}/*", "host-header = tenant-{n}.example.com"),
    "rules-header": ("http-header = X-Tenant tenant-{n}",),
    "rules-query": ("query-string = tenant=t{n}", "query-string = value-{n}"),
    "rules-path": ("path-pattern = /api/*\nhttp-header = X-Tenant tenant-{n}",),
    "rules-ip": ("source-ip = 10.{high}.{low}.0/24", "source-ip = 2001:db8:{n}::/48"),
    "rules-wild": ("path-pattern = *-{n}.png", "host-header = *-{n}.example.com",
                   "http-header = X-Tenant *-{n}-*", "query-string = tenant=*-{n}"),
    "rules-regex": ("path-pattern-regex = ^/service-{n}/[0-9]+$",
                    "host-header-regex = ^tenant-{n}[.]example[.](com|net)$"),
    # One of them has both, but not the path.
    "rules-pairs": ("http-header = X-Tenant tenant-{low:04}\nquery-string = page={high}\n"
                    "path-pattern = */items?",),
}


def rules_of(conditions, count):
    return "".join(RULE.format(n=n, condition=conditions[n % len(conditions)].format(
        n=n, high=n // 256, low=n % 256)) for n in range(1, count + 1))


# --- the scenarios: each gives (reference, measured), as functions that run one round -------


def scenario_get(b):
    nginx, alb = b.nginx(), b.alb()
    return lambda: b.round(nginx), lambda: b.round(alb)


def scenario_log(b):
    off, on = b.alb(), b.alb(log="true")
    return lambda: b.round(off), lambda: b.round(on)


def scenario_idle(b):
    few, many = b.alb(), b.alb()
    held = hold_idle(few, 10) + hold_idle(many, 9000)
    b.processes.callback(lambda: [s.close() for s in held])
    return lambda: b.round(few), lambda: b.round(many)


def scenario_edge(b):
    blocks = b.folder / "blocks.txt"
    blocks.write_text("127.0.0.1\n" + "".join(
        f"{10 + n // 32768}.{n // 128 % 256}.{n % 128 * 2}.0/24\n" for n in range(BLOCKS)))
    few, many = b.alb(edge="allow = 127.0.0.1"), b.alb(edge=f"allow_file = {blocks}")
    return lambda: b.connect_round(few), lambda: b.connect_round(many)


def scenario_rules(name):
    def make(b):
        none, few, many = (b.alb(rules=rules_of(CONDITIONS[name], count))
                           for count in (0, FEW_RULES, MANY_RULES))
        return [lambda target=t: b.round(target, **ASKED) for t in (few, many, none)]
    return make


# A path of its own for each request, over and over.
PATHS = """
local n = 0
request = function() n = (n + 1) % 9973; return wrk.format("GET", "/rooms/" .. n) end
"""


def scenario_hash(b):
    """Beside another choice without order: in turn, the connections to the targets are used one after
    the other, which the processor's caches like."""
    chance, hashed = (b.alb(hosts=HOSTS, group=group) for group in (BY_CHANCE, HASHED))
    return [lambda target=t: b.round(target, script=PATHS) for t in (chance, hashed)]


def scenario_ws(peer, *load):
    def make(b):
        beside = (b.nginx(upgrade=NGINX_UPGRADE, backend=WS_BACKEND_PORT) if peer == "nginx"
                  else b.haproxy(backend=WS_BACKEND_PORT))
        alb = b.alb(backend=WS_BACKEND_PORT)
        return [lambda target=t: b.ws_round(target, *load) for t in (beside, alb)]
    return make


def scenario_ws_idle(b):
    """Each time in a process that has had no tunnel before."""
    return lambda: 512.0, lambda: b.held_bytes(b.alb(backend=WS_BACKEND_PORT))


def end_pinged(load, began):
    answered = int(load.communicate()[0])
    if answered < HELD * ((time.monotonic() - began) // PING_S - 1):
        sys.exit(f"bench: only {answered} pings came to the clients")


def scenario_ws_pinged(b):
    """The same tunnels all the time, which are quiet but for pings."""
    alb = b.alb(backend=WS_BACKEND_PORT, ping=f"{PING_S}s")
    b.processes.callback(end_pinged, b.wsload("hold", alb[0], HELD), time.monotonic())
    return lambda: 1.0, lambda: b.pinged_percent(alb)


PAST = f"the same past {MANY_RULES:,} rules, beside {FEW_RULES}: by "
SCENARIOS = {
    "get": (scenario_get, 0.90, "small keep-alive GET: alb beside nginx"),
    "log": (scenario_log, 1.05, "the same with the access log on, beside off"),
    "idle": (scenario_idle, 1.05, "the same with 9,000 idle connections, beside 10"),
    "edge": (scenario_edge, 1.05, f"a connection for each request, with {BLOCKS:,} blocks in the edge "
             "set, beside one; both ends"),
    "rules": (scenario_rules("rules"), 1.10, PAST + "host and path"),
    "rules-header": (scenario_rules("rules-header"), 1.10, PAST + "header alone"),
    "rules-query": (scenario_rules("rules-query"), 1.10, PAST + "query alone"),
    "rules-path": (scenario_rules("rules-path"), 1.10, PAST + "header, under one path"),
    "rules-ip": (scenario_rules("rules-ip"), 1.10, PAST + "source address alone"),
    "rules-wild": (scenario_rules("rules-wild"), 1.10, PAST + "wildcards at the start"),
    "rules-regex": (scenario_rules("rules-regex"), 1.10, PAST + "expressions"),
    "rules-pairs": (scenario_rules("rules-pairs"), 1.10, PAST + "header and query together"),
    "hash": (scenario_hash, 1.05, f"the same to {HOSTS:,} targets, by the path's hash beside by chance"),
    "ws-echo": (scenario_ws("nginx", "echo", 64, 125, 1), 1.00,
                "WebSocket echo of 125 bytes, 64 tunnels, saturated: alb beside nginx"),
    "ws-rate": (scenario_ws("nginx", "echo", 500, 125, 1, 10000), 0.92,
                "the same, 10,000 a second over 500 tunnels: alb beside nginx"),
    "ws-64k": (scenario_ws("haproxy", "echo", 8, 65536, 2), 0.65,
               "WebSocket echo of 64 KB, 8 tunnels, two under way: alb beside HAProxy"),
    "ws-connect": (scenario_ws("nginx", "connect", 32), 1.00,
                   "connect, 101, Close, end: alb beside nginx"),
    "ws-idle": (scenario_ws_idle, 1.00, "memory of an idle tunnel, both sides, beside 512 bytes"),
    "ws-pinged": (scenario_ws_pinged, 1.00,
                  f"{HELD:,} idle tunnels, both sides pinged every {PING_S} s, beside 1 % of a core"),
}


UNITS = {"ws-idle": "bytes", "ws-pinged": "%"}  # of the others: microseconds of CPU time


def rounds_of(runs, count):
    """Each run once a round, in this order and in the other by turns."""
    for i in range(count):
        order = range(len(runs)) if i % 2 == 0 else reversed(range(len(runs)))
        took = {n: runs[n]() for n in order}
        yield [took[n] for n in range(len(runs))]


def measure(b, name, rounds):
    make, bound, what = SCENARIOS[name]
    runs = make(b)
    for run in runs:
        run()  # warm up
    rows = list(rounds_of(runs, rounds))
    ratios = sorted(row[1] / row[0] for row in rows)
    quartiles = statistics.quantiles(ratios, n=4)
    ratio, spread = statistics.median(ratios), (quartiles[2] - quartiles[0]) / 2
    verdict = ("met" if ratio <= bound else "met within its spread" if ratio - spread <= bound
               else "NOT MET")
    middle = [statistics.median(column) for column in zip(*rows)]
    none = f"; without any {middle[2]:.2f} us" if len(middle) > 2 else ""
    print(f"{name:12} {middle[0]:6.2f} {middle[1]:6.2f} {UNITS.get(name, 'us')}"
          f"  ratio {ratio:.3f} +-{spread:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})  bound {bound:.2f}: {verdict}"
          f"   {what}{none}", flush=True)
    return ratio - spread <= bound


def own_network():
    """A loopback of our own, so that its settings and ports are ours."""
    if os.geteuid() != 0 or "BENCH_INSIDE" in os.environ or shutil.which("unshare") is None:
        return
    os.environ["BENCH_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, __file__, *sys.argv[1:]])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO",
                        help=f"of {', '.join(SCENARIOS)}; all when none is named, and "
                             "those that begin with it and a dash")
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of runs, at least 5")
    parser.add_argument("--seconds", type=int, default=1, help="of each run")
    options = parser.parse_args()
    unknown = set(options.scenarios) - set(SCENARIOS) - {n.split("-")[0] for n in SCENARIOS}
    chosen = [name for name in SCENARIOS if not options.scenarios or name in options.scenarios
              or name.split("-")[0] in options.scenarios]
    if unknown or options.rounds < 5:
        parser.error(f"no scenario {', '.join(unknown)}" if unknown else "at least 5 rounds")
    own_network()
    if "BENCH_INSIDE" in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for setting in ("net.ipv4.tcp_congestion_control=reno", "net.core.somaxconn=8192",
                        "net.ipv4.ip_local_port_range=20000 65535"):
            subprocess.run(["sysctl", "-qw", setting], check=False)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    ok = True
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            os.chmod(folder, 0o777)  # nginx's worker is another user
            bench = Bench(options.bin.resolve(), pathlib.Path(folder), options.seconds)
            with bench.processes:
                ok &= measure(bench, name, options.rounds)
    sys.exit(0 if ok else 1)


main()
