"""A cookie brings a client back to its target."""

import re

from harness import answer, ask, forward_config, request, wait_until

STICKY = "health_check.enabled = false\nstickiness.enabled = true"


def start_named(start_target, *names):
    return [start_target(answer(name.encode())) for name in names]


def visit(alb, cookie=None):
    """(body, the cookies that were set by name)"""
    fields = f"Cookie: {cookie}\r\n".encode() if cookie else b""
    got = ask(alb, request(fields=fields))
    assert got.status == 200
    set_ones = dict(v.split(";")[0].split("=", 1) for v in got.values("Set-Cookie"))
    return got.body, set_ones


def test_both_cookies_are_set_on_every_response(start_alb, start_target):
    alb = start_alb(forward_config(*start_named(start_target, "a", "b"), group=STICKY))

    cookie = None
    for _ in range(3):
        fields = f"Cookie: {cookie}\r\n".encode() if cookie else b""
        got = ask(alb, request(fields=fields))
        plain, cors = got.values("Set-Cookie")
        date = r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
        assert re.fullmatch(rf"AWSALB=([^;]+); Expires={date}; Path=/", plain), plain
        assert re.fullmatch(rf"AWSALBCORS=[^;]+; Expires={date}; Path=/; SameSite=None.*", cors)
        assert plain.split(";")[0][7:] == cors.split(";")[0][11:], "the same value"
        cookie = plain.split(";")[0]


def test_the_cookie_returns_to_the_same_target(start_alb, start_target):
    alb = start_alb(forward_config(*start_named(start_target, "a", "b", "c"), group=STICKY))

    for name in ("AWSALB", "AWSALBCORS"):
        first, cookies = visit(alb)
        for _ in range(6):
            assert visit(alb, f"x=1; {name}={cookies[name]}; y=2")[0] == first


def test_without_stickiness_there_is_no_cookie(start_alb, start_target):
    alb = start_alb(forward_config(*start_named(start_target, "a")))

    assert visit(alb)[1] == {}


def test_a_forged_or_broken_cookie_is_as_none(start_alb, start_target):
    alb = start_alb(forward_config(*start_named(start_target, "a", "b"), group=STICKY))

    value = visit(alb)[1]["AWSALB"]
    flipped = ("A" if value[10] != "A" else "B").join((value[:10], value[11:]))
    for bad in (flipped, value[:-4], value * 2, "", "x", "%00", value.lower()):
        seen = {visit(alb, f"AWSALB={bad}")[0] for _ in range(4)}
        assert seen == {b"a", b"b"}, bad


def test_another_balancers_cookie_is_as_none(start_alb, start_target):
    targets = start_named(start_target, "a", "b")
    one = start_alb(forward_config(*targets, group=STICKY), "one")
    two = start_alb(forward_config(*targets, group=STICKY), "two")

    value = visit(one)[1]["AWSALB"]
    assert {visit(two, f"AWSALB={value}")[0] for _ in range(4)} == {b"a", b"b"}


def test_balancers_with_one_key_file_agree(start_alb, start_target, tmp_path):
    key = tmp_path / "key"
    key.write_text("0123456789abcdef" * 4 + "\n")
    key.chmod(0o600)
    targets = start_named(start_target, "a", "b", "c")
    config = forward_config(*targets, group=STICKY, alb=f"seal_key_file = {key}")
    one, two = start_alb(config, "one"), start_alb(config, "two")

    first, cookies = visit(one)
    for _ in range(6):
        assert visit(two, f"AWSALB={cookies['AWSALB']}")[0] == first


def test_an_unhealthy_target_is_left_and_the_cookie_rewritten(start_alb, start_target):
    sick = set()

    def script(name):
        def run(sock, head, _rest):
            status = b"500 Sick" if name in sick and b"ELB-HealthChecker" in head else b"200 OK"
            sock.sendall(b"HTTP/1.1 %s\r\nContent-Length: 1\r\n\r\n%s" % (status, name))
            return True
        return run
    targets = [start_target(script(name)) for name in (b"a", b"b")]
    alb = start_alb(forward_config(*targets, group="""stickiness.enabled = true
health_check.interval_seconds = 100ms
health_check.timeout_seconds = 100ms"""))

    def states():
        return [t["state"] for t in alb.status()["target_groups"][0]["targets"]]
    wait_until(lambda: states() == ["healthy"] * 2, "both to be healthy")
    first, cookies = visit(alb)
    sick.add(first)
    wait_until(lambda: "unhealthy" in states(), "it to be unhealthy")
    other, renewed = visit(alb, f"AWSALB={cookies['AWSALB']}")
    assert other != first
    assert visit(alb, f"AWSALB={renewed['AWSALB']}")[0] == other
    sick.clear()
    wait_until(lambda: states() == ["healthy"] * 2, "both to be healthy again")
    for _ in range(4):
        assert visit(alb, f"AWSALB={renewed['AWSALB']}")[0] == other


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
