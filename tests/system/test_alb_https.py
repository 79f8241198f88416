"""HTTPS listeners: certificates, protocols, resumption, and those who stall."""

import contextlib
import socket
import ssl
import subprocess
import threading
import time

from balancer import HTTPS_LISTENER, forward_config
from harness import wait_until
from http_wire import read_response, request, values
from localhost_cert import CERT, trusting_context
from scripted_target import answer
from sockets import is_closed
from tls_versions import each_version, need_1_3, speak


def start_https(start_alb, target, alb=""):
    return start_alb(forward_config(target, alb=alb, more=HTTPS_LISTENER))


def connect_tls(alb, session=None, **options):
    context = options.pop("context", None) or trusting_context()
    raw = alb.connect("https")
    return context.wrap_socket(raw, server_hostname="localhost", session=session)


def test_requests_are_served_and_marked_https(start_alb, start_target):
    target = start_target()
    alb = start_https(start_alb, target)

    with connect_tls(alb) as sock:
        for _ in range(3):
            sock.sendall(request())
            assert read_response(sock).body == b"ok"
    assert values(target.seen[0], "X-Forwarded-Proto") == ["https"]
    assert values(target.seen[0], "X-Forwarded-Port") == [str(alb.port("https"))]
    row = alb.access_row("https://")
    assert row.startswith("https ") and " TLSv1." in row and '"localhost"' in row
    assert alb.metric("alb_tls_handshakes_total") == 1


def test_curl_is_content(start_alb, start_target):
    alb = start_https(start_alb, start_target(answer(b"hello")))

    done = subprocess.run(
        ["curl", "-sS", "--cacert", CERT, "--http1.1", "-d", "x=1",
         f"https://localhost:{alb.port('https')}/a", "--resolve",
         f"localhost:{alb.port('https')}:127.0.0.1"], capture_output=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, b"hello"), done.stderr


def test_a_large_body_goes_both_ways(start_alb, start_target):
    def echo(sock, head, rest):
        n = int(values(head, "Content-Length")[0])
        while len(rest) < n:
            rest += sock.recv(1 << 20)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n + rest)
        return True
    alb = start_https(start_alb, start_target(echo))
    body = bytes(range(256)) * 20000

    with connect_tls(alb) as sock:
        sock.sendall(request("POST", body=body))
        assert read_response(sock).body == body


def test_plain_http_is_told_so(start_alb, start_target):
    target = start_target()
    alb = start_https(start_alb, target)

    with alb.connect("https") as sock:
        sock.sendall(request())
        got = read_response(sock)
        assert got.status == 400 and b"HTTPS" in got.body
        assert is_closed(sock)
    assert target.seen == []


def test_garbage_is_dropped_and_counted(start_alb, start_target):
    alb = start_https(start_alb, start_target())

    with alb.connect("https") as sock:
        sock.sendall(b"\x16\x03\x01\x00\x05garbage" * 10)
        wait_until(lambda: alb.metric("alb_tls_handshake_errors_total") == 1, "it to be counted")
    assert alb.get(listener="https", tls=True)[0] == 200


def test_a_stalled_handshake_holds_up_nobody_and_is_dropped(start_alb, start_target):
    alb = start_https(start_alb, start_target(), "tls.handshake_timeout = 1s")

    stalled = [alb.connect("https") for _ in range(20)]
    for sock in stalled[10:]:
        sock.sendall(b"\x16\x03\x01")
    began = time.monotonic()
    assert alb.get(listener="https", tls=True)[0] == 200
    assert time.monotonic() - began < 0.9
    for sock in stalled:
        assert is_closed(sock)
        sock.close()
    wait_until(lambda: alb.metric("alb_connections_open") == 0, "all to be counted out")


@each_version
def test_sessions_are_resumed_and_the_log_says_so(start_alb, start_target, version):
    context = speak(trusting_context(), version)
    alb = start_https(start_alb, start_target())

    with connect_tls(alb, context=context) as sock:
        sock.sendall(request())
        read_response(sock)
        session = sock.session
        assert not sock.session_reused
    with connect_tls(alb, session, context=context) as sock:
        sock.sendall(request(path="/again"))
        read_response(sock)
        assert sock.session_reused
    assert '"session-reused"' in alb.access_row("/again")


@each_version
def test_many_shake_hands_at_a_time(start_alb, start_target, version):
    """On all handshake threads and both workers, whole handshakes beside resumed ones."""
    context = speak(trusting_context(), version)
    config = forward_config(start_target(), more=HTTPS_LISTENER)
    alb = start_alb(config.replace("workers = 1", "workers = 2"))
    resumed = []

    def client():
        session = None
        for at in range(10):
            with connect_tls(alb, session, context=context) as sock:
                sock.sendall(request(path=f"/{at}"))
                assert read_response(sock).body == b"ok"
                resumed.append(sock.session_reused)
                session = None if at % 3 == 2 else sock.session
    threads = [threading.Thread(target=client) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(resumed) == 120 and resumed.count(True) == 72
    assert alb.metric("alb_tls_handshakes_total") == 120
    assert alb.metric("alb_tls_handshake_errors_total") == 0


@each_version
def test_alpn_is_http_1_1_or_none(start_alb, start_target, version):
    if version == ssl.TLSVersion.TLSv1_3:
        need_1_3()
    alb = start_alb(forward_config(start_target(), more=HTTPS_LISTENER))

    def s_client(*options):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{alb.port('https')}",
                               f"-tls1_{version - 0x0301}", *options], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=20)
        return done.returncode, done.stdout + done.stderr
    code, said = s_client("-alpn", "h2,http/1.1")
    assert code == 0 and "ALPN protocol: http/1.1" in said
    code, said = s_client()
    assert code == 0 and "No ALPN negotiated" in said
    code, said = s_client("-alpn", "h2")  # RFC 7301 3.2: no_application_protocol
    assert code != 0 and "alert number 120" in said


def hello(context):
    """The first flight of a client."""
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


@each_version
def test_who_is_refused_can_read_why(start_alb, start_target, version):
    """Closing at once would reset the connection on what a client sends behind its hello, and
    many clients then never read the alert."""
    context = speak(ssl._create_unverified_context(), version)
    context.set_alpn_protocols(["h2"])
    alb = start_https(start_alb, start_target())

    with alb.connect("https") as sock:
        sock.sendall(hello(context))
        alert = sock.recv(7)
        assert alert[0] == 0x15 and alert[5:] == bytes([2, 120]), alert
        for _ in range(3):
            sock.sendall(b"\x17\x03\x03\x00\x01.")
            assert sock.recv(1) == b""
    wait_until(lambda: alb.metric("alb_tls_handshake_errors_total") == 1, "it to be counted")


@each_version
def test_who_has_no_certificate_where_one_is_asked_for_is_told(start_alb, start_target, version):
    if version == ssl.TLSVersion.TLSv1_3:
        need_1_3()
    alb = start_alb(forward_config(start_target(), more=HTTPS_LISTENER + (
        "mutual_authentication.mode = verify\nmutual_authentication.trust_store = {cert}\n")))

    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{alb.port('https')}",
                           f"-tls1_{version - 0x0301}", "-ign_eof"], input=request(),
                          capture_output=True, timeout=20)
    # mbedTLS 3.6 seals what it says behind its Finished of 1.3 by the keys of before.
    want = b"bad record mac" if version == ssl.TLSVersion.TLSv1_3 else b"alert number 40"
    assert want in done.stderr and b"HTTP/1" not in done.stdout, done.stderr
    wait_until(lambda: alb.metric("alb_tls_handshake_errors_total") == 1, "it to be counted")


# What a client may ask for of the handshake of 1.3, and what comes of it.
ASKED = [
    ("-groups X25519", "X25519, 253 bits"),
    ("-groups P-256", "prime256v1, 256 bits"),
    # It has shown a key of a group that the balancer has not: HelloRetryRequest.
    ("-groups P-384:P-256", "prime256v1, 256 bits"),
    ("-groups X448:X25519", "X25519, 253 bits"),
    ("-ciphersuites TLS_AES_128_GCM_SHA256", "Cipher is TLS_AES_128_GCM_SHA256"),
    ("-ciphersuites TLS_AES_256_GCM_SHA384", "Cipher is TLS_AES_256_GCM_SHA384"),
    ("-ciphersuites TLS_CHACHA20_POLY1305_SHA256", "Cipher is TLS_CHACHA20_POLY1305_SHA256"),
    ("-no_middlebox", "Cipher is TLS_AES"),
    # Nothing in common.
    ("-groups P-384", "alert number 40"),
    ("-ciphersuites TLS_AES_128_CCM_SHA256", "alert number 40"),
    ("-sigalgs RSA-PSS+SHA256", "alert number 40"),
]


def test_what_clients_ask_for_in_1_3(start_alb, start_target):
    need_1_3()
    alb = start_https(start_alb, start_target())

    for options, want in ASKED:
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{alb.port('https')}",
                               "-tls1_3", *options.split()], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=20)
        assert want in done.stdout + done.stderr, (options, done.stdout + done.stderr)
        assert (done.returncode == 0) == ("alert" not in want), options
    refused = sum("alert" in want for _, want in ASKED)
    wait_until(lambda: alb.metric("alb_tls_handshake_errors_total") == refused, "all to be counted")
    assert alb.metric("alb_tls_handshakes_total") == len(ASKED) - refused


def test_old_protocols_are_refused(start_alb, start_target):
    alb = start_https(start_alb, start_target())

    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{alb.port('https')}",
                           "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert done.returncode != 0
    assert alb.get(listener="https", tls=True)[0] == 200


def test_a_reload_brings_the_new_certificate_and_leaves_connections(start_alb, start_target,
                                                                    tmp_path):
    def make(name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", tmp_path / f"{name}.key",
                        "-out", tmp_path / f"{name}.crt", "-days", "2", "-subj", f"/CN={name}"],
                       check=True, capture_output=True)
        text = (tmp_path / f"{name}.crt").read_text() + (tmp_path / f"{name}.key").read_text()
        (tmp_path / "cert.pem").write_text(text)

    def subject():
        pem = ssl.get_server_certificate(alb.address("https"))
        return subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem, text=True,
                              capture_output=True, check=True).stdout
    make("one")
    listener = HTTPS_LISTENER.replace("{cert}", f"{tmp_path}/cert.pem")
    config = forward_config(start_target(), more=listener)
    alb = start_alb(config)
    assert "one" in subject()
    context = ssl._create_unverified_context()
    with connect_tls(alb, context=context) as sock:
        make("two")
        alb.reload()
        wait_until(lambda: "two" in subject(), "the new certificate")
        sock.sendall(request())
        assert read_response(sock).status == 200


def test_a_half_closed_tls_client_gets_its_answer(start_alb, start_target):
    go_on = threading.Event()

    def slow(sock, head, rest):
        go_on.wait(10)
        return answer()(sock, head, rest)
    target = start_target(slow)
    alb = start_https(start_alb, target)

    with connect_tls(alb) as sock:
        sock.sendall(request())
        wait_until(lambda: target.seen, "the target to have it")
        socket.socket.shutdown(sock, socket.SHUT_WR)
        go_on.set()
        assert read_response(sock).body == b"ok"


def test_shutdown_drains_tls_connections(start_alb, start_target):
    alb = start_https(start_alb, start_target())

    with connect_tls(alb) as sock, alb.connect("https") as stalled:
        sock.sendall(request())
        read_response(sock)
        alb.signal(15)
        assert is_closed(sock)
        assert is_closed(stalled)
    assert alb.wait() == 0
