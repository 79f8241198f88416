"""The origin secret: who does not bring it gets 403, who does is served, and nobody ever reads it:
no target, no log, no page, no command's output."""

import http.client
import json
import threading

import pytest

from balancer import forward_config, split_address
from harness import run, wait_until
from http_wire import ask, read_response, request, values
from ws_peers import TEXT, open_tunnel, ws_config
from ws_wire import upgrade_request

OLD, NEW = "#old/0123456789+secret=\"a\"", "new-9876543210-secret;b"
GUESS = "a-guess-that-is-as-long-as-one"
NAME = b"X-Origin-Verify"


def field(value, name=NAME):
    return name + b": " + value.encode() + b"\r\n"


def write_secrets(path, *values_):
    """In one step, as whoever changes it should."""
    new = path.with_name("secret.new")
    new.touch(mode=0o600)
    new.write_text("".join(v + "\n" for v in values_))
    new.rename(path)


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    write_secrets(path, OLD, NEW)
    return path


def edge(path, allow="allow = 127.0.0.0/8"):
    return f"{allow}\nsecret_header = X-Origin-Verify\nsecret_file = {path}"


def counted(alb, outcome):
    return alb.metric(f'alb_edge_secret_requests_total{{outcome="{outcome}"}}')


def told_everywhere(alb, folder):
    """Whatever it has written or can be asked for."""
    said = [p.read_text(errors="replace") for p in folder.glob("*.log*")]
    host, port = split_address(alb.ready["admin"])
    for path in ("/metrics", "/status", "/tunnels", "/closed", "/upgrades/failed"):
        conn = http.client.HTTPConnection(host, port, timeout=10)
        conn.request("GET", path)
        said.append(conn.getresponse().read().decode())
        conn.close()
    for command in (("status",), ("status", "--json"), ("upgrades",), ("reload", "--dry-run"),
                    ("reload", "--dry-run", "--json"), ("reload",)):
        said.append(alb.command(*command)[1])
    return "\n".join(said)


def is_silent(text):
    return not any(part in text for part in (OLD, NEW, GUESS, "0123456789+secret", "9876543210"))


def test_each_of_two_values_is_served_and_neither_goes_on(start_alb, start_target, secret, tmp_path):
    target = start_target()
    alb = start_alb(forward_config(target, edge=edge(secret)))
    for value in (OLD, NEW):
        got = ask(alb, request(fields=b"X-One: 1\r\n" + field(value) + b"X-Two: 2\r\n"))
        assert got.status == 200
        assert b"X-One: 1\r\nX-Two: 2\r\n" in target.seen[-1]
    assert not any(b"verify" in head.lower() or b"secret" in head for head in target.seen)
    assert counted(alb, "first") == 1 and counted(alb, "second") == 1
    assert is_silent(told_everywhere(alb, tmp_path))


WRONG = [b"", field(GUESS), field(""), field(OLD[:-1]), field(OLD + "x"), field(OLD + "," + NEW),
         field(OLD.upper()), field(OLD) * 2, field(OLD) + field(NEW), field(GUESS) + field(OLD),
         field(OLD) + field(GUESS), NAME + b":\r\n " + OLD.encode() + b"\r\n",
         NAME + b": " + OLD[:9].encode() + b"\r\n\t" + OLD[9:].encode() + b"\r\n",
         field(OLD, b"X_Origin_Verify"), field(OLD, b"X.Origin.Verify"), field(OLD, b"XOriginVerify"),
         field(OLD, b"X-Origin-Verify "), field(OLD, b"X-Origin-Verify-"), field("x" * 15000)]


@pytest.mark.parametrize("mode", ["monitor", "defensive", "strictest"])
def test_nothing_else_passes_by_accident(start_alb, start_target, secret, tmp_path, mode):
    target = start_target()
    alb = start_alb(forward_config(target, edge=edge(secret),
                                   alb=f"routing.http.desync_mitigation_mode = {mode}"))
    for fields in WRONG:
        got = ask(alb, request(fields=fields))
        assert got.status == 403 or mode == "strictest" and got.status in (400, 431), fields
        assert values(got.head, "Cache-Control") == ["no-store"] or got.status != 403
        assert b"ecret" not in got.body and b"erify" not in got.body
    assert target.seen == []
    assert is_silent(told_everywhere(alb, tmp_path))


@pytest.mark.parametrize("fields", [
    field(OLD, b"X_Origin_Verify"), field(GUESS, b"X--Origin-Verify"), field(NEW, b"X.Origin_Verify"),
    b"Connection: X-Origin-Verify\r\n"])
@pytest.mark.parametrize("mode", ["monitor", "defensive"])
def test_beside_the_right_one_look_alikes_go_no_further_either(start_alb, start_target, secret,
                                                              fields, mode):
    target = start_target()
    alb = start_alb(forward_config(target, edge=edge(secret),
                                   alb=f"routing.http.desync_mitigation_mode = {mode}"))
    assert ask(alb, request(fields=fields + field(OLD))).status == 200
    assert b"origin" not in target.seen[0].lower() and b"ecret" not in target.seen[0]


def test_the_answer_is_the_same_whatever_is_wrong(start_alb, secret):
    alb = start_alb(forward_config("127.0.0.1:1", edge=edge(secret)))
    answers = {ask(alb, request(fields=f)).head + ask(alb, request(fields=f)).body
               for f in (b"", field(GUESS), field(OLD) * 2)}
    assert len(answers) == 1


def test_it_comes_before_every_rule_and_status_of_ours(start_alb, secret):
    rules = """
[rule open]
listener = http
priority = 1
path-pattern = *
action = fixed-response 200
"""
    alb = start_alb(forward_config("127.0.0.1:1", edge=edge(secret), more=rules))
    many = b"X-Forwarded-For: " + b",".join([b"10.0.0.1"] * 31) + b"\r\n"
    assert ask(alb, request()).status == 403
    assert ask(alb, request(fields=many)).status == 403
    assert ask(alb, request(fields=many + field(OLD))).status == 463
    assert ask(alb, request(fields=field(OLD))).status == 200
    assert alb.metric("alb_rule_evaluations_total") == 1


def test_a_row_says_what_was_missing_and_the_connection_stays(start_alb, secret):
    alb = start_alb(forward_config("127.0.0.1:1", edge=edge(secret)))
    with alb.connect() as sock:
        for path, fields in (("/none", b""), ("/wrong", field(GUESS)), ("/head", b"")):
            method = "HEAD" if path == "/head" else "GET"
            sock.sendall(request(method, path, fields=fields))
            assert read_response(sock, to_head=method == "HEAD").status == 403
        sock.sendall(request("POST", "/body", body=b"x" * 10))
        assert values(read_response(sock).head, "Connection") == ["close"]
        assert sock.recv(1) == b""
    for path, why in (("/none", "no"), ("/wrong", "wrong"), ("/head", "no"), ("/body", "no")):
        row = alb.access_row(f"{path} ")
        assert f' 403 - ' in row and row.endswith(f' end="{why} origin secret"')
    assert len(alb.access_rows()) == 4
    assert counted(alb, "missing") == 3 and counted(alb, "wrong") == 1
    assert alb.metric('alb_elb_responses_total{code="4xx"}') == 4


@pytest.mark.parametrize("how", ["json", "alb"])
def test_no_form_of_the_log_has_it(start_alb, start_target, secret, how, tmp_path):
    alb = start_alb(forward_config(start_target(), edge=edge(secret), alb=f"access_logs.format = {how}"))
    for fields in (field(OLD), field(GUESS), field(GUESS) + b"Content-Length: x\r\n",
                   field(OLD) + b"Expect: other\r\n", field(NEW) + b"Transfer-Encoding: gzip\r\n"):
        ask(alb, request(fields=fields))
    with alb.connect() as sock:  # a head that is not whole
        sock.sendall(b"GET /torn HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n" + field(OLD))
    wait_until(lambda: len(alb.access_rows()) >= 6, "all rows")
    assert is_silent("\n".join(alb.access_rows()) + told_everywhere(alb, tmp_path))


# --- upgrades


def upgrade(alb, fields, source=None):
    with alb.connect(source=source) as sock:
        sock.sendall(upgrade_request("/ws", fields, b"localhost"))
        return read_response(sock)


def test_an_upgrade_brings_it_too_and_it_goes_no_further(start_alb, target, secret, tmp_path):
    config = ws_config(target).replace("allow = 127.0.0.0/8", edge(secret))
    alb = start_alb(config)
    client, origin = open_tunnel(alb, target, fields=field(NEW) + field(OLD, b"X_Origin_Verify"))
    client.send(TEXT, b"x")
    assert origin.receive() == (TEXT, True, b"x")
    assert all(b"verify" not in head.lower() for head in target.seen)
    assert is_silent(told_everywhere(alb, tmp_path))
    client.close()
    origin.close()


@pytest.mark.parametrize("fields, detail", [(b"", "no origin secret"),
                                            (field(GUESS), "wrong origin secret")])
def test_the_doctor_says_so_to_peers_alone(start_alb, target, secret, tmp_path, fields, detail):
    alb = start_alb(ws_config(target).replace("allow = 127.0.0.0/8", edge(secret)))
    got = upgrade(alb, fields)
    assert got.status == 403 and values(got.head, "Cache-Control") == ["no-store"]
    lines = got.body.decode().splitlines()
    assert lines[0] == "WebSocket upgrade failed: secret_not_matched"
    assert detail in lines[1] and "secret_header" in lines[2]
    behind = upgrade(alb, fields + b"Via: 1.1 x.cloudfront.net (CloudFront)\r\n").body.decode()
    assert "custom headers of the origin at the edge" in behind

    row = alb.failed_upgrades()[0]
    assert row["reason"] == "secret_not_matched" and detail in row["cause"] and row["status"] == 403
    assert alb.metric('alb_upgrades_failed_total{reason="secret_not_matched"}') == 2
    assert f'detail="{detail}"' in alb.log()
    assert is_silent(got.body.decode() + behind + told_everywhere(alb, tmp_path))
    assert target.seen == []


def test_with_allow_any_the_doctor_says_the_reason_alone(start_alb, target, secret):
    alb = start_alb(ws_config(target).replace("allow = 127.0.0.0/8", edge(secret, "allow = any")))
    assert upgrade(alb, b"").body == b"WebSocket upgrade failed: secret_not_matched\n"


# --- changing it


def test_under_load_one_value_follows_the_other_and_no_request_is_refused(start_alb, start_target,
                                                                         secret):
    write_secrets(secret, OLD)
    alb = start_alb(forward_config(start_target(), edge=edge(secret)).replace("workers = 1", "workers = 2"))
    now, statuses, stop = [OLD], [], threading.Event()

    def load():
        with alb.connect() as sock:
            while not stop.is_set():
                sock.sendall(request(fields=field(now[0])))
                statuses.append(read_response(sock).status)
    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()

    def some_more():
        have = len(statuses)
        wait_until(lambda: len(statuses) > have + 100, "more requests")
    try:
        some_more()
        write_secrets(secret, OLD, NEW)
        alb.reload()
        some_more()
        now[0] = NEW
        some_more()
        first = counted(alb, "first")
        some_more()
        assert counted(alb, "first") == first  # nobody brings the old one any more
        write_secrets(secret, NEW)
        alb.reload()
        some_more()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200}
    assert ask(alb, request(fields=field(OLD))).status == 403


def test_a_dry_run_says_that_it_changed_and_not_how(start_alb, secret):
    alb = start_alb(forward_config("127.0.0.1:1", edge=edge(secret)))
    assert "secret" not in alb.ok("reload", "--dry-run").replace(str(secret), "")
    write_secrets(secret, NEW)
    answer = json.loads(alb.ok("reload", "--dry-run", "--json"))
    change = next(c for c in answer["changes"] if c["name"] == "secret")
    assert change == {"what": "edge", "name": "secret", "change": "changes",
                      "detail": "other values: 2 before, 1 then"}
    assert ask(alb, request(fields=field(OLD))).status == 502


@pytest.mark.parametrize("damage, why", [
    (lambda path: path.write_text("short\n"), ":1: is not 16 to 128 characters long"),
    (lambda path: path.chmod(0o644), "chmod 600"),
    (lambda path: path.unlink(), "No such file"),
])
def test_a_bad_file_changes_nothing(start_alb, secret, damage, why, tmp_path):
    alb = start_alb(forward_config("127.0.0.1:1", edge=edge(secret)))
    damage(secret)
    code, text = alb.command("reload")
    assert code == 1 and why in text and "alb.ini:" in text
    assert ask(alb, request(fields=field(OLD))).status == 502
    assert ask(alb, request(fields=field(GUESS))).status == 403
    assert is_silent(told_everywhere(alb, tmp_path))


def test_the_new_process_of_an_upgrade_asks_for_it_too(start_alb, start_target, secret):
    alb = start_alb(forward_config(start_target(), edge=edge(secret)))
    code, text = alb.upgrade()
    assert code == 0, text
    assert ask(alb, request(fields=field(OLD))).status == 200
    assert ask(alb, request()).status == 403


# --- what needs none, and explaining


def test_admin_and_control_need_none(start_alb, secret):
    alb = start_alb(forward_config("127.0.0.1:1", edge=edge(secret)))
    assert alb.metric("alb_connections_total") == 0
    assert alb.status()


def test_explain_evaluates_it_without_printing(secret, tmp_path):
    path = tmp_path / "alb.ini"
    path.write_text(forward_config("127.0.0.1:1", edge=edge(secret)).replace("{access}", "-")
                    .replace("{socket}", str(tmp_path / "s")))

    def explain(*headers):
        code, out, err = run("alb", "explain", path, "GET", "/", "Host: a", *headers, "--listener", "http")
        assert is_silent(out + err)
        return code, out
    code, out = explain()
    assert code == 0 and "X-Origin-Verify is asked for: 403" in out and "it answers" in out
    code, out = explain(f"X-Origin-Verify: {NEW}")
    assert code == 0 and "has the value on line 2 of secret_file" in out and "it answers" in out
    code, out = explain(f"X-Origin-Verify: {GUESS}")
    assert code == 1 and "answer    403 before any rule: wrong origin secret" in out
    code, out = explain(f"X_Origin_Verify: {GUESS}", f"X-Origin-Verify: {OLD}")
    assert code == 0 and "line 1" in out


def test_check_says_nothing_of_it(secret, tmp_path):
    path = tmp_path / "alb.ini"
    path.write_text(forward_config("127.0.0.1:1", edge=edge(secret)).replace("{access}", "-")
                    .replace("{socket}", str(tmp_path / "s")))
    for args in (("check", path), ("check", "--profile", "aws", path)):
        code, out, err = run("alb", *args)
        assert code == 0 and is_silent(out + err)
    write_secrets(secret, OLD, NEW, GUESS)
    code, out, err = run("alb", "check", path)
    assert code == 1 and "secret:3: is one secret too many" in err and is_silent(out + err)
