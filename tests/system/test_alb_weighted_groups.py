"""Forward to several groups: by weight, and no other group steps in for an empty one."""

from balancer import forward_config
from http_wire import ask, request
from scripted_target import answer
from ws_wire import accept_upgrade, upgrade_request

CONFIG = """
[target_group blue]
target = %s
health_check.enabled = false
[target_group green]
target = %s
health_check.enabled = false
[target_group empty]
[rule split]
listener = http
priority = 1
path-pattern = /split
action = forward blue:900 green:100
[rule never]
listener = http
priority = 2
path-pattern = /never
action = forward blue:0 green:1
[rule half-empty]
listener = http
priority = 3
path-pattern = /half
action = forward blue empty
[rule weightless]
listener = http
priority = 4
path-pattern = /weightless
action = forward blue:0
"""


def start(start_alb, start_target, script=answer):
    blue, green = start_target(script(b"blue")), start_target(script(b"green"))
    return start_alb(forward_config("127.0.0.1:1", more=CONFIG % (blue.address, green.address)))


def bodies(alb, path, n):
    return [alb.get(path)[2] for _ in range(n)]


def test_each_gets_its_share(start_alb, start_target):
    alb = start(start_alb, start_target)

    got = bodies(alb, "/split", 300)
    assert set(got) == {b"blue", b"green"}
    assert 8 <= got.count(b"green") <= 65, "a tenth, give or take"
    assert set(bodies(alb, "/never", 20)) == {b"green"}


def test_an_empty_group_gets_its_share_as_503(start_alb, start_target):
    alb = start(start_alb, start_target)

    statuses = [alb.get("/half")[0] for _ in range(60)]
    assert set(statuses) == {200, 503}
    assert 10 <= statuses.count(503) <= 50
    assert alb.get("/weightless")[0] == 503
    assert ' 503 - ' in alb.access_row("/weightless")


def test_upgrades_are_shared_out_as_well(start_alb, start_target):
    def upgrading(name):
        def script(sock, head, _rest):
            accept_upgrade(sock, head, b"X-Group: " + name + b"\r\n")
            return False
        return script

    alb = start(start_alb, start_target, upgrading)
    got = [ask(alb, upgrade_request("/half")) for _ in range(30)]
    assert {r.status for r in got} == {101, 503}
    assert {v for r in got for v in r.values("X-Group")} == {"blue"}
    assert ask(alb, request(path="/weightless")).status == 503
