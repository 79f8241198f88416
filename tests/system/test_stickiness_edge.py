"""Cookies that fail without a word behind an edge: it is said."""

import pytest
from balancer import forward_config
from cookies import Client, set_cookies
from harness import wait_until
from http_wire import ask, request
from scripted_target import answer
from ws_peers import Client as WsClient
from ws_peers import Upgraded, ws_config

STICKY = "health_check.enabled = false\nstickiness.enabled = true\n"
VIA = b"Via: 1.1 0123.cloudfront.net (CloudFront)\r\n"
CF_ID = b"X-Amz-Cf-Id: abcdef==\r\n"
MANAGED = b"aB3+/" * 25
ROW = 100  # so many in a row mean something


def start(start_alb, start_target, group=STICKY, **how):
    return start_alb(forward_config(start_target(answer(b"x", **how)), group=group))


def send(alb, times, *fields):
    with alb.connect() as sock:
        for _ in range(times):
            sock.sendall(request(fields=b"".join(fields)))
            have = b""
            while b"\r\n\r\nx" not in have:
                have += sock.recv(65536)


def warnings(alb):
    return [line for line in alb.log().splitlines() if "sticky cookies fail" in line]


def wait_for_warning(alb, *texts):
    wait_until(lambda: warnings(alb), "the warning")
    line, = warnings(alb)
    assert all(text in line for text in ("group=app", *texts)), line
    return line


def sticky_sign(alb):
    return alb.status()["target_groups"][0]["sticky_cookies"]


# --- an edge that brings no cookies back --------------------------------------------------------------


@pytest.mark.parametrize("mark", [VIA, CF_ID])
def test_cookies_that_never_return_through_an_edge_are_told(start_alb, start_target, mark):
    alb = start(start_alb, start_target)
    send(alb, ROW, mark)
    wait_for_warning(alb, "cookie=AWSALB ", "the edge brings none back", "AllViewer",
                     "origin request policy")
    assert "brings none back" in sticky_sign(alb)["reason"]
    assert "app: cookies are set, and the edge brings none back; let the edge" in alb.ok("status")


def test_it_is_said_once(start_alb, start_target):
    alb = start(start_alb, start_target)
    send(alb, 3 * ROW, VIA)
    wait_for_warning(alb)


def test_an_edge_that_forwards_other_cookies_is_told_to_name_these(start_alb, start_target):
    alb = start(start_alb, start_target)
    send(alb, ROW, VIA, b"Cookie: session=1\r\n")
    wait_for_warning(alb, "brings others back but not these", "name these cookies")


def test_too_few_say_nothing(start_alb, start_target):
    alb = start(start_alb, start_target)
    send(alb, ROW - 1, VIA)
    assert sticky_sign(alb) is None and not warnings(alb)


def test_one_that_returns_is_enough(start_alb, start_target):
    alb = start(start_alb, start_target)
    client = Client(alb)
    client.visit()
    send(alb, ROW - 1, VIA)
    send(alb, 1, VIA, client.header())
    send(alb, ROW - 1, VIA)
    assert sticky_sign(alb) is None and not warnings(alb)


def test_it_is_over_when_one_returns(start_alb, start_target):
    alb = start(start_alb, start_target)
    client = Client(alb)
    client.visit()
    send(alb, ROW, VIA)
    assert sticky_sign(alb) is not None
    send(alb, 1, VIA, client.header())
    assert sticky_sign(alb) is None


def test_without_an_edge_it_is_no_sign(start_alb, start_target):
    """Whoever comes without cookies is new, or keeps none: its own affair."""
    alb = start(start_alb, start_target)
    send(alb, 2 * ROW)
    assert sticky_sign(alb) is None and not warnings(alb)


def test_without_stickiness_nothing_is_said(start_alb, start_target):
    alb = start(start_alb, start_target, group="health_check.enabled = false")
    send(alb, 2 * ROW, VIA)
    assert sticky_sign(alb) is None and not warnings(alb)


def test_sessions_of_an_application_are_told_as_well(start_alb, start_target):
    alb = start(start_alb, start_target, fields=b"Set-Cookie: SID=1\r\n", group=STICKY +
                "stickiness.type = app_cookie\nstickiness.app_cookie.cookie_name = SID\n")
    send(alb, ROW, VIA)
    wait_for_warning(alb, "cookie=AWSALBAPP ", "the edge brings none back")


KEPT = ("default_action = forward app", "default_action = forward app stickiness=60")


def test_the_cookies_of_groups_are_told_as_well(start_alb, start_target):
    alb = start_alb(forward_config(start_target(answer(b"x"))).replace(*KEPT))
    client = Client(alb)
    client.visit()
    send(alb, ROW, VIA)
    wait_for_warning(alb, "cookie=AWSALBTG ", "the edge brings none back")
    assert sticky_sign(alb) is not None
    send(alb, 1, VIA, client.header())
    assert sticky_sign(alb) is None


def test_a_group_that_is_not_sticky_any_more_has_no_sign(start_alb, start_target):
    config = forward_config(start_target(answer(b"x")))
    alb = start_alb(config.replace(*KEPT))
    send(alb, ROW, VIA)
    assert sticky_sign(alb) is not None
    alb.configure(config)
    alb.reload()
    assert sticky_sign(alb) is None


# --- another balancer's cookies ------------------------------------------------------------------------


def test_the_cookies_of_a_balancer_above_are_recognised(start_alb, start_target):
    alb = start(start_alb, start_target)
    send(alb, ROW, b"Cookie: AWSALB=" + MANAGED + b"; AWSALBCORS=" + MANAGED + b"\r\n")
    wait_for_warning(alb, "a balancer above sets cookies of the same names",
                     "stickiness.lb_cookie.cookie_name", "stickiness.lb_cookie.cors_cookie_name")


def test_a_balancer_above_with_cookies_of_groups(start_alb, start_target):
    alb = start_alb(forward_config(start_target(answer(b"x"))).replace(*KEPT))
    send(alb, ROW, b"Cookie: AWSALBTG=" + MANAGED + b"\r\n")
    wait_for_warning(alb, "cookie=AWSALBTG ", "stickiness.group_cookie.cookie_name")


def test_what_is_left_of_one_is_no_sign(start_alb, start_target):
    """After a move to this balancer: each client brings the old one once."""
    alb = start(start_alb, start_target)
    client = Client(alb)
    client.visit()
    for _ in range(2):
        send(alb, ROW - 1, b"Cookie: AWSALB=" + MANAGED + b"\r\n")
        send(alb, 1, client.header())
    assert sticky_sign(alb) is None and not warnings(alb)


def test_with_other_names_both_get_along(start_alb, start_target):
    targets = [start_target(answer(name)) for name in (b"a", b"b")]
    alb = start_alb(forward_config(*targets, group=STICKY +
                                   "stickiness.lb_cookie.cookie_name = INNER\n"
                                   "stickiness.lb_cookie.cors_cookie_name = INNERCORS\n"))
    client = Client(alb)
    client.cookies["AWSALB"] = MANAGED.decode()
    first = client.visit().body
    assert client.bodies() == {first} and client.cookies["AWSALB"] == MANAGED.decode()


# --- responses that caches keep for everybody -------------------------------------------------------------


PUBLIC = ["public", "public, max-age=600", "s-maxage=60", "max-age=0, s-maxage=5"]
PRIVATE = ["private", "no-store", "max-age=600", "s-maxage=0", "public, no-store",
           "public, private"]


def cached(control):
    return {"fields": f"Cache-Control: {control}\r\n".encode()}


@pytest.mark.parametrize("control", PUBLIC)
def test_a_public_response_gets_no_cookie(start_alb, start_target, control):
    alb = start(start_alb, start_target, **cached(control))
    got = Client(alb).visit()
    assert set_cookies(got) == [] and got.values("Cache-Control") == [control]
    assert alb.metric("alb_sticky_responses_withheld_total") == 1


@pytest.mark.parametrize("control", PRIVATE)
def test_another_response_gets_them(start_alb, start_target, control):
    alb = start(start_alb, start_target, **cached(control))
    assert len(set_cookies(Client(alb).visit())) == 2
    assert alb.metric("alb_sticky_responses_withheld_total") == 0


@pytest.mark.parametrize("alb_lines, group_lines", [
    ("", "stickiness.on_public_responses = yes\n"),
    ("profile = aws\n", ""),
])
def test_unless_it_is_said(start_alb, start_target, alb_lines, group_lines):
    target = start_target(answer(b"x", **cached("public")))
    alb = start_alb(forward_config(target, group=STICKY + group_lines, alb=alb_lines))
    assert len(set_cookies(Client(alb).visit())) == 2


def test_a_client_stays_where_it_is_through_public_responses(start_alb, start_target):
    def by_path(name):
        def script(sock, head, _rest):
            control = b"Cache-Control: public\r\n" if b"/static" in head else b""
            sock.sendall(b"HTTP/1.1 200 OK\r\n%sContent-Length: 1\r\n\r\n%s" % (control, name))
            return True
        return script
    alb = start_alb(forward_config(*(start_target(by_path(n)) for n in (b"a", b"b")),
                                   group=STICKY))
    client = Client(alb)
    first = client.visit().body
    assert client.bodies(6, "/static") == {first}


def test_the_cookies_of_sessions_and_groups_are_held_back_as_well(start_alb, start_target):
    fields = b"Cache-Control: public\r\nSet-Cookie: SID=1\r\n"
    app = STICKY + "stickiness.type = app_cookie\nstickiness.app_cookie.cookie_name = SID\n"
    alb = start(start_alb, start_target, fields=fields, group=app)
    assert [c.name for c in set_cookies(Client(alb).visit())] == ["SID"], "its own affair"
    target = start_target(answer(b"x", fields=fields))
    alb = start_alb(forward_config(target).replace("default_action = forward app",
                                                   "default_action = forward app stickiness=9"))
    assert [c.name for c in set_cookies(Client(alb).visit())] == ["SID"]


def test_a_101_is_kept_by_nobody(start_alb, start_target):
    target = start_target(Upgraded(fields=b"Cache-Control: public\r\n"))
    alb = start_alb(ws_config(target, group="stickiness.enabled = true\n"))
    assert b"Set-Cookie: AWSALB=" in WsClient(alb).head


def test_an_edge_that_caches_is_not_blamed(start_alb, start_target):
    """No cookie was set, so none can return."""
    alb = start(start_alb, start_target, **cached("public"))
    send(alb, 2 * ROW, VIA)
    assert sticky_sign(alb) is None and ask(alb, request()).status == 200
