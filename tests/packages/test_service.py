"""The services under their sandboxes: what they do still works there, and what they need not do does not."""

import http.client
import json
import re

import pytest

from harness import PATIENCE, wait_until
from http_wire import read_head
from machine import EDGE, STRANGER
from netns import APPLIANCE, answer_to_syn
from ws_peers import PING, PONG, Peer
from ws_wire import upgrade_request

CONFIG = "/etc/postern/alb.ini"
ALB, WSSERVER = "postern-alb.service", "postern-wsserver.service"
LOG = "/var/log/postern/alb-access.log"
BIND_ONLY = f"{1 << 10:016x}"


def admit(machine, *blocks):
    """As the configuration says: name the edge's addresses, then `alb reload`."""
    path = machine.path(CONFIG)
    path.write_text(path.read_text().replace("\nallow = none\n", f"\nallow = {' '.join(blocks)}\n"))
    machine.ok("alb", "reload")


def get(host, path="/health"):
    with host:
        connection = http.client.HTTPConnection(APPLIANCE, 80, timeout=10 * PATIENCE)
        connection.request("GET", path)
    with_answer = connection.getresponse()
    with_answer.read()
    connection.close()
    return with_answer.status


def open_chat(host):
    """A WebSocket through alb to wsserver."""
    sock = host.connect(APPLIANCE, 80)
    sock.sendall(upgrade_request("/ws/lobby"))
    head, rest = read_head(sock)
    assert b" 101 " in head, head
    return Peer(sock, rest)


def is_alive(peer):
    """It answers a ping; what else it says meanwhile is of no interest."""
    peer.send(PING, b"there?")
    while True:
        frame = peer.receive()
        assert frame is not None, "it has ended"
        if frame[0] == PONG:
            return frame[2] == b"there?"


def main_pid(machine, unit=ALB):
    return int(machine.property(unit, "MainPID"))


@pytest.fixture(scope="module")
def admitting(installed):
    admit(installed, EDGE)
    return installed


@pytest.fixture
def serving(admitting):
    admitting.ok("systemctl", "start", ALB, WSSERVER)
    wait_until(lambda: get(admitting.edge) == 200, "the chat's health check", 30)
    return admitting


@pytest.mark.parametrize("unit", [ALB, WSSERVER])
def test_exposure(installed, unit):
    """The figure of systemd-analyze, 10 at worst."""
    path = installed.property(unit, "FragmentPath")
    said = installed.ok("systemd-analyze", "security", "--offline=yes", "--no-pager", path)
    level = float(re.search(r"exposure level for \S+ ([0-9.]+)", said)[1])
    assert level <= 2.5, said


def test_a_stop_may_take_as_long_as_the_longest_drain(installed):
    for unit, time in ((ALB, "1h 15min"), (WSSERVER, "1h 5min")):
        assert installed.property(unit, "TimeoutStopUSec") == time
    assert not list(installed.path("/lib/systemd/system").glob("postern*.socket"))


def test_the_silent_edge(serving):
    """The filter is in the kernel, and what it took to load it is given up."""
    assert json.loads(serving.ok("alb", "status", "--json"))["edge_filter"]["mode"] == "ebpf"
    assert answer_to_syn(serving.stranger, APPLIANCE, 80, 0.5) == "silence"
    status = serving.ok("cat", f"/proc/{main_pid(serving)}/status")
    for name in ("CapEff", "CapPrm", "CapBnd"):
        assert re.search(rf"^{name}:\s*(\S+)", status, re.M)[1] in (
            BIND_ONLY, f"{1 << 10 | 1 << 12 | 1 << 39:016x}")
    assert re.search(r"^CapEff:\s*(\S+)", status, re.M)[1] == BIND_ONLY
    assert re.search(r"^NoNewPrivs:\s*1", status, re.M) and re.search(r"^Seccomp:\s*2", status, re.M)
    serving.ok("alb", "edge", "add", STRANGER, "--for", "10m")
    assert answer_to_syn(serving.stranger, APPLIANCE, 80) == "open"
    serving.ok("alb", "edge", "remove", STRANGER)
    assert answer_to_syn(serving.stranger, APPLIANCE, 80, 0.5) == "silence"
    assert STRANGER in serving.ok("alb", "edge", "refused")


def test_an_upgrade_in_place_keeps_websockets(serving):
    chat, before = open_chat(serving.edge), main_pid(serving)
    for _ in range(2):
        serving.ok("alb", "upgrade")
        after = main_pid(serving)
        assert after != before and is_alive(chat) and get(serving.edge) == 200
        before = after
    assert json.loads(serving.ok("alb", "status", "--json"))["edge_filter"]["mode"] == "ebpf"
    assert serving.property(ALB, "ActiveState") == "active" and serving.property(ALB, "NRestarts") == "0"
    chat.sock.close()


def test_a_reload_of_the_service_says_what_came_of_it(serving):
    path, before = serving.path(CONFIG), main_pid(serving)
    good = path.read_text()
    serving.ok("systemctl", "reload", ALB)
    path.write_text(good + "\n[nonsense]\n")
    assert serving.run("systemctl", "reload", ALB)[0] != 0
    assert "nonsense" in serving.journal(ALB) and get(serving.edge) == 200
    path.write_text(good)
    serving.ok("systemctl", "reload", ALB)
    assert main_pid(serving) == before and serving.property(ALB, "ActiveState") == "active"


def test_what_was_said_by_command_is_kept_over_a_restart(serving):
    serving.ok("alb", "register", "chat", "127.0.0.1:9003")
    serving.ok("systemctl", "restart", ALB)
    assert "127.0.0.1:9003" in serving.ok("alb", "status")
    serving.ok("alb", "deregister", "chat", "127.0.0.1:9003")


def test_access_logs_are_written_and_rotated(serving):
    log, rotated = serving.path(LOG), serving.path(LOG + ".1")
    wait_until(lambda: "/health" in log.read_text(), "a row")
    assert serving.ok("stat", "-c", "%U %a", LOG).strip() == "postern-alb 640"
    serving.ok("logrotate", "--force", "/etc/logrotate.d/postern-alb")
    wait_until(log.exists, "the new log")
    old = rotated.read_text()
    assert get(serving.edge, "/none-such") == 404
    wait_until(lambda: "/none-such" in log.read_text(), "a row in the new log")
    assert rotated.read_text() == old


def test_the_chat_survives_its_servers_restart(serving):
    """Its database is where it may write."""
    open_chat(serving.edge).sock.close()
    serving.ok("systemctl", "restart", WSSERVER)
    wait_until(lambda: get(serving.edge) == 200, "the chat", 30)
    assert serving.path("/var/lib/postern-wsserver/chat.db").stat().st_size > 0


def test_a_stop_drains(serving):
    """Each is told at a moment of its own within the shutdown_timeout, which is 30s unless it is said."""
    chat = open_chat(serving.edge)
    chat.sock.settimeout(40 * PATIENCE)
    serving.ok("systemctl", "stop", "--no-block", ALB)
    assert chat.receive_close()[0] == 1012
    chat.sock.close()
    wait_until(lambda: serving.property(ALB, "ActiveState") == "inactive", "the end", 60)
    assert serving.property(ALB, "Result") == "success"


def test_no_system_call_was_refused(serving):
    """Nothing died of the filter of system calls, nor complains."""
    for unit in (ALB, WSSERVER):
        log = serving.journal(unit)
        assert "not permitted" not in log and "SYS" not in log, log
