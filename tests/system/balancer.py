"""The balancer as a process: its configuration, its admin port, its commands, its access log.

    alb = start_alb(forward_config(target))     # a fixture; ports were bound by port 0
    with alb.connect() as s: ...                # a plain TCP connection to its first listener
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "connections to end")
"""

import contextlib
import http.client
import json
import pathlib
import socket
import subprocess
import urllib.parse

from harness import BIN, PATIENCE, Orphan, Process, split_address, wait_until
from localhost_cert import CERT, trusting_context


class Alb(Process):
    """A running balancer. Its configuration is `path`; rewrite it and reload()."""

    def __init__(self, folder, config, name="alb"):
        self.path = pathlib.Path(folder) / f"{name}.ini"
        self.access_path = pathlib.Path(folder) / f"{name}.access.log"
        self.socket_path = pathlib.Path(folder) / f"{name}.sock"
        super().__init__(folder, name, BIN / "alb", "run", self.path, "--ready-file",
                         pathlib.Path(folder) / f"{name}.ready")
        self.before = []
        self.configure(config)

    def configure(self, config):
        """Write the configuration; {access}, {socket} and {cert} are filled in."""
        text = config.replace("{access}", str(self.access_path))
        text = text.replace("{socket}", str(self.socket_path)).replace("{cert}", str(CERT))
        self.path.write_text(text)

    def address(self, listener=None):
        listeners = self.ready["listeners"]
        return split_address(listeners[listener] if listener else next(iter(listeners.values())))

    def port(self, listener=None):
        return self.address(listener)[1]

    def url(self, path="/", listener=None, scheme="http"):
        host, port = self.address(listener)
        return f"{scheme}://{host}:{port}{path}"

    def connect(self, listener=None, timeout=10, source=None):
        """From the address `source`, if given."""
        return socket.create_connection(self.address(listener), timeout * PATIENCE,
                                        (source, 0) if source else None)

    def get(self, path="/", headers=None, method="GET", body=None, listener=None, tls=False):
        """One request on a connection of its own: (status, headers, body)."""
        host, port = self.address(listener)
        if tls:
            conn = http.client.HTTPSConnection(host, port, timeout=10 * PATIENCE,
                                               context=trusting_context())
        else:
            conn = http.client.HTTPConnection(host, port, timeout=10 * PATIENCE)
        with contextlib.closing(conn):
            conn.request(method, path, body=body, headers=headers or {})
            response = conn.getresponse()
            return response.status, response.headers, response.read()

    def access_rows(self):
        if not self.access_path.exists():
            return []
        return self.access_path.read_text(errors="replace").splitlines()

    def access_row(self, needle):
        """The first row that holds the text, when it has been written."""
        def find():
            return next((r for r in self.access_rows() if needle in r), None)
        return wait_until(find, f"an access log row with {needle!r}")

    def command(self, *args):
        """`alb ARGS --socket ...`: (exit code, output)."""
        done = subprocess.run([BIN / "alb", *args, "--socket", self.socket_path],
                              capture_output=True, text=True, timeout=60 * PATIENCE)
        return done.returncode, done.stdout + done.stderr

    def ok(self, *args):
        """The output of a command that has to succeed."""
        code, text = self.command(*args)
        assert code == 0, text
        return text

    def reload(self):
        self.ok("reload")

    def upgrade(self, binary=None):
        """`alb upgrade`: (exit code, output). From then on this is the new process; those before it
        are in `before`."""
        code, text = self.command("upgrade", *(["--binary", binary] if binary else []))
        if code == 0:
            self.before.append(self.popen)
            self.ready = json.loads(self.ready_path.read_text())
            self.popen = Orphan(self.ready["pid"])
        return code, text

    def stop(self):
        code = super().stop()
        for popen in self.before:
            try:
                popen.wait(15 * PATIENCE)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()
                raise AssertionError(f"process {popen.pid} has not ended after its successor")
        return code

    def status(self):
        code, text = self.command("status", "--json")
        assert code == 0, text
        return json.loads(text)

    def metrics(self):
        """{'name{labels}': value}"""
        host, port = split_address(self.ready["admin"])
        conn = http.client.HTTPConnection(host, port, timeout=10 * PATIENCE)
        with contextlib.closing(conn):
            conn.request("GET", "/metrics")
            text = conn.getresponse().read().decode()
        rows = [line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#"]
        return {name: float(value) for name, value in rows}

    def admin_json(self, path):
        """(status, JSON) of a GET at the admin port."""
        host, port = split_address(self.ready["admin"])
        conn = http.client.HTTPConnection(host, port, timeout=30 * PATIENCE)
        with contextlib.closing(conn):
            conn.request("GET", path)
            response = conn.getresponse()
            return response.status, json.loads(response.read())

    def tunnels(self, **query):
        """GET /tunnels: the answer."""
        status, answer = self.admin_json("/tunnels?" + urllib.parse.urlencode(query))
        assert status == 200, answer
        return answer

    def closed(self, **query):
        """GET /closed: the answer."""
        status, answer = self.admin_json("/closed?" + urllib.parse.urlencode(query))
        assert status == 200, answer
        return answer

    def failed_upgrades(self):
        """GET /upgrades/failed: the rows, the newest first."""
        status, answer = self.admin_json("/upgrades/failed")
        assert status == 200 and len(answer["failed"]) == min(answer["all"], 1000)
        return answer["failed"]

    def metric(self, name):
        """A metric's value; the sum when only the name without labels is given."""
        values = self.metrics()
        if name in values:
            return values[name]
        return sum(v for k, v in values.items() if k.split("{")[0] == name)


HTTPS_LISTENER = """
[listener https]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {cert}
default_action = forward app
"""


def alb_section(alb=""):
    return f"""
[alb]
workers = 1
admin = 127.0.0.1:0
control = {{socket}}
access_logs.enabled = true
access_logs.file = {{access}}
shutdown_timeout = 5s
{alb}"""


def other_group(target, settings=""):
    """A second group, and a rule that sends /other there."""
    return f"""
[target_group other]
target = {getattr(target, 'address', target)}
health_check.enabled = false
{settings}
[rule other]
listener = http
priority = 1
path-pattern = /other
action = forward other
"""


def forward_config(*targets, alb="", edge="allow = 127.0.0.0/8",
                   group="health_check.enabled = false", more=""):
    """One plain listener in front of one group of these targets."""
    addresses = "\n".join(f"target = {getattr(t, 'address', t)}" for t in targets)
    return alb_section(alb) + f"""
[edge]
{edge}
[listener http]
bind = 127.0.0.1:0
protocol = HTTP
default_action = forward app
[target_group app]
{addresses}
{group}
{more}
"""
