"""app_cookie: a session that the application began by a cookie of its own."""

import pytest
from balancer import forward_config, other_group
from cookies import SEALED, Client, is_like_the_reference, set_cookies
from harness import run, wait_until
from http_wire import ask, request, values
from scripted_target import answer
from ws_peers import Client as WsClient
from ws_peers import Upgraded, ws_config

APP = """stickiness.enabled = true
stickiness.type = app_cookie
stickiness.app_cookie.cookie_name = SID
"""
UNPROBED = "health_check.enabled = false\n"
CHROMIUM = b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0\r\n"


def application(name, sick=(), session="SID=%s-1; Path=/; HttpOnly"):
    """Sets a session at /login, ends it at /logout; /other sets other cookies."""
    def script(sock, head, _rest):
        path = head.split()[1]
        status = b"500 X" if name in sick and b"ELB-HealthChecker" in head else b"200 OK"
        fields = {b"/login": b"Set-Cookie: " + session.encode().replace(b"%s", name) + b"\r\n",
                  b"/logout": b"Set-Cookie: SID=; Max-Age=0\r\n",
                  b"/other": b"Set-Cookie: a=1\r\nSet-Cookie: sid=2\r\n"}.get(path, b"")
        sock.sendall(b"HTTP/1.1 %s\r\n%sContent-Length: 1\r\n\r\n%s" % (status, fields, name))
        return True
    return script


def start(start_alb, start_target, *names, settings="", sick=(), **how):
    targets = [start_target(application(name, sick, **how)) for name in names]
    return start_alb(forward_config(*targets, group=UNPROBED + APP + settings)), targets


def ours(response):
    return [c for c in set_cookies(response) if c.name.startswith("AWSALB")]


# --- what is set -----------------------------------------------------------------------------


def test_only_a_response_that_sets_the_session_has_cookies(start_alb, start_target):
    alb, _ = start(start_alb, start_target, b"a")
    client = Client(alb)
    for path in ("/", "/other", "/logout"):
        assert not ours(client.visit(path)), path
    assert [c.name for c in ours(client.visit("/login"))] == [f"AWSALBAPP-{i}" for i in range(4)]
    assert not ours(client.visit("/")), "not again by itself"


def test_they_are_as_the_reference_has_them(start_alb, start_target):
    alb, _ = start(start_alb, start_target, b"a")
    got = Client(alb).visit("/login")
    assert set_cookies(got)[0].value == "a-1", "the application's own goes first, untouched"
    first, *rest = ours(got)
    assert SEALED.fullmatch(first.value) and is_like_the_reference(first)
    for cookie in rest:
        assert cookie.value == "_remove_" and is_like_the_reference(cookie)


@pytest.mark.parametrize("agent, twin", [
    (CHROMIUM, True),
    (CHROMIUM.replace(b"131", b"80"), True),
    (CHROMIUM.replace(b"131", b"79"), False),
    (b"User-Agent: Mozilla/5.0 (X11; rv:133.0) Gecko/20100101 Firefox/133.0\r\n", False),
    (b"", False),
])
def test_same_site_is_for_chromium_from_80_on(start_alb, start_target, agent, twin):
    alb, _ = start(start_alb, start_target, b"a")
    for cookie in ours(Client(alb, agent).visit("/login")):
        assert is_like_the_reference(cookie, twin)


def test_a_name_of_ones_own(start_alb, start_target):
    alb, _ = start(start_alb, start_target, b"a", b"b",
                   settings="stickiness.app_cookie.lb_cookie_name = MINE\n")
    client = Client(alb)
    first = client.visit("/login").body
    assert "MINE-0" in client.cookies and "AWSALBAPP-0" not in client.cookies
    assert client.bodies() == {first}


# --- what comes back ---------------------------------------------------------------------------


def test_both_cookies_bring_the_session_back(start_alb, start_target):
    alb, _ = start(start_alb, start_target, b"a", b"b", b"c")
    client = Client(alb)
    first = client.visit("/login").body
    assert client.bodies(9) == {first}


@pytest.mark.parametrize("lost", ["SID", "AWSALBAPP-0"])
def test_one_of_the_two_is_none(start_alb, start_target, lost):
    alb, _ = start(start_alb, start_target, b"a", b"b")
    client = Client(alb)
    client.visit("/login")
    del client.cookies[lost]
    assert client.bodies() == {b"a", b"b"}


def test_ours_beside_another_session_is_none(start_alb, start_target):
    alb, _ = start(start_alb, start_target, b"a", b"b")
    client = Client(alb)
    client.visit("/login")
    client.cookies["SID"] = "somebody-else"
    assert client.bodies() == {b"a", b"b"}
    assert alb.metric('alb_sticky_requests_total{target_group="app",cookie="invalid"}') == 6


def test_a_session_of_another_value_has_other_cookies(start_alb, start_target):
    alb, _ = start(start_alb, start_target, b"a")
    one, two = Client(alb), Client(alb)
    one.visit("/login")
    two.visit("/login")
    assert one.cookies["AWSALBAPP-0"] != two.cookies["AWSALBAPP-0"]


@pytest.mark.parametrize("size", [100, 5000, 12000])
def test_a_long_session_needs_one_short_cookie(start_alb, start_target, size):
    alb, _ = start(start_alb, start_target, b"a", b"b", session="SID=%s" + "x" * size)
    client = Client(alb)
    first = client.visit("/login").body
    assert len(client.cookies["AWSALBAPP-0"]) == 87
    assert client.bodies() == {first}
    client.cookies["SID"] = client.cookies["SID"][:-1] + "y"
    assert client.bodies() == {b"a", b"b"}


def test_it_holds_for_its_duration(start_alb, start_target):
    alb, _ = start(start_alb, start_target, b"a", b"b",
                   settings="stickiness.app_cookie.duration_seconds = 1\n")
    client = Client(alb)
    client.visit("/login")
    wait_until(lambda: client.bodies(4) == {b"a", b"b"}, "the session to be over")


def test_the_rest_of_a_managed_balancer_is_taken_away(start_alb, start_target):
    alb, _ = start(start_alb, start_target, b"a", b"b")
    client = Client(alb)
    client.cookies = {f"AWSALBAPP-{i}": "AAAA" * 250 for i in range(4)}
    first = client.visit("/login").body
    assert [client.cookies[f"AWSALBAPP-{i}"] for i in (1, 2, 3)] == ["_remove_"] * 3
    assert client.bodies() == {first}


def test_an_upgrade_comes_to_its_session(start_alb, start_target):
    upgraded = Upgraded()

    def script(sock, head, rest):
        if b"websocket" in head:
            return upgraded(sock, head, rest)
        return application(b"x")(sock, head, rest)
    targets = [start_target(script) for _ in range(2)]
    alb = start_alb(ws_config(*targets, group=APP))
    page = ask(alb, request(path="/login"))
    pairs = "; ".join(v.split(";")[0] for v in values(page.head, "Set-Cookie"))
    for _ in range(5):
        assert not values(WsClient(alb, fields=f"Cookie: {pairs}\r\n".encode()).head, "Set-Cookie")
    assert sorted(len(t.seen) for t in targets) == [0, 6]


def test_a_101_that_sets_the_session_has_ours(start_alb, start_target):
    def script(sock, head, rest):
        return Upgraded(fields=b"Set-Cookie: SID=1\r\n")(sock, head, rest)
    alb = start_alb(ws_config(start_target(script), group=APP))
    names = [v.split("=")[0] for v in values(WsClient(alb).head, "Set-Cookie")]
    assert names == ["SID", "AWSALBAPP-0", "AWSALBAPP-1", "AWSALBAPP-2", "AWSALBAPP-3"]


# --- when the target is not there ----------------------------------------------------------------


def test_a_session_stays_where_it_had_to_go(start_alb, start_target):
    """Also when its first target recovers, and though the application sets nothing."""
    sick = set()
    targets = [start_target(application(name, sick)) for name in (b"a", b"b", b"c")]
    alb = start_alb(forward_config(*targets, group=APP + "health_check.interval_seconds = 100ms\n"
                                   "health_check.timeout_seconds = 100ms\n"))

    def states():
        return [t["state"] for t in alb.status()["target_groups"][0]["targets"]]
    wait_until(lambda: states() == ["healthy"] * 3, "all to be healthy")
    client = Client(alb)
    first = client.visit("/login").body
    sick.add(first)
    wait_until(lambda: "unhealthy" in states(), "it to be unhealthy")
    moved = client.visit()
    assert moved.body != first and len(ours(moved)) == 4
    assert client.bodies() == {moved.body}
    sick.clear()
    wait_until(lambda: states() == ["healthy"] * 3, "all to be healthy again")
    assert client.bodies() == {moved.body}


def test_a_session_of_a_target_that_does_not_answer_moves(start_alb, start_target):
    alb, targets = start(start_alb, start_target, b"a", b"b")
    client = Client(alb)
    first = client.visit("/login").body
    targets[[b"a", b"b"].index(first)].close()
    moved = client.visit()
    assert moved.body != first and len(ours(moved)) == 4
    assert client.bodies() == {moved.body}


def test_no_cookie_for_a_client_that_brought_none(start_alb, start_target):
    """Only sessions move; a new client has none yet."""
    alb, targets = start(start_alb, start_target, b"a", b"b")
    targets[0].close()
    client = Client(alb)
    for _ in range(4):
        assert not ours(client.visit())


# --- counters and configuration -------------------------------------------------------------------


def test_what_came_is_counted(start_alb, start_target):
    """NonStickyRequestCount and AppCookieNonStickinessCount."""
    alb, _ = start(start_alb, start_target, b"a", b"b")
    client = Client(alb)
    client.visit()
    client.visit("/login")
    client.visit()
    assert alb.metric("alb_non_sticky_requests_total") == 2
    assert alb.metric("alb_app_cookie_non_sticky_requests_total") == 2
    assert alb.metric('alb_sticky_requests_total{target_group="app",cookie="found"}') == 1


def test_with_weighted_groups_it_is_refused_with_its_line(tmp_path):
    path = tmp_path / "alb.ini"
    path.write_text(forward_config("127.0.0.1:1", group=UNPROBED + APP,
                                   more=other_group("127.0.0.1:2"))
                    .replace("{socket}", "/s").replace("{access}", "/a")
                    .replace("action = forward other", "action = forward app:1 other:1"))
    line = path.read_text().splitlines().index("action = forward app:1 other:1") + 1
    code, _, text = run("alb", "check", path)
    assert code == 1
    assert f"{path}:{line}: action: app has stickiness.type = app_cookie" in text, text
