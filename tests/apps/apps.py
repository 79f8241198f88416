"""Applications and their clients as processes, and the alb between them."""

import contextlib
import os
import pathlib
import subprocess
import sys

from harness import PATIENCE, Process, free_port, wait_until
from localhost_cert import CERT, make_certificate

HERE = pathlib.Path(__file__).resolve().parent

CONFIG = """
[alb]
workers = 2
admin = 127.0.0.1:0
control = {socket}
access_logs.enabled = true
access_logs.file = {access}
idle_timeout.timeout_seconds = %(idle)s
[edge]
allow = 127.0.0.1
[listener http]
bind = 127.0.0.1:0
default_action = forward app
[listener https]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {cert}
default_action = forward app
[target_group app]
health_check.enabled = false
%(group)s
%(targets)s
"""


def config(ports, group="", idle=60):
    targets = "\n".join(f"target = 127.0.0.1:{port}" for port in ports)
    return CONFIG % {"group": group, "targets": targets, "idle": idle}


class NodeApp(Process):
    """One of servers.mjs."""

    def __init__(self, folder, app, name=None, tls=False):
        super().__init__(folder, name or app, "node", HERE / "servers.mjs", app,
                         *([make_certificate()] if tls else []))
        self.port = None

    def start(self, wait=True):
        super().start(wait=False)
        self.port = int(wait_until(lambda: self.log().strip().isdigit() and self.log(), f"{self.name} to listen", 20))
        return self

    def stop(self):
        self.popen.terminate()
        self.popen.wait(10)


class FastApi(Process):
    """fastapi_app.py under uvicorn."""

    def __init__(self, folder, tls=False):
        self.port = free_port()
        certificate = make_certificate()
        super().__init__(folder, "uvicorn", sys.executable, "-m", "uvicorn", "--app-dir", HERE,
                         "--port", self.port,
                         *(["--ssl-certfile", certificate, "--ssl-keyfile", certificate]
                           if tls else []), "fastapi_app:app")

    def start(self, wait=True):
        super().start(wait=False)
        wait_until(lambda: "Uvicorn running" in self.log(), "uvicorn to listen", 30)
        return self

    def stop(self):
        self.popen.terminate()
        self.popen.wait(10)


class Client:
    """One of clients.mjs, under way. `half()` returns when it has done the first half of its
    work and waits; `finish()` lets it go on, and fails unless all of it was well."""

    def __init__(self, name, url):
        self.popen = subprocess.Popen(["node", HERE / "clients.mjs", name, url], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, env=dict(os.environ, NODE_EXTRA_CA_CERTS=str(CERT)))

    def half(self):
        said = self.popen.stdout.readline()
        assert said == "half\n", said + self.popen.stdout.read()

    def finish(self):
        said, _ = self.popen.communicate("go on\n", timeout=30 * PATIENCE)
        assert self.popen.returncode == 0 and said.endswith("done\n"), said

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()
