"""Reload after reload under traffic: not one tunnel or request is lost, no byte, and no memory.

RELOAD_STORM_S=600 makes it longer; it says how many reloads there were.
"""

import hashlib
import http.client
import os
import random
import socket
import ssl
import subprocess
import threading
import time

import balancer
import harness
import localhost_cert
from harness import free_port, resident_kb, wait_until
from http_wire import read_body, read_response, request
from scripted_target import Target
from ws_peers import BINARY, BOTH, Client
from ws_wire import echo_script

SECONDS = float(os.environ.get("RELOAD_STORM_S", "12"))

MORE = """
[listener more%(i)d]
bind = 127.0.0.1:%(port)d
%(tls)s
default_action = forward app
"""
RULE = """
[rule r%(i)d]
listener = %(listener)s
priority = %(priority)d
path-pattern = /r/%(i)d/* /s/%(i)d
http-header = X-Storm "%(i)d"
action = %(action)s
"""
GROUP = """
[target_group extra%(i)d]
target = 127.0.0.1:%(port)d
health_check.interval_seconds = %(interval)d
idle = no
"""
TLS = "protocol = HTTPS\ncertificate = %s"


def digest_script(sock, head, rest):
    """Echoes frames; sends a request's body back, twice."""
    if b"Upgrade: websocket" in head:
        return echo_script(sock, head, rest)
    body, _rest = read_body(sock, head, rest)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * len(body)) + body * 2)
    return True


def another_certificate(folder):
    both, key, crt = folder / "b.pem", folder / "b.key", folder / "b.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", key, "-out", crt, "-days", "30", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    both.write_bytes(crt.read_bytes() + key.read_bytes())
    return both


class Configs:
    """A configuration after another; the two first listeners and target 0 are in all."""

    def __init__(self, targets, certificates):
        self.random = random.Random(7)
        self.targets, self.certificates = targets, certificates
        self.ports = [free_port() for _ in range(4)]  # http, https, http, https

    def _rules(self, listeners):
        pick = self.random
        return "".join(RULE % {
            "i": i, "listener": pick.choice(listeners), "priority": i + 1,
            "action": pick.choice(["forward app", 'fixed-response 410 text/plain "gone"'])}
            for i in range(pick.choice([0, 1, 20, 100])))

    def next(self):
        pick = self.random
        there = [i for i in range(4) if pick.random() < 0.5]
        more = "".join(MORE % {
            "i": i, "port": self.ports[i],
            "tls": TLS % pick.choice(self.certificates) if i % 2 else ""} for i in there)
        more += "".join(GROUP.replace("idle = no\n", "") % {
            "i": i, "port": 1 + i, "interval": pick.randint(5, 300)}
            for i in range(pick.randint(0, 5)))
        more += self._rules(["http", "https", *[f"more{i}" for i in there]])
        some = self.targets if pick.random() < 0.5 else self.targets[:pick.randint(1, 2)]
        text = balancer.forward_config(
            *some, alb=f"idle_timeout.timeout_seconds = {pick.randint(60, 4000)}\n",
            edge="allow = 127.0.0.0/8" + "".join(
                f" 10.{pick.randint(0, 255)}.0.0/16" for _ in range(pick.randint(0, 50))),
            group="health_check.enabled = false\n"
                  f"deregistration_delay.timeout_seconds = {pick.randint(600, 3600)}\n",
            more=f"""
[listener https]
bind = 127.0.0.1:0
{TLS % pick.choice(self.certificates)}
default_action = forward app
{more}""")
        return text.replace("workers = 1", "workers = 2").replace("= true", "= false", 1)


class Traffic:
    """What runs beside the reloads; `failed` has all that went wrong."""

    def __init__(self):
        self.done, self.failed, self.threads = threading.Event(), [], []
        self.exchanged = self.answered_in_time = 0

    def start(self, what, *args):
        def run():
            turn = random.Random(len(self.threads))
            try:
                what(turn, *args)
            except Exception as error:  # every one of them is a loss
                self.failed.append((what.__name__, args[1:], repr(error)))
        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join(30)

    def tunnel(self, turn, client):
        """Echoes, compared and summed up on both ways."""
        sent, got = hashlib.sha256(), hashlib.sha256()
        while not self.done.is_set():
            payload = turn.randbytes(turn.choice([1, 125, 126, 3000, 70000]))
            client.send(BINARY, payload)
            answer = client.receive()
            assert answer is not None, "it was closed"
            sent.update(payload)
            got.update(answer[2])
            assert answer == (BINARY, True, payload)
            self.exchanged += 1
        assert sent.digest() == got.digest()
        client.send_close(1000)
        assert client.receive_close()[0] == 1000

    def keep_alive(self, turn, alb, listener):
        """Requests with bodies on one connection."""
        host, port = alb.address(listener)
        if listener == "https":
            conn = http.client.HTTPSConnection(host, port, timeout=30, context=lenient())
        else:
            conn = http.client.HTTPConnection(host, port, timeout=30)
        conn.connect()
        sock = conn.sock
        while not self.done.is_set():
            body = turn.randbytes(turn.choice([1, 1000, 30000]))
            conn.request("POST", "/any", body=body)
            response = conn.getresponse()
            assert response.status == 200 and response.read() == body * 2
            assert conn.sock is sock, "it is another connection"
            self.exchanged += 1
        conn.close()

    def visitor(self, turn, port, is_https):
        """A connection for each request, to a listener that comes and goes."""
        while not self.done.is_set():
            sock = socket.socket()
            sock.settimeout(0.1)
            try:
                sock.connect(("127.0.0.1", port))
            except OSError:
                sock.close()
                time.sleep(0.005)
                continue
            sock.settimeout(30)
            if is_https:
                sock = lenient().wrap_socket(sock)
            with sock:
                body = turn.randbytes(100)
                sock.sendall(request("POST", body=body))
                response = read_response(sock)
                assert response.status == 200 and response.body == body * 2, response.head
            self.answered_in_time += 1


def lenient():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def post_reload(alb):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(str(alb.socket_path))
        sock.sendall(b"POST /reload HTTP/1.1\r\nHost: alb\r\nContent-Length: 0\r\n\r\n")
        response = read_response(sock)
    assert response.status == 200, response.body
    return response


def test_a_storm_of_reloads_loses_nothing(start_alb, started, tmp_path, monkeypatch):
    targets = [Target(digest_script) for _ in range(3)]
    started.extend(targets)
    configs = Configs(targets, [localhost_cert.make_certificate(), another_certificate(tmp_path)])
    alb = start_alb(configs.next())
    monkeypatch.setattr("ws_peers.trusting_context", lenient)
    traffic = Traffic()
    clients = [Client(alb, listener, timeout=30) for listener in BOTH for _ in range(4)]
    for client in clients:
        traffic.start(traffic.tunnel, client)
    for listener in BOTH:
        traffic.start(traffic.keep_alive, alb, listener)
        traffic.start(traffic.keep_alive, alb, listener)
    for i, port in enumerate(configs.ports):
        traffic.start(traffic.visitor, port, i % 2 == 1)

    began, reloads, early_kb = time.monotonic(), 0, 0
    while time.monotonic() < began + SECONDS and not traffic.failed:
        alb.configure(configs.next())
        post_reload(alb)
        reloads += 1
        if early_kb == 0 and time.monotonic() > began + SECONDS / 3:
            early_kb = resident_kb(alb.pid)
    late_kb = resident_kb(alb.pid)
    traffic.stop()
    print(f"{reloads} reloads, {traffic.exchanged} exchanges, {traffic.answered_in_time} visits,"
          f" {early_kb} to {late_kb} kB")
    assert traffic.failed == []
    assert reloads > 20 and traffic.exchanged > 200 and traffic.answered_in_time > 50
    assert alb.status()["reloads"] == reloads
    for client in clients:
        client.close()
    wait_until(lambda: alb.metric("alb_websocket_tunnels_open") == 0, "the tunnels to end")
    assert [r for r in alb.closed(limit=100)["closed"] if r["end"] != "closed by client"] == []
    if harness.PATIENCE == 1:
        assert late_kb < 1.2 * early_kb + 2000
