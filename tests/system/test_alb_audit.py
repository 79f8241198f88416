"""Each change by command is written down, before and after: who, from where, what, and how it ended."""

import ctypes
import hashlib
import json
import os
import re
import signal

import pytest

from balancer import forward_config
from harness import wait_until
from localhost_cert import make_certificate
from managed import Caller, Tokens, config


@pytest.fixture
def tokens(tmp_path):
    make_certificate()
    return Tokens(tmp_path)


@pytest.fixture
def start(start_alb, start_target, tokens, tmp_path):
    def start(more=""):
        alb = start_alb(config(start_target(), f"token_file = {tokens.path}",
                               alb=f"audit_log.file = {tmp_path}/audit.log\n{more}"))
        alb.audit_path = tmp_path / "audit.log"
        return alb
    return start


def rows(alb):
    """Of the file: {name: value} each; the time and the ids are looked at here."""
    found = []
    for line in alb.audit_path.read_text().splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z audit id=\d+-\d+ who=", line), line
        fields = re.findall(r'(\w+)=("[^"]*"|\S+)', line.split(" audit ", 1)[1])
        found.append({name: value.strip('"') for name, value in fields})
    return found


def logged(alb):
    return [line.split(" audit ", 1)[1] for line in alb.log().splitlines() if " audit " in line]


def test_a_change_has_two_rows(start, tokens):
    alb = start()
    ops = Caller(alb, tokens.ops)

    assert ops.order("/drain", all=True)[0] == 200
    asked, done = rows(alb)
    assert asked["id"] == done["id"] and asked["who"] == "token:ops"
    assert asked["from"].startswith("127.0.0.2:") and asked["command"] == "drain"
    assert asked["arguments"].replace(r"\x22", '"') == '{"all": true}'
    assert (asked["outcome"], "status" in asked) == ("asked", False)
    assert (done["outcome"], done["status"]) == ("done", "200")
    assert len(logged(alb)) == 2 and tokens.ops not in alb.log() + alb.audit_path.read_text()


def test_what_was_refused_and_denied(start, tokens):
    alb = start()

    Caller(alb, tokens.ops).order("/register", target_group="none", target="10.0.0.1:80")
    Caller(alb, tokens.watch).order("/drain", all=True)
    assert [(r["who"], r["command"], r["outcome"]) for r in rows(alb)] == [
        ("token:ops", "register", "asked"), ("token:ops", "register", "refused"),
        ("token:watch", "drain", "denied")]


def test_who_may_only_read_does_not_fill_the_disk(start, tokens):
    alb = start()

    for _ in range(30):
        assert Caller(alb, tokens.watch).order("/drain", all=True)[0] == 403
    assert 10 <= len(rows(alb)) <= 20 and {r["outcome"] for r in rows(alb)} == {"denied"}


def test_what_changes_nothing_has_none(start, tokens):
    alb = start()
    ops = Caller(alb, tokens.ops)

    assert ops.status("/status") == 200 and Caller(alb, "x" * 64).status("/drain", "POST") == 401
    assert ops.status("/reload?dry_run=1", "POST") == 200
    assert alb.command("status")[0] == 0
    assert rows(alb) == []
    assert ops.status("/drain?dry_run=1", "POST", body=b'{"all":true}') == 200
    assert len(rows(alb)) == 2, "only a reload has a dry run"


def test_local_commands_have_rows_too(start):
    alb = start()

    alb.ok("drain", "app")
    alb.ok("reload")
    assert [(r["who"], r["command"], r["outcome"]) for r in rows(alb)] == [
        (f"uid:{os.getuid()}", c, o) for c in ("drain", "reload") for o in ("asked", "done")]
    assert re.fullmatch(r"pid:\d+", rows(alb)[0]["from"])


def test_a_configuration_is_told_by_its_digest(start, tokens):
    alb = start()
    text = alb.path.read_bytes() + b"; and a comment\n"

    assert Caller(alb, tokens.ops).status("/reload", "POST", body=text) == 200
    digest = hashlib.sha256(text).hexdigest()
    assert {r["arguments"] for r in rows(alb)} == {f"bytes={len(text)} sha256={digest}"}


def test_force_is_told(start, tokens):
    alb = start()
    text = alb.path.read_bytes()

    ops = Caller(alb, tokens.ops)
    assert ops.status("/reload?force=1", "POST") == 200
    assert ops.status("/reload?force=1", "POST", body=text) == 200
    assert Caller(alb, tokens.watch).status("/reload?force=1", "POST") == 403
    digest = f"bytes={len(text)} sha256={hashlib.sha256(text).hexdigest()}"
    assert [r["arguments"] for r in rows(alb)] == ["force"] * 2 + [f"force {digest}"] * 2 + ["force"]


@pytest.mark.parametrize("query", ["force=2", "force=1&force=1", "force=1&x", "&force=1", "force"])
def test_what_a_reload_is_not_asked_for_is_refused_and_told(start, tokens, query):
    alb = start()

    status, answer = Caller(alb, tokens.ops).order(f"/reload?{query}")
    assert (status, answer["errors"]) == (400, ["reload takes dry_run=1, force=1 or nothing"])
    assert [r["outcome"] for r in rows(alb)] == ["asked", "refused"]


@pytest.mark.parametrize("blanks", [" ", "\n\t", " " * 600], ids=["one", "others", "many"])
def test_blanks_hide_no_arguments(start, tokens, blanks):
    alb = start()
    body = blanks + "{" + blanks + '"all"' + blanks + ": true}" + blanks

    assert Caller(alb, tokens.ops).status("/drain", "POST", body=body.encode()) == 200
    assert {r["arguments"].replace(r"\x22", '"') for r in rows(alb)} == {'{"all": true}'}


@pytest.mark.parametrize("body", [b"[1]", b'{"all": true', b'{"all": "\x00"}', b'{"a": 1, "a": 2}',
                                  b'{"all": "' + b"x" * 512 + b'"}', b"\xff" * 9],
                         ids=["array", "cut", "zero byte", "twice", "long", "bytes"])
def test_what_is_no_object_is_told_by_its_digest(start, tokens, body):
    alb = start()

    assert Caller(alb, tokens.ops).status("/drain", "POST", body=body) == 400
    digest = hashlib.sha256(body).hexdigest()
    assert {r["arguments"] for r in rows(alb)} == {f"bytes={len(body)} sha256={digest}"}


@pytest.mark.parametrize("newline", [b"\n", rb"\n"], ids=["no JSON", "JSON"])
def test_nobody_forges_a_row(start, tokens, newline):
    alb = start()
    evil = b'{"all": "x\\"} outcome=done' + newline + \
        b'2026-01-01T00:00:00.000000Z audit id=1-1 who=root"}'

    assert Caller(alb, tokens.ops).status("/drain", "POST", body=evil) == 400
    assert len(rows(alb)) == 2 and len(logged(alb)) == 2
    assert all(r["who"] == "token:ops" for r in rows(alb))


def test_as_json(start, tokens):
    alb = start("access_logs.format = json\n")

    Caller(alb, tokens.ops).order("/undrain", all=True)
    asked, done = map(json.loads, alb.audit_path.read_text().splitlines())
    assert list(asked) == ["time", "id", "who", "from", "command", "arguments", "outcome", "status"]
    assert asked["arguments"] == '{"all": true}' and asked["status"] is None
    assert (done["outcome"], done["status"]) == ("refused", "409"), "it was not drained"


def test_it_is_opened_again(start, tokens, tmp_path):
    alb = start()
    ops = Caller(alb, tokens.ops)

    ops.order("/undrain", all=True)
    alb.audit_path.rename(tmp_path / "audit.log.1")
    alb.signal(signal.SIGUSR1)
    wait_until(alb.audit_path.exists, "the new file")
    ops.order("/undrain", all=True)
    assert [(r["command"], r["outcome"]) for r in rows(alb)] == [
        ("reopen", "done"), ("undrain", "asked"), ("undrain", "refused")]
    assert alb.audit_path.stat().st_mode & 0o777 == 0o640
    moved = (tmp_path / "audit.log.1").read_text().splitlines()
    assert len(moved) == 3 and "command=reopen" in moved[-1] and "outcome=asked" in moved[-1]


@pytest.mark.parametrize("is_local", [True, False], ids=["local", "remote"])
def test_without_its_row_nothing_is_changed(start_alb, start_target, tokens, is_local):
    """/dev/full is a disk without room."""
    target = start_target()
    alb = start_alb(config(target, f"token_file = {tokens.path}",
                           alb="audit_log.file = /dev/full\n"))
    ops = Caller(alb, tokens.ops)

    if is_local:
        code, text = alb.command("drain", "--all")
        assert code == 1
    else:
        status, answer = ops.order("/drain", all=True)
        assert status == 503
        text = answer["errors"][0]
    assert "nothing was changed" in text and "/dev/full" in text and "SIGHUP" in text
    assert alb.status()["target_groups"][0]["targets"][0]["state"] != "draining"
    assert alb.metric('alb_audit_rows_total{outcome="failed"}') == 1
    assert ops.status("/status") == 200, "looking is not changing"

    alb.configure(config(target, f"token_file = {tokens.path}"))  # the cure
    alb.signal(signal.SIGHUP)
    wait_until(lambda: alb.status()["reloads"] == 1, "the reload")
    assert ops.order("/drain", all=True)[0] == 200


# --- signals -----------------------------------------------------------------------------------


def of_signals(alb):
    return [(r["who"], r.get("from"), r["command"], r["arguments"], r["outcome"], r.get("status"))
            for r in rows(alb)]


@pytest.mark.parametrize("number, command", [(signal.SIGHUP, "reload"), (signal.SIGUSR1, "reopen"),
                                             (signal.SIGTERM, "stop"), (signal.SIGINT, "stop")])
def test_a_signal_has_rows_with_its_sender(start, number, command):
    alb = start()

    alb.signal(number)
    here = (f"signal:uid:{os.getuid()}", f"pid:{os.getpid()}", command, number.name)
    wait_until(lambda: of_signals(alb) == [(*here, "asked", None), (*here, "done", None)],
               f"two rows: {of_signals(alb)}")
    assert len({r["id"] for r in rows(alb)}) == 1 and len(logged(alb)) == 2


def test_a_reload_by_signal_that_is_refused(start):
    alb = start()

    alb.path.write_text("nonsense\n")
    alb.signal(signal.SIGHUP)
    wait_until(lambda: len(rows(alb)) == 2, "both rows")
    assert rows(alb)[-1]["outcome"] == "refused" and alb.status()["reloads"] == 0


def test_a_log_that_a_signal_cannot_open(start, tmp_path):
    (tmp_path / "a").mkdir()
    alb = start(f"connection_logs.enabled = true\nconnection_logs.file = {tmp_path}/a/c.log\n")

    (tmp_path / "a").rename(tmp_path / "b")
    alb.signal(signal.SIGUSR1)
    wait_until(lambda: [r["outcome"] for r in rows(alb)] == ["asked", "failed"], "both rows")


def test_nobody_forges_the_sender_of_a_signal(start):
    """Of sigqueue(3) the kernel takes any."""
    class Info(ctypes.Structure):
        _fields_ = [("signo", ctypes.c_int), ("errno", ctypes.c_int), ("code", ctypes.c_int),
                    ("pad", ctypes.c_int), ("pid", ctypes.c_int), ("uid", ctypes.c_uint),
                    ("more", ctypes.c_char * 104)]
    alb = start("access_logs.format = json\n")

    info = Info(signo=signal.SIGUSR1, code=-1, pid=1, uid=4711)
    call = {"x86_64": 129, "aarch64": 138}[os.uname().machine]  # rt_sigqueueinfo
    assert ctypes.CDLL(None).syscall(call, alb.pid, signal.SIGUSR1, ctypes.byref(info)) == 0
    wait_until(lambda: alb.audit_path.read_text().count("\n") == 2, "both rows")
    for row in map(json.loads, alb.audit_path.read_text().splitlines()):
        assert (row["who"], row["from"], row["arguments"]) == ("signal", None, "SIGUSR1")


def test_a_storm_of_signals(start, tokens):
    """With changes by command between: what was asked for has come to something, each."""
    alb = start()
    ops = Caller(alb, tokens.ops)

    for i in range(20):
        alb.signal(signal.SIGHUP)
        if i % 4 == 0:
            ops.order("/reload")

    def settled():
        now = [r for r in rows(alb) if r["command"] == "reload"]
        done = sum(r["outcome"] == "done" for r in now)
        return alb.status()["reloads"] == done and now

    def outcomes(who):
        return [r["outcome"] for r in last if r["who"].startswith(who)]
    last = wait_until(settled, "all")
    assert outcomes("token").count("done") == 5
    by_signal = outcomes("signal")
    assert 1 <= by_signal.count("asked") == by_signal.count("done") <= 20


def test_a_signal_is_obeyed_without_its_rows(start_alb, start_target, tokens):
    alb = start_alb(config(start_target(), f"token_file = {tokens.path}",
                           alb="audit_log.file = /dev/full\n"))

    alb.signal(signal.SIGHUP)
    wait_until(lambda: alb.status()["reloads"] == 1, "the reload")
    wait_until(lambda: alb.metric('alb_audit_rows_total{outcome="failed"}') == 2, "two to be tried")
    told = [line for line in logged(alb) if line.startswith("id=")]
    assert len(told) == 2, "the program's log has them"
    assert alb.stop() == 0


def test_the_second_row_is_where_the_new_file_is(start, start_target, tokens, tmp_path):
    alb = start()

    alb.path.write_text(alb.path.read_text().replace("audit.log", "other.log"))
    alb.signal(signal.SIGHUP)
    wait_until(lambda: (tmp_path / "other.log").exists() and (tmp_path / "other.log").read_text(),
               "the second row")
    assert [r["outcome"] for r in rows(alb)] == ["asked"]
    assert "outcome=done" in (tmp_path / "other.log").read_text()


def test_a_file_that_cannot_be_opened_is_an_error(start, start_target, tokens):
    alb = start()

    alb.configure(config(start_target(), f"token_file = {tokens.path}",
                         alb="audit_log.file = /none/audit.log\n"))
    code, text = alb.command("reload")
    assert code == 1 and "audit_log.file: cannot open /none/audit.log" in text
    assert rows(alb)[-1]["outcome"] == "refused", "the old file is there still"


def test_two_logs_in_one_file_are_an_error(start_alb, start_target, tmp_path):
    alb = start_alb(forward_config(start_target()))

    alb.configure(forward_config(start_target(), alb=f"audit_log.file = {alb.access_path}\n"))
    code, text = alb.command("reload")
    assert code == 1 and "audit_log.file: the access log goes there" in text


def test_over_an_upgrade(start, tokens):
    alb = start()
    ops = Caller(alb, tokens.ops)

    ops.order("/undrain", all=True)
    code, text = alb.upgrade()
    assert code == 0, text
    ops.order("/undrain", all=True)
    wait_until(lambda: len(rows(alb)) == 6, "all rows")
    assert len({r["id"] for r in rows(alb)}) == 3
    assert sorted(r["outcome"] for r in rows(alb) if r["command"] == "upgrade") == ["asked", "done"]
