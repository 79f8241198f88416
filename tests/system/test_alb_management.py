"""[management]: operators from afar, by TLS and a login, and nobody else."""

import contextlib
import datetime
import json
import secrets
import ssl
import time

import pytest

from balancer import forward_config
from client_certs import NOW, PAST, Authority
from harness import PATIENCE, free_port, run, wait_until
from http_wire import read_response, request
from localhost_cert import make_certificate
from managed import Caller, Tokens, bearer, client_context, config, management, needs_alert
from sockets import read_until_close
from tls_versions import each_version, speak
from ws_wire import echo_script


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("operators")
    root, stranger = Authority(folder, "root"), Authority(folder, "stranger")
    return {"root": root, "ops": root.client("ops"), "watch": root.client("watch"),
            "nobody": root.client("nobody"), "two": root.client("two", "/CN=ops/CN=watch"),
            "unknown": stranger.client("ops2", "/CN=ops"),
            "expired": root.client("expired", "/CN=ops", dates=PAST)}


@pytest.fixture
def tokens(tmp_path):
    make_certificate()
    return Tokens(tmp_path)


@pytest.fixture
def alb(start_alb, start_target, tokens):
    return start_alb(config(start_target(), f"token_file = {tokens.path}"))


@pytest.fixture
def ops(alb, tokens):
    return Caller(alb, tokens.ops)


# --- what is answered ------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/metrics", "/status", "/tunnels", "/closed",
                                  "/upgrades/failed", "/edge", "/edge/refused",
                                  "/edge/check?address=10.0.0.1"])
def test_all_that_the_admin_port_shows(alb, ops, tokens, path):
    assert ops.status(path) == 200
    assert Caller(alb, tokens.watch).status(path) == 200


@each_version
def test_over_each_version_of_tls(alb, ops, version):
    ops.context = speak(ops.context, version)
    assert ops.status("/status") == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_a_version_of_tls_before_1_2_is_refused(alb, ops):
    ops.context.set_ciphers("ALL:@SECLEVEL=0")
    ops.context.minimum_version = ssl.TLSVersion.TLSv1
    ops.context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert needs_alert(lambda: ops.status("/status"))


def test_commands(start_alb, start_target, tokens):
    target, other = start_target(), start_target()
    alb = start_alb(config(target, f"token_file = {tokens.path}"))
    ops = Caller(alb, tokens.ops)

    assert ops.order("/register", target_group="app", target=other.address)[0] == 200
    assert len(alb.status()["target_groups"][0]["targets"]) == 2
    assert ops.order("/drain", target_group="app", target=other.address)[0] == 200
    assert ops.order("/undrain", all=True)[0] == 200
    assert ops.order("/deregister", target_group="app", target=other.address)[0] == 200
    assert ops.order("/edge/add", block="10.9.0.0/16", **{"for": "10m"})[0] == 200
    assert ops.order("/edge/remove", block="10.9.0.0/16")[0] == 200
    status, answer = ops.order("/reload")
    assert (status, answer["message"]) == (200, "reloaded")
    assert ops.order("/drain", target_group="none")[0] == 404


def test_several_requests_on_one_connection_a_byte_at_a_time(alb, ops):
    head = request(path="/health", fields=bearer(ops.token))

    with ops.connect() as tls:
        for _ in range(2):
            for byte in head:
                tls.sendall(bytes([byte]))
            assert read_response(tls).body == b"ok\n"
        tls.sendall(head * 3)
        for _ in range(3):
            assert read_response(tls).status == 200


def test_a_body_in_small_pieces_and_a_request_behind_it(alb, ops):
    body = b'{"block": "10.9.0.0/16", "for": "10m"}'
    order = request("POST", "/edge/add", fields=bearer(ops.token), body=body)

    with ops.connect() as tls:
        for i in range(0, len(order), 3):
            tls.sendall(order[i:i + 3])
        tls.sendall(request(path="/health", fields=bearer(ops.token)))
        assert read_response(tls).status == 200
        assert read_response(tls).body == b"ok\n"


def test_no_program_is_started_from_afar(alb, ops):
    status, _, body = ops.ask("/upgrade", "POST", b'{"binary":"/bin/true"}')
    assert status == 404 and b"/upgrade\n" not in body and b"POST /reload" in body


def test_a_large_answer_arrives_whole(start_alb, start_target, tokens):
    blocks = "\n".join(f"allow = 10.{i // 256}.{i % 256}.0/25" for i in range(20000))
    alb = start_alb(config(start_target(), f"token_file = {tokens.path}",
                           edge=f"allow = 127.0.0.0/8\n{blocks}"))

    status, _, body = Caller(alb, tokens.ops).ask("/edge")
    assert status == 200 and len(json.loads(body)["configured"]) == 20001 and len(body) > 1000000


# --- who may ---------------------------------------------------------------------------------


@pytest.mark.parametrize("login", [
    [], [b"Authorization: Bearer"], [b"Authorization: Bearer "], [b"Authorization: Basic {ops}"],
    [b"Authorization: {ops}"], [b"Authorization: Bearer {ops}x"], [b"Authorization: Bearer x{ops}"],
    [b"Authorization: Bearer {short}"], [b"Authorization: Bearer ops {ops}"],
    [b"Authorization: Bearer {ops}", b"Authorization: Bearer {ops}"],
    [b"Authorization: Bearer nonsense", b"Authorization: Bearer {ops}"],
    [b"Authorization: Bearer\r\n {ops}"], [b"Authorization_: Bearer {ops}"],
    [b"Cookie: token={ops}"], [b"X-Token: {ops}"]])
def test_nobody_without_a_token(alb, ops, login):
    fill = {b"{ops}": ops.token.encode(), b"{short}": ops.token[:-1].encode()}
    for name, value in fill.items():
        login = [line.replace(name, value) for line in login]

    with ops.connect() as tls:
        tls.sendall(request(path="/status", fields=b"".join(line + b"\r\n" for line in login)))
        response = read_response(tls)
        assert response.status in (400, 401), response
        assert tls.recv(1) == b""
    assert alb.metric("alb_management_logins_failed_total") <= 1
    assert ops.token not in alb.log()


def test_a_token_in_the_url_is_none_and_is_not_logged(alb, ops):
    status, headers, _ = Caller(alb).ask(f"/status?access_token={ops.token}&token={ops.token}")

    assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer")
    wait_until(lambda: 'refused=login address=127.0.0.2' in alb.log(), "a line of the log")
    assert ops.token not in alb.log()


def test_who_may_read_only_reads(alb, tokens):
    watch = Caller(alb, tokens.watch)

    for path in ("/drain", "/register", "/reload", "/reload?dry_run=1", "/edge/add"):
        status, answer = watch.order(path, all=True)
        assert (status, answer["errors"]) == (403, ["token:watch may only read"]), path
    assert alb.status()["reloads"] == 0


def test_tokens_are_changed_without_a_gap(alb, ops, tokens):
    new = secrets.token_urlsafe(40)

    tokens.write(f"ops {tokens.ops}\nops {new}\n")
    dry = alb.ok("reload", "--dry-run")
    assert "token_file" in dry and "2 before, 2 then" in dry and new not in dry
    assert Caller(alb, new).status("/status") == 401, "not before the reload"
    alb.reload()
    with ops.connect() as tls:  # it was let in by the old one
        ask = request(path="/health", fields=bearer(tokens.ops))
        tls.sendall(ask)
        assert read_response(tls).status == 200
        assert Caller(alb, new).status("/status") == 200
        tokens.write(f"ops {new}\n")
        alb.reload()
        tls.sendall(ask)
        assert read_response(tls).status == 401, "each request is judged"
    assert Caller(alb, new).status("/status") == 200


def test_web_pages_give_no_orders(alb, ops):
    status = ops.status("/drain", "POST", body=b'{"all":true}',
                        headers={"Origin": "https://evil.example"})
    assert status == 403
    assert alb.status()["target_groups"][0]["targets"][0]["state"] != "draining"


# --- certificates ------------------------------------------------------------------------------


@pytest.fixture
def by_certificate(start_alb, start_target, tokens, certs):
    def start(lines="client = ops\nclient = watch read\n", login=""):
        return start_alb(config(start_target(),
                                f"client_ca_file = {certs['root'].crt}\n{lines}{login}"))
    return start


@each_version
def test_certificates(by_certificate, certs, version):
    alb = by_certificate()
    speak(ssl.create_default_context(), version)  # or it is skipped

    def caller(name):
        return Caller(alb, context=client_context(certs[name].pem, version))
    assert caller("ops").order("/reload")[0] == 200
    assert caller("watch").status("/status") == 200
    assert caller("watch").order("/reload")[1]["errors"] == ["cert:watch may only read"]
    assert caller("nobody").status("/status") == 401
    assert caller("two").status("/status") == 401, "nobody knows which of the two he is"
    for name in ("unknown", "expired"):
        assert needs_alert(lambda name=name: caller(name).status("/status")), name
    assert needs_alert(lambda: Caller(alb).status("/status")), "none"
    wait_until(lambda: "ClientCertExpired" in alb.log() and "ClientCertUntrusted" in alb.log(),
               "both to be logged")


def test_any_name_of_an_authority(by_certificate, certs):
    alb = by_certificate("client = * read\nclient = ops\n")

    nobody = Caller(alb, context=client_context(certs["nobody"].pem))
    assert nobody.status("/status") == 200 and nobody.order("/reload")[0] == 403
    assert Caller(alb, context=client_context(certs["two"].pem)).status("/status") == 401
    assert Caller(alb, context=client_context(certs["ops"].pem)).order("/reload")[0] == 200


def test_authorities_that_were_replaced_let_nobody_in(by_certificate, certs):
    alb = by_certificate()
    text = alb.path.read_text()

    with Caller(alb, context=client_context(certs["ops"].pem)).connect() as tls:
        for more in ("", "; nothing that matters\n"):
            alb.path.write_text(text + more)
            alb.reload()
            tls.sendall(request(path="/health"))
            assert read_response(tls).status == 200
        alb.path.write_text(text.replace(str(certs["root"].crt), str(certs["unknown"].issuer.crt)))
        alb.reload()
        tls.sendall(request("POST", "/drain", body=b'{"all": true}'))
        assert read_response(tls).status == 401, "although its line is there still"
    wait_until(lambda: "client_ca_file has other authorities" in alb.log(), "a line of the log")
    assert alb.status()["target_groups"][0]["targets"][0]["state"] != "draining"


def soon(seconds):
    """Dates of a certificate that is good for so long."""
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return (NOW[0], end.strftime("%Y%m%d%H%M%SZ"))


@pytest.mark.parametrize("brief", ["leaf", "between", "root"])
def test_a_certificate_that_expires_lets_nobody_in_any_more(start_alb, start_target, tokens, tmp_path,
                                                            brief):
    """On a connection that is there as well: each request is judged by the time of its own."""
    def dates(of):
        return soon(5 * PATIENCE) if of == brief else NOW
    root = Authority(tmp_path, "root", dates=dates("root"))
    between = Authority(tmp_path, "between", root, dates("between"))
    pem = between.client("leaf", "/CN=ops", dates=dates("leaf")).pem
    alb = start_alb(config(start_target(), f"client_ca_file = {root.crt}\nclient = ops\n"))
    found = []

    def ask(tls):
        tls.sendall(request(path="/health"))
        found.append(read_response(tls).status)
        return found[-1] != 200
    with Caller(alb, context=client_context(pem)).connect() as tls:
        wait_until(lambda: ask(tls), "its end", 20)
        assert found[0] == 200 and found[-1] == 401
        assert tls.recv(1) == b"", "and the connection has ended"
    wait_until(lambda: 'refused=login' in alb.log() and "Failed:ClientCertExpired" in alb.log(),
               "a line of the log")
    assert needs_alert(lambda: Caller(alb, context=client_context(pem)).status("/health"))


@pytest.mark.parametrize("after, status", [("client = watch read\n", 401),
                                           ("client = ops read\nclient = watch read\n", 403)],
                         ids=["gone", "read"])
def test_a_line_that_was_changed_counts_at_once(by_certificate, certs, after, status):
    alb = by_certificate()
    before = "client = ops\nclient = watch read\n"

    with Caller(alb, context=client_context(certs["ops"].pem)).connect() as tls:
        order = request("POST", "/undrain", body=b'{"all": true}')
        tls.sendall(order)
        assert read_response(tls).status == 409, "nothing was drained"
        assert before in alb.path.read_text()
        alb.path.write_text(alb.path.read_text().replace(before, after))
        alb.reload()
        tls.sendall(order)
        assert read_response(tls).status == status


def test_a_token_that_may_only_read_from_now_on(alb, ops, tokens):
    with ops.connect() as tls:
        order = request("POST", "/undrain", fields=bearer(tokens.ops), body=b'{"all": true}')
        for line, status in (("ops {}", 409), ("ops {} read", 403), ("ops {}", 409),
                             ("other {} read", 403)):
            tokens.write(line.format(tokens.ops) + "\n")
            alb.reload()
            tls.sendall(order)
            assert read_response(tls).status == status


def test_with_both_both_are_asked_for(by_certificate, certs, tokens):
    alb = by_certificate(login=f"token_file = {tokens.path}\n")
    ops, watch = (client_context(certs[name].pem) for name in ("ops", "watch"))

    assert Caller(alb, tokens.ops, context=ops).order("/reload")[0] == 200
    assert Caller(alb, context=ops).status("/status") == 401
    assert needs_alert(lambda: Caller(alb, tokens.ops).status("/status"))
    status, answer = Caller(alb, tokens.ops, context=watch).order("/reload")
    assert (status, answer["errors"]) == (403, ["token:ops+cert:watch may only read"])
    assert Caller(alb, tokens.watch, context=ops).order("/reload")[0] == 403


# --- attackers -----------------------------------------------------------------------------------


def test_a_stranger_hears_nothing(alb, tokens):
    for source in ("127.0.0.1", "127.0.0.3"):  # both are in the edge set
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
            with Caller(alb, tokens.ops, source).plain(timeout=1) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert read_until_close(sock) == b""
    assert Caller(alb, tokens.ops).status("/health") == 200
    found = {r["address"]: r for r in json.loads(alb.ok("edge", "refused", "--json"))["refused"]}
    assert {found[source]["listener"] for source in ("127.0.0.1", "127.0.0.3")} == {"[management]"}
    counted = alb.metric("alb_management_dropped_syns_total") + \
        alb.metric('alb_connections_refused_total{reason="management"}')
    assert counted >= 2 and alb.metric("alb_edge_dropped_syns_total") == 0
    assert "who may ask at [management] is its own allow" in alb.ok("edge", "refused")
    assert 'prefix=127.0.0.0/24 listener=[management]' in alb.log()


def test_plain_http_to_the_tls_port(alb, ops):
    with ops.plain() as sock:
        sock.sendall(request(path="/status", fields=bearer("x")))
        got = read_until_close(sock)
    assert got.startswith(b"HTTP/1.1 400 ") and b"tunnels" not in got
    wait_until(lambda: alb.metric('alb_management_connections_total{outcome="failed"}') == 1,
               "it to be counted")
    assert ops.status("/health") == 200
    assert alb.metric('alb_management_connections_total{outcome="accepted"}') == 1


def test_nonsense_in_place_of_tls(alb, ops):
    with ops.plain() as sock:
        sock.sendall(b"\x16\x03\x01\x40\x00" + bytes(20000))
        with contextlib.suppress(ConnectionError):
            read_until_close(sock)
    assert ops.status("/health") == 200


def test_a_body_is_not_read_before_the_login(alb, ops):
    with Caller(alb, "x" * 64).connect() as tls:
        tls.sendall(b"POST /reload HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + b"x" * 64 +
                    b"\r\nContent-Length: 1000000\r\n\r\n")
        assert read_response(tls).status == 401


@pytest.mark.parametrize("head, status", [
    (b"Content-Length: 1048577\r\n", 413), (b"Content-Length: 99999999999\r\n", 413),
    (b"Transfer-Encoding: chunked\r\n", 411), ((b"X: " + b"y" * 8000 + b"\r\n") * 3, 431)],
    ids=["a byte", "far", "chunked", "head"])
def test_too_much(alb, ops, head, status):
    with ops.connect() as tls:
        tls.sendall(b"POST /reload HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " +
                    ops.token.encode() + b"\r\n" + head + b"\r\n")
        assert read_response(tls).status == status
    assert ops.status("/health") == 200


def test_a_head_without_an_end(alb, ops):
    with ops.connect() as tls:
        tls.sendall(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4000)
        assert read_response(tls).status == 431


def test_slow_ones_hold_up_nobody(alb, ops):
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(ops.plain())  # never begins its handshake
        slow = stack.enter_context(ops.connect())
        slow.sendall(b"POST /reload HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " +
                     ops.token.encode() + b"\r\nContent-Length: 100\r\n\r\nhalf")
        began = time.monotonic()
        assert ops.status("/status") == 200 and alb.metrics() and alb.status()
        assert time.monotonic() - began < 8, "none of these waits for the slow ones"


def test_one_address_does_not_keep_the_others_out(start_alb, start_target, tokens):
    alb = start_alb(forward_config(start_target(), more=management(
        f"token_file = {tokens.path}", allow="127.0.0.2/32 127.0.0.3/32")))
    ops, other = Caller(alb, tokens.ops), Caller(alb, tokens.ops, source="127.0.0.3")

    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(ops.plain())
        with ops.plain() as ninth:
            assert ninth.recv(1) == b""
        assert other.status("/health") == 200
    assert alb.metric('alb_connections_refused_total{reason="management"}') == 1
    wait_until(lambda: not needs_alert(lambda: ops.status("/health")), "the eight to be gone")


def test_failed_logins_do_not_fill_the_log(alb, ops):
    for _ in range(30):
        assert Caller(alb, "y" * 40).status("/status") == 401
    assert alb.metric("alb_management_logins_failed_total") == 30
    assert 1 <= alb.log().count("refused=login") <= 20


# --- changes of itself ---------------------------------------------------------------------------


def test_it_comes_moves_and_goes_by_reload(start_alb, start_target, tokens):
    target, ports = start_target(), [free_port(), free_port()]
    alb = start_alb(forward_config(target))
    assert alb.ready["management"] == []

    for port in ports:
        alb.configure(forward_config(target, more=management(f"token_file = {tokens.path}",
                                                             bind=f"127.0.0.1:{port}")))
        assert "management" in alb.ok("reload", "--dry-run")
        alb.reload()
        alb.ready["management"] = [f"127.0.0.1:{port}"]
        assert Caller(alb, tokens.ops).status("/status") == 200
    alb.configure(forward_config(target))
    alb.reload()
    with pytest.raises(ConnectionRefusedError):
        Caller(alb, tokens.ops).plain()


def test_whoever_is_out_of_allow_is_not_answered_any_more(start_alb, start_target, tokens):
    target = start_target()
    login = f"token_file = {tokens.path}"
    alb = start_alb(config(target, login))
    ask = request(path="/health", fields=bearer(tokens.ops))

    with Caller(alb, tokens.ops).connect() as tls:
        tls.sendall(ask)
        assert read_response(tls).status == 200
        alb.configure(forward_config(target, more=management(login, allow="127.0.0.9/32")))
        alb.reload()
        tls.sendall(ask)
        assert read_response(tls).status == 401


def test_it_survives_an_upgrade(alb, ops):
    before = alb.ready["management"]

    with ops.connect() as tls:
        code, text = alb.upgrade()
        assert code == 0, text
        assert alb.ready["management"] == before
        assert ops.status("/status") == 200
        tls.sendall(request(path="/health", fields=bearer(ops.token) +
                            b"Connection: close\r\n"))
        assert read_response(tls).status == 200, "it was connected before"


def test_it_answers_while_the_process_stops(start_alb, start_target, tokens):
    target = start_target(echo_script)
    alb = start_alb(config(target, f"token_file = {tokens.path}"))
    ops = Caller(alb, tokens.ops)
    with ops.connect() as tls:
        ask = request(path="/status", fields=bearer(ops.token))
        tls.sendall(ask)
        assert read_response(tls).status == 200
    assert alb.stop() == 0


# --- configuration -------------------------------------------------------------------------------


GOOD = "bind = 127.0.0.1:9\nallow = 10.0.0.0/24\n"


@pytest.mark.parametrize("lines, error", [
    ("allow = 10.0.0.0/24\n", "[management] has no bind"),
    ("bind = 127.0.0.1:9\n", "[management] has no allow: name the addresses of the operators"),
    (GOOD, "has no certificate_file: it speaks TLS only"),
    (GOOD + "certificate_file = {cert}\n", "lets nobody log in: add token_file"),
    (GOOD + "certificate_file = /none.pem\ntoken_file = {tokens}\n", "certificate_file: "),
    (GOOD + "certificate_file = {cert}\ntoken_file = /none\n", "token_file: "),
    (GOOD + "certificate_file = {cert}\nclient_ca_file = {cert}\n", "add client = NAME"),
    (GOOD + "certificate_file = {cert}\nclient = ops\ntoken_file = {tokens}\n",
     "add client_ca_file = FILE.pem"),
    (GOOD + "certificate_file = {cert}\nclient_ca_file = {tokens}\nclient = ops\n",
     "client_ca_file: "),
    (GOOD + "certificate_file = {cert}\nclient_ca_file = {cert}\nclient = ops write\n",
     "is not NAME or NAME read"),
    (GOOD + "certificate_file = {cert}\nclient_ca_file = {cert}\nclient = ops\nclient = ops read\n",
     "ops stands in another line already"),
    (GOOD + "bind = 127.0.0.1:80\ncertificate_file = {cert}\ntoken_file = {tokens}\n",
     "of [listener http]; choose another port"),
    (GOOD + "certificate_file = {cert}\ntoken_file = {tokens}\n[health]\nbind = 127.0.0.1:9\n"
     "allow = any\n", "of [health]; choose another port"),
])
def test_what_the_section_may_not_say(tmp_path, tokens, lines, error):
    path = tmp_path / "alb.ini"
    text = forward_config("127.0.0.1:1", more="[management]\n" + lines).replace(
        "[listener http]\nbind = 127.0.0.1:0", "[listener http]\nbind = 127.0.0.1:80")
    for name, value in {"socket": "", "access": "-", "cert": make_certificate(),
                        "tokens": tokens.path}.items():
        text = text.replace("{" + name + "}", str(value))
    path.write_text(text)
    code, _, errors = run("alb", "check", path)
    assert code == 1 and error in errors
    assert tokens.ops not in errors


@pytest.mark.parametrize("mode, text, error", [
    (0o644, "ops {token}\n", "mode 0644 lets others at it; chmod 600"), (0o600, "ops\n", ":1: has no token behind the name"),
    (0o600, "# nobody\n\n", "no token in it; add a line"),
    (0o600, "ops {token}\nme {token}\n", ":2: has a token that stands above already"),
    (0o600, "ops {short}\n", ":1: has a token that is not 32 to 256"),
    (0o600, "ops {token} write\n", ":1: has more behind the token"),
    (0o600, "{token}\n", ":1: has no token"), (0o600, "a/b {token}\n", ":1: does not begin with"),
    (0o600, "ops {token}\x01\n", ":1: has a token that is not")])
def test_a_bad_token_file_is_named_and_not_shown(tmp_path, tokens, mode, text, error):
    token = "s3cret" + secrets.token_hex(16)
    tokens.write(text.replace("{token}", token).replace("{short}", token[:31]))
    tokens.path.chmod(mode)
    path = tmp_path / "alb.ini"
    path.write_text(config("127.0.0.1:1", f"token_file = {tokens.path}").replace(
        "{socket}", "").replace("{access}", "-").replace("{cert}", str(make_certificate())))

    code, _, errors = run("alb", "check", path)
    assert code == 1 and error in errors and "s3cret" not in errors


def test_any_address_is_warned_of(tmp_path, tokens):
    path = tmp_path / "alb.ini"
    path.write_text(forward_config("127.0.0.1:1", more=management(
        f"token_file = {tokens.path}", allow="any")).replace("{socket}", "").replace(
            "{access}", "-").replace("{cert}", str(make_certificate())))
    code, _, errors = run("alb", "check", path)
    assert code == 0 and "any address may try to log in" in errors


def test_the_packet_filter_has_its_ports_for_its_own_set(tmp_path, tokens):
    path = tmp_path / "alb.ini"
    path.write_text(forward_config("127.0.0.1:1", more=management(
        f"token_file = {tokens.path}", bind="0.0.0.0:8443", allow="10.7.0.0/24")).replace(
            "bind = 127.0.0.1:0", "bind = 0.0.0.0:80").replace("{socket}", "").replace(
                "{access}", "-").replace("{cert}", str(make_certificate())))
    code, rules, errors = run("alb", "nft", path)
    assert code == 0, errors
    assert "set management4" in rules and "10.7.0.0/24" in rules
    assert "ip saddr @management4 tcp dport { 8443 } accept" in rules
