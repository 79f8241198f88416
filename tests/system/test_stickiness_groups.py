"""Weighted groups: a cookie keeps a client with the group that it got."""

from balancer import forward_config
from cookies import SEALED, Client, is_like_the_reference, set_cookies
from harness import run, wait_until
from http_wire import ask, request, values
from scripted_target import answer
from ws_peers import Client as WsClient
from ws_peers import Upgraded, ws_config

GROUP = """
[target_group {name}]
{targets}
health_check.enabled = false
{settings}
"""


def group(name, *targets, settings=""):
    lines = "\n".join(f"target = {t.address}" for t in targets)
    return GROUP.format(name=name, targets=lines, settings=settings)


def rule(action, path="/*", priority=1):
    return f"""
[rule r{priority}]
listener = http
priority = {priority}
path-pattern = {path}
action = {action}
"""


def config(*parts, alb=""):
    return forward_config("127.0.0.1:1", alb=alb, more="".join(parts))


def two_groups(start_target):
    blue, green = start_target(answer(b"blue")), start_target(answer(b"green"))
    return group("blue", blue) + group("green", green)


# --- what is set -----------------------------------------------------------------------------


def test_both_cookies_are_as_the_reference_has_them(start_alb, start_target):
    alb = start_alb(config(two_groups(start_target), rule("forward blue:1 green:1 stickiness=60")))
    client = Client(alb)
    for _ in range(2):
        plain, cors = set_cookies(client.visit())
        assert (plain.name, cors.name) == ("AWSALBTG", "AWSALBTGCORS")
        assert SEALED.fullmatch(plain.value) and cors.value == plain.value
        assert is_like_the_reference(plain) and is_like_the_reference(cors, twin=True)


def test_without_stickiness_a_forward_sets_none(start_alb, start_target):
    alb = start_alb(config(two_groups(start_target), rule("forward blue:1 green:1")))
    assert set_cookies(Client(alb).visit()) == []


def test_names_of_ones_own(start_alb, start_target):
    alb = start_alb(config(two_groups(start_target), rule("forward blue:1 green:1 stickiness=60"),
                           alb="stickiness.group_cookie.cookie_name = TG\n"
                           "stickiness.group_cookie.cors_cookie_name = TGCORS\n"))
    client = Client(alb)
    first = client.visit().body
    assert list(client.cookies) == ["TG", "TGCORS"]
    assert client.bodies(12) == {first}


# --- what comes back ---------------------------------------------------------------------------


def test_a_client_stays_with_its_group(start_alb, start_target):
    alb = start_alb(config(two_groups(start_target), rule("forward blue:1 green:1 stickiness=60")))
    firsts = set()
    for _ in range(40):
        client = Client(alb)
        first = client.visit().body
        assert client.bodies() == {first}
        firsts.add(first)
    assert firsts == {b"blue", b"green"}


def test_either_twin_will_do(start_alb, start_target):
    alb = start_alb(config(two_groups(start_target), rule("forward blue:1 green:1 stickiness=60")))
    client = Client(alb)
    first = client.visit().body
    fields = f"Cookie: AWSALBTGCORS={client.cookies['AWSALBTGCORS']}\r\n".encode()
    assert {ask(alb, request(fields=fields)).body for _ in range(12)} == {first}


def test_it_holds_for_its_duration(start_alb, start_target):
    alb = start_alb(config(two_groups(start_target), rule("forward blue:1 green:1 stickiness=1")))
    client = Client(alb)
    client.visit()
    fields = client.header()
    wait_until(lambda: len({ask(alb, request(fields=fields)).body for _ in range(8)}) == 2,
               "the cookie to be over")


def test_the_cookie_holds_for_each_rule_that_has_the_group(start_alb, start_target):
    alb = start_alb(config(two_groups(start_target),
                           rule("forward blue:1 green:1 stickiness=60", "/one", 1),
                           rule("forward green:9 blue:1 stickiness=60", "/two", 2)))
    for _ in range(4):
        client = Client(alb)
        first = client.visit("/one").body
        assert client.bodies(6, "/two") == {first}


def test_a_group_that_is_gone_is_chosen_anew(start_alb, start_target):
    both = two_groups(start_target)
    alb = start_alb(config(both, rule("forward blue:1 stickiness=60")))
    client = Client(alb)
    assert client.visit().body == b"blue"
    alb.configure(config(both, rule("forward green:1 stickiness=60")))
    alb.reload()
    assert client.bodies() == {b"green"}
    wait_until(lambda: len(alb.access_rows()) == 7, "all rows")
    assert "AWSALBTG" not in "".join(alb.access_rows()), "that is no error"


def test_a_group_of_weight_0_keeps_its_clients_until_their_cookie_is_over(start_alb, start_target):
    both = two_groups(start_target)
    alb = start_alb(config(both, rule("forward blue:1 green:0 stickiness=3")))
    client = Client(alb)
    assert client.visit().body == b"blue"
    alb.configure(config(both, rule("forward blue:0 green:1 stickiness=3")))
    alb.reload()
    assert {Client(alb).visit().body for _ in range(4)} == {b"green"}, "no new ones"
    kept = client.visit()
    assert kept.body == b"blue" and set_cookies(kept) == [], "not issued again"
    wait_until(lambda: client.visit().body == b"green", "the cookie to be over")
    assert client.bodies() == {b"green"}


# --- the targets of the group ------------------------------------------------------------------


def test_group_and_target_both_stick(start_alb, start_target):
    names = [b"a1", b"a2", b"b1", b"b2"]
    a1, a2, b1, b2 = (start_target(answer(n)) for n in names)
    sticky = "stickiness.enabled = true"
    alb = start_alb(config(group("a", a1, a2, settings=sticky),
                           group("b", b1, b2, settings=sticky),
                           rule("forward a:1 b:1 stickiness=60")))
    firsts = set()
    for _ in range(40):
        client = Client(alb)
        got = client.visit()
        assert [c.name for c in set_cookies(got)] == ["AWSALBTG", "AWSALBTGCORS", "AWSALB",
                                                      "AWSALBCORS"]
        assert client.bodies(4) == {got.body}
        firsts.add(got.body)
    assert firsts == set(names)


def test_a_target_that_is_gone_is_chosen_anew_within_the_group(start_alb, start_target):
    a1, a2, b1 = (start_target(answer(n)) for n in (b"a1", b"a2", b"b1"))
    sticky = "stickiness.enabled = true"
    ruled = rule("forward a:999 b:1 stickiness=60")
    alb = start_alb(config(group("a", a1, settings=sticky), group("b", b1, settings=sticky), ruled))
    client = Client(alb)
    while client.visit().body != b"a1":
        client = Client(alb)
    alb.configure(config(group("a", a2, settings=sticky), group("b", b1, settings=sticky), ruled))
    alb.reload()
    assert client.bodies() == {b"a2"}


def test_an_empty_group_keeps_its_clients(start_alb, start_target):
    """No other group steps in, as without a cookie."""
    both = two_groups(start_target)
    ruled = rule("forward blue:1 green:0 stickiness=60")
    alb = start_alb(config(both, ruled))
    client = Client(alb)
    client.visit()
    alb.ok("drain", "blue")
    got = client.visit(status=503)
    assert set_cookies(got) == []


def test_explain_says_that_a_cookie_decides(start_alb, start_target):
    alb = start_alb(config(two_groups(start_target), rule("forward blue:1 green:1 stickiness=60")))
    code, text, _ = run("alb", "explain", alb.path, "GET", "/", "Host: a", "--listener",
                        "http")
    assert code == 0
    assert "a client with a cookie of one of these groups (AWSALBTG) goes back to it" in text


# --- error_reason ----------------------------------------------------------------------------------


def test_a_malformed_cookie_is_told_in_the_log(start_alb, start_target):
    alb = start_alb(config(two_groups(start_target), rule("forward blue:1 green:1 stickiness=60")))
    client = Client(alb)
    client.visit()
    value = client.cookies["AWSALBTG"]
    bad = {"encoded": "".join(f"%{ord(c):02X}" for c in value), "torn": value[:-1],
           "forged": "A" * 87, "empty": ""}
    for name, cookie in bad.items():
        fields = f"Cookie: AWSALBTG={cookie}\r\n".encode()
        got = ask(alb, request(path=f"/{name}", fields=fields))
        assert got.status == 200 and len(set_cookies(got)) == 2, "served by a fresh choice"
        assert '"AWSALBTGCookieInvalid"' in alb.access_row(f"/{name} "), name


def test_what_is_no_mistake_is_not_told(start_alb, start_target):
    alb = start_alb(config(two_groups(start_target), rule("forward blue:1 green:1 stickiness=60")))
    client = Client(alb)
    client.visit("/none")
    client.visit("/good")
    fields = f"Cookie: AWSALBTG=x; AWSALBTG={client.cookies['AWSALBTG']}\r\n".encode()
    ask(alb, request(path="/both", fields=fields))
    for path in ("/none", "/good", "/both"):
        assert "AWSALBTGCookieInvalid" not in alb.access_row(f"{path} "), path


# --- WebSockets --------------------------------------------------------------------------------------


def start_ws(start_alb, start_target):
    targets = [start_target(Upgraded()) for _ in range(2)]
    text = ws_config(targets[0], more=group("green", targets[1])).replace(
        "default_action = forward app", "default_action = forward app:1 green:1 stickiness=60")
    return start_alb(text), targets


def test_the_101_sets_the_groups_cookies_and_an_upgrade_brings_them(start_alb, start_target):
    alb, targets = start_ws(start_alb, start_target)
    first = WsClient(alb)
    set_ones = values(first.head, "Set-Cookie")
    assert [v.split("=")[0] for v in set_ones] == ["AWSALBTG", "AWSALBTGCORS"]
    pairs = "; ".join(v.split(";")[0] for v in set_ones)
    for _ in range(8):
        WsClient(alb, fields=f"Cookie: {pairs}\r\n".encode())
    assert sorted(len(t.seen) for t in targets) == [0, 9]


def test_a_websockets_row_has_its_error_after_an_upgrade_of_the_binary(start_alb, start_target):
    alb, _ = start_ws(start_alb, start_target)
    client = WsClient(alb, fields=b"Cookie: AWSALBTG=x\r\n")
    code, text = alb.upgrade()
    assert code == 0, text
    client.close()
    assert '"AWSALBTGCookieInvalid"' in alb.access_row(" 101 101 ")
