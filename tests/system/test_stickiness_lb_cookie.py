"""lb_cookie: a cookie of the balancer brings a client back to its target."""

import time

import pytest
from balancer import forward_config
from cookies import SEALED, Client, is_like_the_reference, set_cookies
from harness import grown_kb, resident_kb, wait_until
from http_wire import ask, request
from scripted_target import answer

STICKY = "health_check.enabled = false\nstickiness.enabled = true\n"


def start_named(start_target, *names):
    return [start_target(answer(name.encode())) for name in names]


def visit(alb, cookie=None):
    """(body, the cookies that were set by name)"""
    fields = f"Cookie: {cookie}\r\n".encode() if cookie else b""
    got = ask(alb, request(fields=fields))
    assert got.status == 200
    return got.body, {c.name: c.value for c in set_cookies(got)}


# --- what is set -----------------------------------------------------------------------------


def test_both_cookies_are_as_the_reference_has_them(start_alb, start_target):
    alb = start_alb(forward_config(*start_named(start_target, "a", "b"), group=STICKY))
    client = Client(alb)
    for _ in range(3):
        plain, cors = set_cookies(client.visit())
        assert (plain.name, cors.name) == ("AWSALB", "AWSALBCORS")
        assert SEALED.fullmatch(plain.value) and cors.value == plain.value
        assert is_like_the_reference(plain) and is_like_the_reference(cors, twin=True)


def test_expires_is_seven_days_ahead_whatever_the_duration(start_alb, start_target):
    alb = start_alb(forward_config(*start_named(start_target, "a"), group=STICKY +
                                   "stickiness.lb_cookie.duration_seconds = 1\n"))
    for cookie in set_cookies(Client(alb).visit()):
        assert is_like_the_reference(cookie, twin=cookie.name == "AWSALBCORS")


def test_names_of_ones_own(start_alb, start_target):
    alb = start_alb(forward_config(*start_named(start_target, "a", "b"), group=STICKY +
                                   "stickiness.lb_cookie.cookie_name = mine\n"
                                   "stickiness.lb_cookie.cors_cookie_name = mine-too\n"))
    client = Client(alb)
    first = client.visit().body
    assert list(client.cookies) == ["mine", "mine-too"]
    assert client.bodies() == {first}


def answer_by_path(sock, head, _rest):
    """/404, /503, /204, /304: that status; else 200."""
    words = head.split()
    status = int(words[1][1:] or b"200")
    length = b"" if status in (204, 304) else b"Content-Length: 2\r\n"
    body = b"" if words[0] == b"HEAD" or not length else b"ok"
    sock.sendall(b"HTTP/1.1 %d X\r\n%s\r\n%s" % (status, length, body))
    return True


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/404", 404), ("GET", "/503", 503), ("POST", "/500", 500), ("GET", "/204", 204),
    ("GET", "/304", 304), ("HEAD", "/", 200), ("HEAD", "/404", 404), ("OPTIONS", "/", 200),
    ("PURGE", "/", 200),
])
def test_every_response_of_a_target_has_them(start_alb, start_target, method, path, status):
    alb = start_alb(forward_config(start_target(answer_by_path), group=STICKY))
    got = Client(alb).visit(path, method, status=status)
    assert [c.name for c in set_cookies(got)] == ["AWSALB", "AWSALBCORS"]


def silent(_sock, _head, _rest):
    return False


def test_answers_of_the_balancer_have_none(start_alb, start_target):
    target = start_target(silent)
    config = forward_config(target, group=STICKY, more="""
[target_group nobody]
stickiness.enabled = true
[rule nobody]
listener = http
priority = 1
path-pattern = /nobody
action = forward nobody
[rule fixed]
listener = http
priority = 2
path-pattern = /fixed
action = fixed-response 200 text/plain "here"
[rule elsewhere]
listener = http
priority = 3
path-pattern = /elsewhere
action = redirect 302 "http://#{host}:80/#{path}"
""")
    alb = start_alb(config)
    for path, status in (("/", 502), ("/nobody", 503), ("/fixed", 200), ("/elsewhere", 302)):
        assert set_cookies(Client(alb).visit(path, status=status)) == [], path


def test_without_stickiness_there_is_no_cookie(start_alb, start_target):
    alb = start_alb(forward_config(*start_named(start_target, "a")))

    assert visit(alb)[1] == {}


# --- what comes back ---------------------------------------------------------------------------


def test_the_cookie_returns_to_the_same_target(start_alb, start_target):
    alb = start_alb(forward_config(*start_named(start_target, "a", "b", "c"), group=STICKY))

    for name in ("AWSALB", "AWSALBCORS"):
        first, cookies = visit(alb)
        for _ in range(6):
            assert visit(alb, f"x=1; {name}={cookies[name]}; y=2")[0] == first


WAYS = {
    "alone": "Cookie: AWSALB={v}\r\n",
    "quoted": 'Cookie: AWSALB="{v}"\r\n',
    "without blanks": "Cookie: a=1;AWSALB={v};b=2\r\n",
    "with many blanks": "Cookie:  a = 1 ;\t AWSALB = {v} ; \r\n",
    "of RFC 2965": 'Cookie: $Version="1"; AWSALB="{v}"; $Path="/"\r\n',
    "beside cookies without names": "Cookie: =x; y; ; AWSALB={v};;\r\n",
    "in the second field": "Cookie: a=1\r\nX-Between: 1\r\ncookie: AWSALB={v}\r\n",
    "in a field of its own for each": "Cookie: a=1\r\nCookie: AWSALB={v}\r\nCookie: b=2\r\n",
    "behind a false one": "Cookie: AWSALB=x; AWSALB={v}\r\n",
    "behind one of the managed balancer": "Cookie: AWSALB=" + "aB3+/" * 25 + "; AWSALBCORS={v}\r\n",
    "behind JSON": 'Cookie: j={{"a":[1,2]}}; AWSALB={v}\r\n',
    "behind 15 KB of others": "Cookie: " + "k=" + "x" * 15000 + "; AWSALB={v}\r\n",
    "among 600 others": "Cookie: " + "; ".join(f"c{i}={i}" for i in range(600)) + "; AWSALB={v}\r\n",
}


@pytest.mark.parametrize("way", WAYS)
def test_however_it_is_sent(start_alb, start_target, way):
    alb = start_alb(forward_config(*start_named(start_target, "a", "b", "c"), group=STICKY))

    first, cookies = visit(alb)
    fields = WAYS[way].format(v=cookies["AWSALB"]).encode()
    assert {ask(alb, request(fields=fields)).body for _ in range(6)} == {first}


def test_a_forged_or_broken_cookie_is_as_none(start_alb, start_target):
    alb = start_alb(forward_config(*start_named(start_target, "a", "b"), group=STICKY))

    value = visit(alb)[1]["AWSALB"]
    flipped = ("A" if value[10] != "A" else "B").join((value[:10], value[11:]))
    encoded = "".join(f"%{ord(c):02X}" for c in value)
    for bad in (flipped, value[:-4], value * 2, "", "x", "%00", value.lower(), encoded,
                value[:-1] + "%3D"):
        seen = {visit(alb, f"AWSALB={bad}")[0] for _ in range(4)}
        assert seen == {b"a", b"b"}, bad


def test_false_cookies_without_end_are_given_up(start_alb, start_target):
    """Eight are opened; a good one behind them is not found, one before them is."""
    alb = start_alb(forward_config(*start_named(start_target, "a", "b"), group=STICKY))

    first, cookies = visit(alb)
    good, false = f"AWSALB={cookies['AWSALB']}", "; ".join(["AWSALB=" + "A" * 87] * 100)
    assert {visit(alb, f"{good}; {false}")[0] for _ in range(4)} == {first}
    assert {visit(alb, f"{false}; {good}")[0] for _ in range(4)} == {b"a", b"b"}


def test_another_balancers_cookie_is_as_none(start_alb, start_target):
    targets = start_named(start_target, "a", "b")
    one = start_alb(forward_config(*targets, group=STICKY), "one")
    two = start_alb(forward_config(*targets, group=STICKY), "two")

    value = visit(one)[1]["AWSALB"]
    assert {visit(two, f"AWSALB={value}")[0] for _ in range(4)} == {b"a", b"b"}


def test_the_cookie_of_another_group_is_as_none(start_alb, start_target):
    targets = start_named(start_target, "a", "b")
    others = "\n".join(f"target = {t.address}" for t in targets)
    alb = start_alb(forward_config(*targets, group=STICKY, more=f"""
[target_group other]
{others}
{STICKY}
[rule other]
listener = http
priority = 1
path-pattern = /other
action = forward other
"""))

    client = Client(alb)
    value = client.visit().body and client.cookies["AWSALB"]
    fields = f"Cookie: AWSALB={value}\r\n".encode()
    assert {ask(alb, request(path="/other", fields=fields)).body for _ in range(4)} == {b"a", b"b"}
    assert alb.metric('alb_sticky_requests_total{target_group="other",cookie="stale"}') == 4


def test_an_expired_cookie_is_as_none(start_alb, start_target):
    alb = start_alb(forward_config(*start_named(start_target, "a", "b"), group=STICKY +
                                   "stickiness.lb_cookie.duration_seconds = 2\n"))
    first, cookies = visit(alb)
    began = time.time()
    held = 0

    def over():
        nonlocal held
        if visit(alb, f"AWSALB={cookies['AWSALB']}")[0] != first:
            return True
        held += 1
        return False
    wait_until(over, "the cookie to expire")
    assert held > 0 and time.time() - began > 0.9


def test_a_shorter_duration_holds_for_cookies_that_are_out(start_alb, start_target):
    targets = start_named(start_target, "a", "b")
    alb = start_alb(forward_config(*targets, group=STICKY))
    client = Client(alb)
    client.visit()
    old = dict(client.cookies)
    alb.configure(forward_config(*targets, group=STICKY +
                                 "stickiness.lb_cookie.duration_seconds = 1\n"))
    alb.reload()

    def both():
        return {visit(alb, f"AWSALB={old['AWSALB']}")[0] for _ in range(4)} == {b"a", b"b"}
    wait_until(both, "the old cookie to be over")


# --- when its target is not there ------------------------------------------------------------


def healthy_until(sick, name):
    def run(sock, head, _rest):
        status = b"500 Sick" if name in sick and b"ELB-HealthChecker" in head else b"200 OK"
        sock.sendall(b"HTTP/1.1 %s\r\nContent-Length: 1\r\n\r\n%s" % (status, name))
        return True
    return run


PROBED = """stickiness.enabled = true
health_check.interval_seconds = 100ms
health_check.timeout_seconds = 100ms
"""


def states(alb):
    return [t["state"] for t in alb.status()["target_groups"][0]["targets"]]


def test_an_unhealthy_target_is_left_and_the_cookie_rewritten(start_alb, start_target):
    sick = set()
    targets = [start_target(healthy_until(sick, name)) for name in (b"a", b"b")]
    alb = start_alb(forward_config(*targets, group=PROBED))

    wait_until(lambda: states(alb) == ["healthy"] * 2, "both to be healthy")
    first, cookies = visit(alb)
    sick.add(first)
    wait_until(lambda: "unhealthy" in states(alb), "it to be unhealthy")
    other, renewed = visit(alb, f"AWSALB={cookies['AWSALB']}")
    assert other != first
    assert visit(alb, f"AWSALB={renewed['AWSALB']}")[0] == other
    sick.clear()
    wait_until(lambda: states(alb) == ["healthy"] * 2, "both to be healthy again")
    for _ in range(4):
        assert visit(alb, f"AWSALB={renewed['AWSALB']}")[0] == other


def test_a_draining_target_gets_no_new_request(start_alb, start_target):
    targets = start_named(start_target, "a", "b")
    alb = start_alb(forward_config(*targets, group=STICKY))
    client = Client(alb)
    first = client.visit().body
    index = [b"a", b"b"].index(first)
    alb.ok("drain", "app", targets[index].address)
    assert client.bodies() == {b"ab".replace(first, b"")}
    alb.ok("undrain", "app", targets[index].address)
    assert client.bodies() == {b"ab".replace(first, b"")}, "its new cookie holds"


def test_it_survives_a_reload_that_keeps_the_target(start_alb, start_target):
    a, b, c = start_named(start_target, "a", "b", "c")
    alb = start_alb(forward_config(a, b, group=STICKY))

    first, cookies = visit(alb)
    alb.configure(forward_config(c, b, a, group=STICKY))
    alb.reload()
    for _ in range(6):
        assert visit(alb, f"AWSALB={cookies['AWSALB']}")[0] == first


def test_a_target_that_was_taken_out_is_left(start_alb, start_target):
    a, b = start_named(start_target, "a", "b")
    alb = start_alb(forward_config(a, group=STICKY))

    cookies = visit(alb)[1]
    alb.configure(forward_config(b, group=STICKY))
    alb.reload()
    assert visit(alb, f"AWSALB={cookies['AWSALB']}")[0] == b"b"


def test_a_target_that_does_not_answer_is_left(start_alb, start_target):
    """A retry is a new choice: the response carries the cookie of who gave it."""
    targets = start_named(start_target, "a", "b")
    alb = start_alb(forward_config(*targets, group=STICKY))
    client = Client(alb)
    first = client.visit().body
    targets[[b"a", b"b"].index(first)].close()
    other = client.visit().body
    assert other != first
    assert client.bodies() == {other}


# --- what is counted -------------------------------------------------------------------------


def test_what_came_is_counted(start_alb, start_target):
    """NonStickyRequestCount: a target was chosen although the group is sticky."""
    alb = start_alb(forward_config(*start_named(start_target, "a", "b"), group=STICKY))
    client = Client(alb)
    client.visit()
    good = client.cookies["AWSALB"]
    for cookie in (good, good, "A" * 87, "aB3+/" * 25, "x", "%41"):
        visit(alb, f"AWSALB={cookie}")
    assert alb.metric("alb_non_sticky_requests_total") == 5
    assert alb.metric("alb_app_cookie_non_sticky_requests_total") == 0
    counts = {kind: alb.metric(f'alb_sticky_requests_total{{target_group="app",cookie="{kind}"}}')
              for kind in ("found", "stale", "invalid", "managed", "foreign", "none")}
    assert counts == {"found": 2, "stale": 0, "invalid": 1, "managed": 1, "foreign": 2, "none": 1}


# --- a flood of forged ones ----------------------------------------------------------------------


def test_a_flood_of_forged_cookies_costs_no_memory(start_alb, start_target):
    alb = start_alb(forward_config(*start_named(start_target, "a"), group=STICKY))
    false = request(fields=b"Cookie: " + b"; ".join([b"AWSALB=" + b"A" * 87] * 100) + b"\r\n")

    def flood(times):
        with alb.connect() as sock:
            for _ in range(times):
                sock.sendall(false)
                while b"\r\n\r\na" not in sock.recv(65536):
                    pass
    flood(300)
    before = resident_kb(alb.pid)
    flood(1500)
    assert grown_kb(alb.pid, before) < 2048
    assert alb.metric('alb_sticky_requests_total{target_group="app",cookie="invalid"}') == 1800
