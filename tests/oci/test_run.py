"""What a container of the image does, seen from outside of it."""

import asyncio
import http.client
import pathlib
import re
import sys

import pytest

from chat import Chat
from container import NOBODY_ELSE
from harness import PATIENCE, Process, wait_until
from http_wire import read_head
from netns import APPLIANCE, answer_to_syn
from ws_wire import upgrade_request

CHAT = "/etc/postern/container"
NEIGHBOUR = "10.77.0.10"


def get(client, path, port=8080):
    """(status, text), or nothing while nobody answers."""
    with client:
        connection = http.client.HTTPConnection(APPLIANCE, port, timeout=10 * PATIENCE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except OSError:
            return None
        finally:
            connection.close()


def wait_for(client, container, path, status=200, **where):
    """The page, once it is served."""
    def served():
        assert container.is_running(), container.log()
        got = get(client, path, **where)
        return got and got[0] == status and got
    return wait_until(served, f"{path}: {container.log()}", 30)[1]


def processes(container):
    """/proc/PID/status of all that the container runs."""
    tree, found = [container.pid], []
    while tree:
        pid = tree.pop()
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            tree += map(int, task.read_text().split())
        found.append(pathlib.Path(f"/proc/{pid}/status").read_text())
    return found[1:]


@pytest.fixture
def application(client, started, tmp_path):
    """A server of one's own, which knows nothing of all this, on the neighbour's port 3000."""
    (tmp_path / "page.txt").write_text("mine\n")
    server = Process(tmp_path, "server", *client.command(sys.executable, "-m", "http.server", 3000, "--directory",
                                                         tmp_path))
    started.append(server)
    server.start(wait=False)
    wait_until(lambda: answer_to_syn(client, NEIGHBOUR, 3000) == "open", "the server", 20)
    return server


async def say_hello(container):
    async with Chat(container, "alice") as alice, Chat(container, "bob") as bob:
        await alice.join()
        await bob.join()
        await alice.publish("lobby", "hello", cid="c1")
        message = await bob.next("msg")
        assert message["d"]["text"] == "hello"


def test_without_arguments_it_is_a_chat(client, container):
    one = container()
    wait_for(client, one, "/health")
    with client:
        asyncio.run(say_hello(one))
    wait_until(lambda: "/ws/lobby" in one.log(), "a row of the access log")


def test_its_origin_misbehaves_on_demand(client, container):
    one = container()
    wait_for(client, one, "/health")
    with client.connect(APPLIANCE, 8080) as sock:
        sock.sendall(upgrade_request("/t/reject?status=418"))
        assert b" 418 " in read_head(sock)[0]


def test_nobody_in_it_is_root_or_may_become_it(client, container):
    one = container()
    wait_for(client, one, "/health")
    found = processes(one)
    assert len(found) >= 2
    for status in found:
        assert re.search(r"^Uid:\t(.*)$", status, re.M)[1].split() == [str(NOBODY_ELSE)] * 4
        assert re.search(r"^CapEff:\t0+$", status, re.M)


def test_a_stop_tells_websockets_to_come_again(client, container):
    one = container()
    wait_for(client, one, "/health")

    async def stopped():
        async with Chat(one, "alice") as alice:
            await asyncio.to_thread(one.tell, "TERM")
            return await alice.closed(20)

    with client:
        assert asyncio.run(stopped())[0] == 1012
    assert one.wait() == 0


def test_the_end_of_wsserver_is_the_end_of_the_container(client, container):
    one = container()
    wait_for(client, one, "/health")
    assert one.execute("sh", "-c", "kill -KILL $(for p in /proc/[0-9]*; do read -r name <$p/comm; "
                                   "[ $name != wsserver ] || echo ${p#/proc/}; done)")[0] == 0
    one.wait()
    assert "wsserver has ended" in one.log()


def test_a_health_command_of_an_engine(client, container):
    one = container()
    wait_for(client, one, "/health")
    code, text = one.execute("sh", "-c", "alb status")
    assert code == 0 and "127.0.0.1:9001" in text
    assert "alb_" in wait_for(client, one, "/metrics", port=9100)


def test_its_root_may_be_read_only(client, container):
    one = container(read_only=True)
    wait_for(client, one, "/health")
    with client:
        asyncio.run(say_hello(one))


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_in_front_of_a_server_of_ones_own(client, application, container, how):
    hosts = {"/etc/hosts": f"127.0.0.1 localhost\n{NEIGHBOUR} app\n"}
    if how == "argument":
        one = container("alb", "quick", "--target", "app:3000", files=hosts)
    else:
        one = container(env={"POSTERN_TARGET": "app:3000"}, files=hosts)
    assert wait_for(client, one, "/page.txt") == "mine\n"
    assert one.execute("alb", "status")[0] == 0


def test_quick_listens_and_admits_as_it_is_told(client, application, container):
    one = container("alb", "quick", "--target", f"{NEIGHBOUR}:3000", "--listen", "0.0.0.0:8081",
                    "--allow", "10.9.9.0/24")
    wait_until(lambda: "listener open" in one.log(), "it to listen", 30)
    assert get(client, "/page.txt", port=8081) is None
    assert get(client, "/page.txt") is None


def test_with_a_configuration_of_ones_own(client, container):
    text = ("[edge]\nallow = any\n[listener a]\nbind = 0.0.0.0:8080\nprotocol = HTTP\n"
            'default_action = fixed-response 200 text/plain "mine too"\n')
    one = container("alb", "run", "/etc/postern/alb.ini", files={"/etc/postern/alb.ini": text})
    assert wait_for(client, one, "/") == "mine too"


def test_wsserver_alone(client, container):
    one = container("wsserver", "run", f"{CHAT}/wsserver.ini")
    wait_for(client, one, "/health", port=9001)


def test_an_unknown_program_is_a_sentence(container):
    one = container("bash")
    assert one.wait() == 2
    assert "postern: no such program: bash (alb, wsserver)" in one.log()
