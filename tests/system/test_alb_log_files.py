"""Where the logs go, and what becomes of them when nobody takes them: no loop, and no control
thread, ever waits for a log."""

import json
import os
import re
import signal
import ssl
import subprocess
import time

import pytest

from balancer import forward_config
from harness import wait_until
from http_wire import ask, request, values
from scripted_target import answer
from sockets import is_closed
from ws_wire import echo_script, frame, upgrade_request

WRITTEN = 'alb_access_log_rows_total{outcome="written"}'
DROPPED = 'alb_access_log_rows_total{outcome="dropped"}'


def script(sock, head, rest):
    if values(head, "Upgrade"):
        return echo_script(sock, head, rest)
    return answer()(sock, head, rest)


def load(alb, rows, agent=1000):
    """So many rows, with large user agents, on one connection."""
    data = request(path="/load", fields=b"User-Agent: " + b"u" * agent + b"\r\n")
    with alb.connect() as sock:
        for _ in range(rows // 50):
            sock.sendall(data * 50)
            got = b""
            while got.count(b"\r\n\r\nok") < 50:
                got += sock.recv(65536)


def test_a_fifo_without_a_reader_blocks_nothing(start_alb, start_target, tmp_path):
    fifo = tmp_path / "log.fifo"
    os.mkfifo(fifo)
    alb = start_alb(forward_config(start_target(script)).replace("{access}", str(fifo)))

    # Far more than a pipe and the queue hold.
    load(alb, 4000, agent=8000)
    wait_until(lambda: alb.metric(DROPPED) > 0, "rows to be dropped")
    began = time.monotonic()
    assert alb.get("/alive")[0] == 200 and alb.status()["state"] == "serving"
    alb.reload()
    assert time.monotonic() - began < 5
    # A reader that comes gets whole rows.
    with open(fifo, "rb", buffering=0) as reader:
        text = b""
        while text.count(b"\n") < 200:
            text += reader.read(65536)
        assert all(r.startswith(b"http 20") and r.endswith(b"127.0.0.1")
                   for r in text.split(b"\n")[:-1])
    # And the end does not wait for one.
    load(alb, 1000)
    began = time.monotonic()
    assert alb.stop() == 0
    assert time.monotonic() - began < 8


def test_a_stalled_pipe_is_left_by_sigusr1(start_alb, start_target, tmp_path):
    fifo = tmp_path / "log.fifo"
    os.mkfifo(fifo)
    alb = start_alb(forward_config(start_target(script)).replace("{access}", str(fifo)))
    load(alb, 1000)
    alb.get("/ready")
    os.rename(fifo, tmp_path / "old.fifo")
    alb.signal(signal.SIGUSR1)
    wait_until(lambda: fifo.exists() and "/load" in fifo.read_text(), "rows in the new file")
    alb.get("/after")
    wait_until(lambda: "/after" in fifo.read_text(), "the newest row")
    for row in fifo.read_text().splitlines():
        assert row.startswith("http 20") and row.endswith("127.0.0.1")


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder],
                      capture_output=True).returncode != 0:
        pytest.skip("may not mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_that_has_room_again(start_alb, start_target, small_disk):
    log, ballast = small_disk / "log", small_disk / "ballast"
    alb = start_alb(forward_config(start_target(script)).replace("{access}", str(log)))

    ballast.write_bytes(b"x" * 40000)
    load(alb, 200)
    # All but the one that is torn; those that are still under way would fill the disk again.
    wait_until(lambda: alb.metric(WRITTEN) + alb.metric(DROPPED) >= 199, "rows to be dropped")
    assert alb.metric(DROPPED) > 0
    assert not log.read_bytes().endswith(b"\n"), "it ends within a row"
    ballast.unlink()
    alb.get("/room")
    wait_until(lambda: "/room" in log.read_text(), "the row after")
    rows = log.read_text().splitlines()
    assert all(r.startswith("http 20") and r.endswith("127.0.0.1") for r in rows)
    wait_until(lambda: alb.metric(WRITTEN) == len(rows), "all to be counted")
    assert alb.metric(WRITTEN) + alb.metric(DROPPED) == 201
    assert "No space left" in alb.log()


def test_json(start_alb, start_target):
    alb = start_alb(forward_config(start_target(script), alb="access_logs.format = json"))

    agent = b'"\\\xff\xfecaf\xc3\xa9 \xe2\x80\xa8'
    ask(alb, request("POST", "/a?b", fields=b"User-Agent: " + agent + b"\r\n", body=b"12345"))
    ask(alb, b"nonsense\r\n\r\n")
    with alb.connect() as sock:
        sock.sendall(upgrade_request("/ws") + frame(8, b"\x03\xe8"))
        is_closed(sock)
        while sock.recv(1000):
            pass
    alb.access_row('"ws"')
    plain, bad, ws = (json.loads(r) for r in alb.access_path.read_text().split("\n")[:-1])
    assert plain["type"] == "http" and plain["elb_status_code"] == 200
    assert plain["request"] == f"POST http://localhost:{alb.port()}/a?b HTTP/1.1"
    assert "caf\u00e9" in plain["user_agent"] and "\ufffd" in plain["user_agent"]
    assert plain["received_bytes"] > 5 and isinstance(plain["target_processing_time"], float)
    assert plain["ssl_cipher"] is None and plain["matched_rule_priority"] == 0
    assert bad["elb_status_code"] == 400 and bad["target_processing_time"] == -1
    assert bad["target:port"] is None and bad["end"]
    assert ws["type"] == "ws" and ws["client_close"] == 1000 and ws["client_frames"] == 1
    assert len(plain) == 35 and list(plain)[:5] == ["type", "time", "elb", "client:port",
                                                    "target:port"]


CONNECTION = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (\S+) (\d+) (\d+) (-|TLSv1\.[23]) (-|[A-Z0-9_-]+) "
    r'(-|\d+\.\d{3}) "(-|[^"]*)" (-|NotBefore=\S+;NotAfter=\S+) (-|[0-9A-F]+) '
    r"(-|Success|Failed:\w+) (-|TID_[0-9a-f]{32}) (-|\S+) (app/\S+) (\S+)")

TLS = """
[listener tls]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {cert}
default_action = forward app
"""


def test_connection_log(start_alb, start_target, tmp_path):
    log = tmp_path / "connections.log"
    alb = start_alb(forward_config(
        start_target(script), more=TLS,
        alb=f"connection_logs.enabled = true\nconnection_logs.file = {log}"))

    alb.get("/plain")
    alb.get("/secret", listener="tls", tls=True)
    with pytest.raises(ssl.SSLError):
        alb_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
        alb_context.wrap_socket(alb.connect("tls"), server_hostname="localhost").close()
    with alb.connect("tls") as sock:
        sock.sendall(b"\x00" * 64)
        is_closed(sock)
    with alb.connect("tls") as sock:  # plain HTTP where TLS is spoken
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"400" in sock.recv(4096)
    wait_until(lambda: log.exists() and len(log.read_text().splitlines()) == 5, "five rows")
    rows = [CONNECTION.fullmatch(r) for r in log.read_text().splitlines()]
    assert all(rows), log.read_text()
    by_port = {port: [r for r in rows if int(r[3]) == alb.port(port)] for port in ("http", "tls")}
    plain, = by_port["http"]
    assert plain[1] == "127.0.0.1" and plain[4] == plain[5] == plain[6] == "-"
    good = [r for r in by_port["tls"] if r[4] != "-"]
    assert len(good) >= 1 and good[0][6] != "-" and len(by_port["tls"]) == 4
    assert good[0][12] in ("secp256r1", "x25519")
    bad = [r for r in by_port["tls"] if r[4] == "-"]
    assert all(r[5] == r[6] == r[12] == "-" for r in bad)
    # Each attempt has an id of its own, also one that failed.
    assert len({r[11] for r in rows}) == 5 and all(r[11] != "-" for r in rows)
    # A client that does not like the certificate may say so in the handshake or behind it.
    assert alb.metric("alb_tls_handshake_errors_total") == len(bad) >= 2
    # The same connection in the other log.
    assert plain[11] + " " in alb.access_row("/plain")
    assert good[0][11] + " " in alb.access_row("/secret")
    wait_until(lambda: alb.metric('alb_connection_log_rows_total{outcome="written"}') == 5,
               "them to be counted")
