"""`alb --remote`: the commands, from afar; and a new configuration by one of them."""

import contextlib
import os
import re
import select
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time

import pytest

from balancer import forward_config
from client_certs import PAST, Authority
from harness import BIN, PATIENCE, free_port, wait_until
from localhost_cert import CERT, make_certificate
from managed import Caller, Tokens, management, remote

HERE = "127.0.0.1/32 127.0.0.2/32"  # where the command comes from, and where a Caller does


@pytest.fixture
def tokens(tmp_path):
    make_certificate()
    return Tokens(tmp_path)


@pytest.fixture
def ops_file(tmp_path, tokens):
    path = tmp_path / "ops-token"
    path.touch(mode=0o600)
    path.write_text(tokens.ops + "\n")
    return path


def text_for(target, tokens, allow=HERE):
    """Its port stays whatever it is reloaded with: 0 would not."""
    return forward_config(target, more=management(
        f"token_file = {tokens.path}", bind=f"127.0.0.1:{free_port()}", allow=allow))


@pytest.fixture
def alb(start_alb, start_target, tokens):
    return start_alb(text_for(start_target(), tokens))


@pytest.mark.parametrize("command", [
    ["status"], ["status", "--json"], ["tunnels"], ["closed", "--json"], ["upgrades"],
    ["edge", "show"], ["edge", "refused"], ["edge", "check", "10.0.0.1"],
    ["edge", "add", "10.0.0.0/24", "--for", "10m"], ["reload", "--dry-run"], ["reload"],
    ["drain", "app"], ["register", "app", "127.0.0.1:9"]], ids=" ".join)
def test_it_says_what_the_local_command_says(alb, ops_file, command):
    code, out, err = remote(alb, *command, token_file=ops_file)
    assert code == 0, err
    if command[0] in ("status", "edge", "upgrades", "closed") and "add" not in command:
        def still(text):  # what moves on
            return re.sub(r"\d", "", text)
        assert still(alb.ok(*command)) == still(out)


def test_a_whole_visit(alb, ops_file, start_target):
    other = start_target()

    def go(*command):
        code, out, err = remote(alb, *command, token_file=ops_file)
        assert code == 0, err
        return out
    go("register", "app", other.address, "weight=50")
    assert other.address in go("status")
    go("drain", "app", other.address)
    go("undrain", "--all")
    go("deregister", "app", other.address)
    code, out, err = remote(alb, "drain", "none", token_file=ops_file)
    assert code == 1 and "no target group of that name" in err and not out


def test_the_token_of_the_environment_and_options_behind_the_command(alb, ops_file, tokens):
    env = dict(os.environ, ALB_TOKEN_FILE=str(ops_file))
    assert remote(alb, "status", env=env)[0] == 0
    url = f"https://localhost:{alb.ready['management'][0].rsplit(':', 1)[1]}/"
    done = subprocess.run([BIN / "alb", "status", "--remote", url, "--ca", CERT, "--token-file",
                           ops_file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_line_of_the_token_file_will_do(alb, tmp_path, tokens):
    path = tmp_path / "mine"
    path.touch(mode=0o600)
    path.write_text(f"# mine\nwatch {tokens.watch} read\n")
    assert remote(alb, "status", token_file=path)[0] == 0
    code, _, err = remote(alb, "reload", token_file=path)
    assert (code, err) == (1, "token:watch may only read\n")


def test_by_address(alb, ops_file):
    assert remote(alb, "status", token_file=ops_file, host="127.0.0.1")[0] == 0


def test_by_certificate(start_alb, start_target, tmp_path, tokens):
    root = Authority(tmp_path, "root")
    ops, old = root.client("ops"), root.client("old", "/CN=ops", dates=PAST)
    alb = start_alb(forward_config(start_target(), more=management(
        f"client_ca_file = {root.crt}\nclient = ops", allow=HERE)))

    assert remote(alb, "--cert", ops.pem, "reload")[0] == 0
    assert remote(alb, "--cert", ops.crt, "--key", ops.key, "status")[0] == 0
    code, _, err = remote(alb, "--cert", old.pem, "status")
    assert code == 1 and "it may not take the certificate of --cert" in err
    code, _, err = remote(alb, "status")
    assert code == 1 and "--cert" in err


# --- what goes wrong -------------------------------------------------------------------------


def test_not_logged_in(alb, tmp_path, tokens):
    code, _, err = remote(alb, "status")
    assert code == 1 and "401" in err and "--token-file FILE, or ALB_TOKEN_FILE" in err
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("w" * 40)
    code, _, err = remote(alb, "status", token_file=wrong)
    assert code == 1 and "the token is none of those" in err and "wwww" not in err


@pytest.mark.parametrize("text, mode, error", [
    ("x" * 40, 0o644, "chmod 600"), ("", 0o600, "not one line with a token"),
    ("a\nb\n", 0o600, "not one line"), ("a b c d\n", 0o600, "not one line"),
    ("\x01" * 40, 0o600, "not one line")], ids=["mode", "empty", "lines", "words", "bytes"])
def test_a_bad_token_file(alb, tmp_path, text, mode, error):
    path = tmp_path / "bad"
    path.write_text(text)
    path.chmod(mode)
    code, _, err = remote(alb, "status", token_file=path)
    assert code == 1 and error in err and "xxxx" not in err
    code, _, err = remote(alb, "status", token_file=tmp_path / "none")
    assert code == 1 and "none" in err


def test_a_certificate_that_is_not_trusted(alb, ops_file, tmp_path):
    code, _, err = remote(alb, "status", token_file=ops_file, ca=None)
    assert code == 1 and "is not trusted" in err and "--ca FILE" in err
    code, _, err = remote(alb, "status", token_file=ops_file, host="127.0.0.2")
    assert code == 1, "nobody listens there"


def test_a_certificate_for_another_name(start_alb, start_target, ops_file, tokens, tmp_path):
    root = Authority(tmp_path, "root")
    cert = root.client("server", "/CN=other", extensions="subjectAltName=DNS:other\n")
    old = root.client("old", "/CN=localhost", dates=PAST,
                      extensions="subjectAltName=DNS:localhost\n")
    text = text_for(start_target(), tokens)
    alb = start_alb(text.replace("{cert}", str(cert.pem)))

    code, _, err = remote(alb, "status", token_file=ops_file, ca=root.crt)
    assert code == 1 and "for another name" in err
    alb.path.write_text(alb.path.read_text().replace(str(cert.pem), str(old.pem)))
    alb.reload()
    code, _, err = remote(alb, "status", token_file=ops_file, ca=root.crt)
    assert code == 1 and "has expired" in err


def test_nobody_there(alb, ops_file):
    alb.ready["management"] = [f"127.0.0.1:{free_port()}"]
    code, _, err = remote(alb, "status", token_file=ops_file)
    assert code == 1 and "cannot connect" in err and "nobody listens there" in err


def test_an_address_that_is_not_allowed(start_alb, start_target, ops_file, tokens):
    """It gets no answer, or (without a kernel that lets us) its connection is closed."""
    alb = start_alb(text_for(start_target(), tokens, allow="127.0.0.9/32"))

    code, _, err = remote(alb, "status", token_file=ops_file)
    assert code == 1
    if "no answer from" in err:
        assert "(127.0.0.1, unless it is translated on the way) in allow of [management]" in err


@contextlib.contextmanager
def something_else(answer, stays=False):
    """A TLS server that answers once, whatever it is asked; the token has gone to whom the certificate
    proves. `answer` may be pieces, which end when it is hung up on; it stays until then, or hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate())
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            with contextlib.suppress(OSError), \
                    context.wrap_socket(server.accept()[0], server_side=True) as tls:
                tls.recv(4096)
                for piece in [answer] if isinstance(answer, bytes) else answer:
                    tls.sendall(piece)
                while stays and tls.recv(4096):
                    pass

        class There:
            ready = {"management": [f"127.0.0.1:{server.getsockname()[1]}"]}
        thread = threading.Thread(target=serve)
        thread.start()
        yield There
        thread.join()


def test_something_else_there(ops_file):
    with something_else(b"nonsense\r\n\r\n") as there:
        code, _, err = remote(there, "status", token_file=ops_file)
    assert code == 1 and "what answers there is not alb" in err


@pytest.mark.parametrize("body, code, said", [
    ('{"ok": true}', 0, "?\n"), ('{"ok": true, "message": 5}', 0, "?\n"),
    ('{"ok": false, "errors": [5, null, "no"]}', 1, "?\n?\nno\n"),
    ('{"ok": false, "errors": 5}', 1, ""),
    (r'{"ok": true, "message": "a\u001b[31mb\u007f"}', 0, "a?[31mb?\n"),
    ("\x1b]0;x\x07 no\n", 1, "200: ?]0;x? no\n"), ("", 1, "200: nothing\n"),
    ("[" * 5000, 1, f"200: {'[' * 4096}... (5000 bytes)\n")], ids=lambda value: str(value)[:20])
def test_json_of_something_else(ops_file, body, code, said):
    with something_else(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" %
                        (len(body), body.encode())) as there:
        assert remote(there, "status", token_file=ops_file) == \
            (code, said if code == 0 else "", said if code == 1 else "")


# --- time and size ---------------------------------------------------------------------------


def in_seconds(call, most):
    began = time.monotonic()
    result = call()
    assert time.monotonic() - began < most * PATIENCE
    return result


def answered(body=b'{"ok": true, "message": "done"}', length=None):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body) if length is None else length, body)


def trickle(first):
    yield first
    while True:
        time.sleep(0.05)  # this is what it does: it is slow
        yield b"x"


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nX: ", answered(b"", 10000)],
                         ids=["nothing", "head", "body"])
def test_all_of_it_has_its_time_however_slow_the_answer(ops_file, first):
    with something_else(trickle(first)) as there:
        code, out, err = in_seconds(lambda: remote(there, "--timeout", 2, "reload",
                                                   token_file=ops_file), 10)
    assert code == 1 and not out
    if first:
        assert "no whole answer within 2 s" in err and "--timeout SECONDS allows more" in err
        assert "it may have been done there all the same" in err
    else:
        assert "what answers there is not alb" in err, "x begins no answer"


def test_silence_has_its_time(ops_file):
    with something_else([], stays=True) as there:
        code, _, err = in_seconds(lambda: remote(there, "status", "--timeout", 1,
                                                 token_file=ops_file), 10)
    assert code == 1 and "no whole answer within 1 s, but 0 bytes of it" in err
    assert "all the same" not in err, "looking changes nothing"


def test_a_handshake_has_its_time(ops_file):
    with socket.create_server(("127.0.0.1", 0)) as server:
        class There:
            ready = {"management": [f"127.0.0.1:{server.getsockname()[1]}"]}
        code, _, err = in_seconds(lambda: remote(There, "--timeout", 1, "status",
                                                 token_file=ops_file), 10)
    assert code == 1 and "no TLS connection in time" in err


def test_a_local_command_has_its_time(alb):
    alb.freeze()
    try:
        done = in_seconds(lambda: subprocess.run(
            [BIN / "alb", "drain", "--all", "--socket", alb.socket_path, "--timeout", "1"],
            capture_output=True, text=True), 10)
    finally:
        alb.signal(signal.SIGCONT)
    assert done.returncode == 1 and "no whole answer within 1 s" in done.stderr


def test_whoever_does_not_hang_up_is_not_waited_for(ops_file):
    with something_else(answered(), stays=True) as there:
        code, out, err = in_seconds(lambda: remote(there, "status", token_file=ops_file), 20)
    assert (code, out) == (0, "done\n"), err


@pytest.mark.parametrize("answer, error", [
    (answered(length=16 * 1024 * 1024 + 1), "more than 16 MB, which alb does not send"),
    (answered(length=10 ** 12), "more than 16 MB, which alb does not send"),
    (answered(length=100), "it hung up after"), (answered()[:30], "it hung up after 30 bytes"),
    (b"", "it hung up after 0 bytes"), (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(99), "is not alb"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "is not alb"),
    (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100000, "is not alb"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "is not alb")],
    ids=["a byte", "far", "half a body", "half a head", "none", "no length", "chunked", "long head",
         "two lengths"])
def test_answers_that_are_not_whole(ops_file, answer, error):
    with something_else(answer) as there:
        code, out, err = remote(there, "status", token_file=ops_file)
    assert code == 1 and error in err and not out


# --- a name with several addresses -----------------------------------------------------------


@contextlib.contextmanager
def silent_port(host="127.0.0.1"):
    """A port where nobody is answered: whoever listens has as many as it takes."""
    with socket.create_server((host, 0), backlog=0) as server, contextlib.ExitStack() as stack:
        def is_full():
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(server.getsockname())
            return not select.select([], [sock], [], 0.2)[1]
        wait_until(is_full, "a queue that is full")
        yield server.getsockname()[1]


def six(start_alb, target, tokens, port):
    return start_alb(forward_config(target, more=management(
        f"token_file = {tokens.path}", bind=f"[::1]:{port}", allow="::1/128")))


def test_the_next_address_when_the_first_refuses(start_alb, start_target, ops_file, tokens):
    alb = six(start_alb, start_target(), tokens, free_port())
    code, out, err = remote(alb, "reload", token_file=ops_file)
    assert (code, out) == (0, "reloaded\n"), err


def test_the_next_address_when_the_first_is_silent(start_alb, start_target, ops_file, tokens):
    with silent_port() as port:
        alb = six(start_alb, start_target(), tokens, port)
        code, out, err = in_seconds(lambda: remote(alb, "--timeout", 6, "reload",
                                                   token_file=ops_file), 6)
    assert (code, out) == (0, "reloaded\n"), err


def test_each_address_that_failed_is_named(ops_file):
    with silent_port() as port:
        class There:
            ready = {"management": [f"127.0.0.1:{port}"]}
        code, _, err = in_seconds(lambda: remote(There, "--timeout", 3, "status",
                                                 token_file=ops_file), 10)
    assert code == 1 and f"cannot connect to localhost:{port}: none of its 2 addresses" in err
    first, second = err.splitlines()[1:]
    assert first.startswith(f"  127.0.0.1:{port}: no answer: ") and "(127.0.0.1, unless" in first
    assert second.startswith(f"  [::1]:{port}: Connection refused; nobody listens there")


def test_all_addresses_of_a_name_in_turn(start_alb, start_target, ops_file, tokens, tmp_path):
    """Of a name of /etc/hosts, which only this command sees."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespaces here")
    root = Authority(tmp_path, "root")
    cert = root.client("server", "/CN=lb.test", extensions="subjectAltName=DNS:lb.test\n")
    alb = start_alb(text_for(start_target(), tokens).replace("{cert}", str(cert.pem)))
    port = alb.ready["management"][0].rsplit(":", 1)[1]
    hosts = tmp_path / "hosts"

    def go(*addresses):
        hosts.write_text("".join(f"{address} lb.test\n" for address in addresses))
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             'mount --bind "$0" /etc/hosts && exec "$@"', hosts, BIN / "alb", "--remote",
             f"https://lb.test:{port}", "--token-file", ops_file, "--ca", root.crt, "reload"],
            capture_output=True, text=True)
    done = go("127.0.0.77", "127.0.0.78", "127.0.0.1")
    assert (done.returncode, done.stdout) == (0, "reloaded\n"), done.stderr
    done = go("127.0.0.77", "127.0.0.78", "127.0.0.77")
    assert done.returncode == 1 and "none of its 2 addresses" in done.stderr, "none twice"
    assert f"  127.0.0.77:{port}: Conn" in done.stderr and f"  127.0.0.78:{port}: " in done.stderr


@pytest.mark.parametrize("args, error", [
    (["--timeout", "0", "status"], "1 to 3600"), (["--timeout", "3601", "status"], "1 to 3600"),
    (["status", "--timeout", "1s"], "1 to 3600"), (["--timeout", "-1", "status"], "1 to 3600"),
    (["--timeout", "5", "check", "f"], "commands that ask a running alb"),
    (["status", "--timeout"], "not understood"),
    (["--remote", "http://a:1", "status"], "does not begin with https://"),
    (["--remote", "https://me:pw@a:1", "status"], "no name or password"),
    (["--remote", "https://a:0", "status"], "no good port"),
    (["--remote", "https://a:1/x", "status"], "no good port"),
    (["--remote", "https://", "status"], "no good host"),
    (["--remote", "https://a:1", "upgrade"], "[management] starts no program"),
    (["--remote", "https://a:1", "check", "f"], "commands that ask a running alb"),
    (["--remote", "https://a:1", "--socket", "/s", "status"], "two places"),
    (["--token-file", "f", "status"], "stand with --remote"),
    (["--remote", "https://a:1", "--key", "k", "status"], "--cert"),
    (["--remote"], "not understood"), (["--remote", "https://a:1"], "no command"),
    (["--remote", "https://a:1", "status", "--insecure"], "not understood"),
    (["--remote", "https://a:1", "--token", "x", "status"], "unknown command")])
def test_what_is_not_understood(args, error):
    done = subprocess.run([BIN / "alb", *args], capture_output=True, text=True)
    assert done.returncode in (1, 2) and error in done.stderr and "pw" not in done.stderr


# --- a new configuration -------------------------------------------------------------------------


@pytest.fixture
def new(tmp_path, alb):
    """Write what is to be sent: the text of now, with these changes."""
    def write(*changes):
        text = alb.path.read_text()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        path = tmp_path / "next.ini"
        path.write_text(text)
        return path
    return write


BAD = ("workers = 1", "workers = 1\nnonsense = 1")


def test_a_new_configuration_is_in_force_and_in_the_file(alb, ops_file, new):
    alb.path.chmod(0o604)
    path = new(("[listener http]", "[listener other]"))

    code, out, err = remote(alb, "reload", "--config", path, "--dry-run", token_file=ops_file)
    assert code == 0 and "other" in out, err
    assert alb.path.read_text() != path.read_text(), "a dry run changes nothing"
    code, out, err = remote(alb, "reload", "--config", path, token_file=ops_file)
    assert code == 0 and "reloaded" in out, err
    assert alb.path.read_text() == path.read_text()
    assert stat.S_IMODE(alb.path.stat().st_mode) == 0o604
    assert alb.status()["listeners"][0]["name"] == "other"
    assert not [p for p in alb.path.parent.iterdir() if p.name.endswith(".new")]


def test_the_local_command_takes_one_too(alb, new):
    path = new(("[listener http]", "[listener other]"))
    alb.ok("reload", "--config", path)
    assert alb.path.read_text() == path.read_text()


def test_one_that_comes_through_a_pipe(alb, new):
    path = new(("[listener http]", "[listener other]"))
    done = subprocess.run(f"cat {path} | {BIN}/alb reload --config /dev/stdin --socket "
                          f"{alb.socket_path}", shell=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert alb.path.read_text() == path.read_text()


def test_where_a_symbolic_link_leads(alb, ops_file, new, tmp_path):
    real = tmp_path / "real.ini"
    alb.path.rename(real)
    alb.path.symlink_to(real)
    path = new(("[listener http]", "[listener other]"))
    assert remote(alb, "reload", "--config", path, token_file=ops_file)[0] == 0
    assert alb.path.is_symlink() and real.read_text() == path.read_text()


def test_a_bad_one_is_refused_with_its_lines(alb, ops_file, new):
    before = alb.path.read_text()
    path = new(BAD)

    for more in (["--dry-run"], []):
        code, _, err = remote(alb, "reload", "--config", path, *more, token_file=ops_file)
        assert code == 1 and re.search(r"alb\.ini:\d+: .*nonsense", err), err
    assert alb.path.read_text() == before and alb.status()["reloads"] == 0


def test_one_that_cannot_be_taken_leaves_the_file(alb, ops_file, new, start_target):
    before, target = alb.path.read_text(), start_target()
    path = new(("[target_group app]", f"[listener more]\nbind = {target.address}\n"
                "default_action = forward app\n[target_group app]"))

    code, _, err = remote(alb, "reload", "--config", path, token_file=ops_file)
    assert code == 1 and "in use" in err
    assert alb.path.read_text() == before


def test_a_folder_that_cannot_be_written(alb, ops_file, new):
    """One of root can write in any: but not where there is a folder of the name already."""
    before = alb.path.read_text()
    alb.path.with_name(alb.path.name + ".new").mkdir()
    path = new(("[listener http]", "[listener other]"))

    code, _, err = remote(alb, "reload", "--config", path, token_file=ops_file)
    assert code == 1 and "nothing was changed" in err and "must be able to write" in err
    assert alb.path.read_text() == before
    assert alb.status()["listeners"][0]["name"] == "http"


@pytest.mark.parametrize("has_section", [False, True], ids=["no section", "another address"])
def test_nobody_shuts_himself_out(alb, ops_file, new, has_section):
    text = alb.path.read_text()
    path = new((f"allow = {HERE}", "allow = 127.0.0.2/32") if has_section else
               (text[text.index("[management]"):], ""))

    for more in (["--dry-run"], []):
        code, _, err = remote(alb, "reload", "--config", path, *more, token_file=ops_file)
        assert code == 1 and "would not let in 127.0.0.1" in err and "keep it in allow" in err
    assert remote(alb, "status", token_file=ops_file)[0] == 0
    alb.ok("reload", "--config", path)  # on the machine itself it can be done


def refused_unless_forced(alb, ops_file, path, setting, *said, login=()):
    """By a dry run and by a reload; with --force it is warned of, and done."""
    def go(*more):
        return remote(alb, *login, "reload", *(["--config", path] if path else []), *more,
                      token_file=ops_file)
    text, name = (path or alb.path).read_text(), alb.path.name
    lines = [n for n, line in enumerate(text.splitlines(), 1) if line.startswith(f"{setting} = ")]
    section = text.splitlines().index("[management]") + 1
    line = next((n for n in lines if n > section), section)

    for more in (["--dry-run"], []):
        code, out, err = go(*more)
        assert code == 1 and not out and f"{name}:{line}: {setting}: [management] would not let in 127" in err
        assert "any more" in err and "or say --force" in err and all(s in err for s in said), err
    assert alb.status()["reloads"] == 0
    assert remote(alb, *login, "status", token_file=ops_file)[0] == 0, "nothing has changed"
    code, out, err = go("--dry-run", "--force")
    assert code == 0 and "does not let in 127.0.0.1" in out, err
    code, out, err = go("--force")
    assert code == 0 and out == "reloaded\n" and "that was forced" in err and said[0] in err
    assert alb.status()["reloads"] == 1 and (not path or alb.path.read_text() == text)


def test_nobody_takes_his_own_token_away(alb, ops_file, tokens):
    """Not by the file of tokens either, without a word of a new configuration."""
    tokens.write(f"watch {tokens.watch} read\n")
    refused_unless_forced(alb, ops_file, None, "token_file", "is not in that file",
                          "leave its line there, or send this with one that stays", "(token:ops)")
    assert remote(alb, "status", token_file=ops_file)[0] == 1


def test_nobody_names_a_file_without_his_token(alb, ops_file, new, tokens, tmp_path):
    other = Tokens(tmp_path, "other")
    refused_unless_forced(alb, ops_file, new((f"{tokens.path}", f"{other.path}")), "token_file",
                          "is not in that file")


def test_nobody_takes_his_own_right_away(alb, ops_file, tokens):
    tokens.write(f"ops {tokens.ops} read\n")
    refused_unless_forced(alb, ops_file, None, "token_file", "it may only read then",
                          "leave its line as it is")
    code, _, err = remote(alb, "reload", token_file=ops_file)
    assert code == 1 and "token:ops may only read" in err


def test_a_token_is_changed_from_afar_with_the_new_one(alb, ops_file, tokens):
    new = "n" * 40
    tokens.write(f"ops {tokens.ops}\nops {new}\n")
    assert remote(alb, "reload", token_file=ops_file)[0] == 0
    tokens.write(f"ops {new}\n")
    code, _, err = remote(alb, "reload", token_file=ops_file)
    assert code == 1 and "send this with one that stays" in err and new not in err
    ops_file.write_text(new)
    assert remote(alb, "reload", token_file=ops_file)[0] == 0


def test_who_is_asked_for_a_certificate_that_nobody_asked_for_before(alb, ops_file, new, tmp_path):
    root = Authority(tmp_path, "root")
    path = new(("[management]\n", f"[management]\nclient_ca_file = {root.crt}\nclient = ops\n"))
    refused_unless_forced(alb, ops_file, path, "client_ca_file", "it asks for a certificate")
    ops = root.client("ops")
    assert remote(alb, "--cert", ops.pem, "status", token_file=ops_file)[0] == 0


@pytest.fixture
def by_certificate(start_alb, start_target, tmp_path, tokens):
    root = Authority(tmp_path, "root")
    ops = root.client("ops")
    alb = start_alb(forward_config(start_target(), more=management(
        f"client_ca_file = {root.crt}\nclient = ops\nclient = watch read",
        bind=f"127.0.0.1:{free_port()}", allow=HERE)))
    return alb, ["--cert", ops.pem], root


@pytest.mark.parametrize("before, after, setting, said", [
    ("client = ops\n", "", "client", "it has no line for the certificate"),
    ("client = ops\n", "client = ops read\n", "client", "it may only read then"),
    ("client_ca_file = {root}", "client_ca_file = {other}", "client_ca_file", "does not vouch"),
    ("client_ca_file = {root}\nclient = ops\nclient = watch read", "token_file = {tokens}",
     "token_file", "it asks for a token, and this came without one")],
    ids=["line", "right", "authority", "token"])
def test_nobody_takes_away_what_his_certificate_is_good_for(by_certificate, tmp_path, tokens, before,
                                                            after, setting, said):
    alb, login, root = by_certificate
    fill = {"{root}": root.crt, "{other}": Authority(tmp_path, "other").crt, "{tokens}": tokens.path}
    for name, value in fill.items():
        before, after = before.replace(name, str(value)), after.replace(name, str(value))
    path = tmp_path / "next.ini"
    assert before in alb.path.read_text()
    path.write_text(alb.path.read_text().replace(before, after))
    refused_unless_forced(alb, None, path, setting, said, login=login)


def test_an_authority_may_be_added(by_certificate, tmp_path):
    """His own is there still, so he may come again."""
    alb, login, root = by_certificate
    both, path = tmp_path / "both.pem", tmp_path / "next.ini"
    both.write_text(Authority(tmp_path, "other").crt.read_text() + root.crt.read_text())
    path.write_text(alb.path.read_text().replace(str(root.crt), str(both)))
    for _ in range(2):
        code, _, err = remote(alb, *login, "reload", "--config", path)
        assert code == 0, err


def test_by_force_one_may_shut_himself_out_of_all(alb, ops_file, new):
    text = alb.path.read_text()
    path = new((text[text.index("[management]"):], ""))
    code, out, err = remote(alb, "reload", "--config", path, "--force", token_file=ops_file)
    assert (code, out) == (0, "reloaded\n") and "it would listen nowhere; that was forced" in err
    code, _, err = remote(alb, "status", token_file=ops_file)
    assert code == 1 and "cannot connect" in err


def test_force_is_nothing_to_the_local_command(alb):
    code, text = alb.command("reload", "--force")
    assert code == 0 and "forced" not in text


def test_files_that_are_no_configuration(alb, ops_file, tmp_path):
    path = tmp_path / "it"
    code, _, err = remote(alb, "reload", "--config", path, token_file=ops_file)
    assert code == 1 and "--config" in err
    path.write_text("")
    code, _, err = remote(alb, "reload", "--config", path, token_file=ops_file)
    assert code == 1 and "is empty" in err
    path.write_bytes(b"\x00\xff" * 1000)
    code, _, err = remote(alb, "reload", "--config", path, token_file=ops_file)
    assert code == 1 and "alb.ini:1:" in err
    path.write_text("; x\n" * 300000)
    code, _, err = remote(alb, "reload", "--config", path, token_file=ops_file)
    assert code == 1


def test_a_text_of_nearly_1_mb(alb, ops_file, new):
    path = new(("[listener http]", "; " + "x" * 70 + "\n[listener http]"))
    filler = "".join(f"; {i:0>70}\n" for i in range(14000))
    path.write_text(filler + path.read_text())
    assert 1000000 < path.stat().st_size < 1048576

    code, out, err = remote(alb, "reload", "--config", path, token_file=ops_file)
    assert code == 0 and "reloaded" in out, err
    assert alb.path.read_text() == path.read_text()


def test_reload_storms_of_new_texts(alb, tokens, new):
    """Several at once: each is in force and in the file, one after the other."""
    ops = Caller(alb, tokens.ops)
    texts = [new(("[listener http]", f"[listener l{i}]")).read_bytes() for i in range(6)]
    got = []

    def send(text):
        got.append(ops.status("/reload", "POST", body=text))
    threads = [threading.Thread(target=send, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [200] * 6
    wait_until(lambda: alb.status()["reloads"] == 6, "the last")
    assert f"[listener {alb.status()['listeners'][0]['name']}]" in alb.path.read_text()
