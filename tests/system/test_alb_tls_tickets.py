"""Tickets of HTTPS listeners: they resume on every thread, and after a reload or an upgrade that
changes neither certificates nor policy."""

import contextlib
import pathlib
import ssl
import subprocess

import pytest

from balancer import forward_config
from http_wire import read_response, request
from tls_versions import each_version, speak

CONNECTIONS, REQUESTS = 24, 60


def make_certificate(path):
    key, crt = path.with_suffix(".key"), path.with_suffix(".crt")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", crt, "-days", "2",
                    "-subj", f"/CN={path.stem}"], check=True, capture_output=True)
    path.write_text(crt.read_text() + key.read_text())


@pytest.fixture
def pem(tmp_path):
    for name in ("one", "two"):
        make_certificate(tmp_path / f"{name}.pem")
    return tmp_path / "one.pem"


def config(target, pem, workers=1, more=""):
    return forward_config(target, more=f"[listener https]\nbind = 127.0.0.1:0\nprotocol = HTTPS\n"
                          f"certificate = {pem}\n{more}\ndefault_action = forward app\n"
                          ).replace("workers = 1", f"workers = {workers}")


def connect(alb, context, session=None):
    sock = context.wrap_socket(alb.connect("https"), session=session)
    get(sock)
    return sock


def get(sock, path="/"):
    sock.sendall(request(path=path))
    assert read_response(sock).body == b"ok"


def switches(alb):
    """{thread: how often it was woken}: what serves a request was woken for it."""
    counts = {}
    for task in pathlib.Path(f"/proc/{alb.pid}/task").iterdir():
        status = (task / "status").read_text()
        count = status.split("\nvoluntary_ctxt_switches:")[1].split()[0]
        counts[(task / "comm").read_text().strip()] = int(count)
    return counts


def woken(alb, work):
    """Which threads `work` woke, and how often."""
    before = switches(alb)
    work()
    return {name: count - before.get(name, 0) for name, count in switches(alb).items()}


@each_version
def test_a_session_resumes_on_every_thread(start_alb, start_target, pem, version):
    """Four workers have two threads for handshakes. Which of them had a connection is told by
    whom the kernel woke."""
    context = speak(ssl._create_unverified_context(), version)
    alb = start_alb(config(start_target(), pem, workers=4))
    with connect(alb, context) as sock:
        session = sock.session

    with contextlib.ExitStack() as stack:
        socks = []

        def resume():
            for _ in range(CONNECTIONS):
                socks.append(stack.enter_context(connect(alb, context, session)))
        shaking = woken(alb, resume)
        assert all(sock.session_reused for sock in socks)
        for thread in ("alb-tls-0", "alb-tls-1"):
            assert shaking[thread] >= 2, shaking  # an accept and a ClientHello at least
        carrying = set()
        for sock in socks[:8]:
            wakes = woken(alb, lambda: [get(sock) for _ in range(REQUESTS)])
            carrier, other = sorted((n for n in wakes if n.startswith("alb-loop-")),
                                    key=wakes.get, reverse=True)[:2]
            assert wakes[carrier] > 10 + 2 * wakes[other], wakes
            carrying.add(carrier)
        assert carrying == {f"alb-loop-{i}" for i in range(4)}


@each_version
def test_tickets_outlive_a_reload_that_changes_nothing_of_tls(start_alb, start_target, pem,
                                                              version):
    context = speak(ssl._create_unverified_context(), version)
    target = start_target()
    alb = start_alb(config(target, pem))
    with connect(alb, context) as sock:
        session = sock.session

    def resumes(more="", file=pem):
        alb.configure(config(target, file, more=more))
        alb.reload()
        with connect(alb, context, session) as sock:
            return sock.session_reused
    assert resumes()
    assert resumes("routing.http.response.server.enabled = no")
    pem.write_text(pem.read_text())  # written anew, but the same
    assert resumes()
    assert alb.metric("alb_tls_handshake_errors_total") == 0


CHANGES = {
    "certificate": lambda pem: {"pem": pem.with_stem("two")},
    "sni_certificate": lambda pem: {"more": f"sni_certificate = {pem.with_stem('two')}"},
    "policy": lambda pem: {"more": "ssl_policy = ELBSecurityPolicy-TLS13-1-2-Res-2021-06"},
}


def check_made_anew(alb, version, changed, take):
    """The handshake is a whole one once alb has taken what has changed."""
    context = speak(ssl._create_unverified_context(), version)
    with connect(alb, context) as sock:
        session = sock.session
        alb.configure(changed)
        take(alb)
        get(sock)  # the connection itself goes on, after an upgrade in the old process
    with connect(alb, context, session) as sock:
        assert not sock.session_reused
        fresh = sock.session
    with connect(alb, context, fresh) as sock:
        assert sock.session_reused


@each_version
@pytest.mark.parametrize("change", CHANGES)
def test_a_reload_that_changes_them_makes_the_handshake_a_whole_one(start_alb, start_target, pem,
                                                                    version, change):
    target = start_target()
    changed = config(target, **{"pem": pem, **CHANGES[change](pem)})
    check_made_anew(start_alb(config(target, pem)), version, changed, lambda alb: alb.reload())


# --- another process takes over -----------------------------------------------------------------


def upgrade(alb):
    code, text = alb.upgrade()
    assert code == 0, text


@each_version
def test_tickets_outlive_upgrades(start_alb, start_target, pem, version):
    """Those of every process of a chain resume at the last, whichever listener shows them."""
    more = (f"default_action = forward app\n[listener second]\nbind = 127.0.0.1:0\n"
            f"protocol = HTTPS\ncertificate = {pem.with_stem('two')}\n")
    context = speak(ssl._create_unverified_context(), version)
    alb = start_alb(config(start_target(), pem, more=more))
    sessions = []
    for _ in range(3):
        for listener in ("https", "second"):
            with context.wrap_socket(alb.connect(listener)) as sock:
                get(sock)
                assert not sock.session_reused
                sessions.append((listener, sock.session))
        upgrade(alb)
        for listener, session in sessions:
            with context.wrap_socket(alb.connect(listener), session=session) as sock:
                get(sock)
                assert sock.session_reused
    assert alb.metric("alb_tls_handshake_errors_total") == 0


@each_version
@pytest.mark.parametrize("change", CHANGES)
def test_an_upgrade_that_changes_them_makes_the_handshake_a_whole_one(start_alb, start_target, pem,
                                                                      version, change):
    target = start_target()
    changed = config(target, **{"pem": pem, **CHANGES[change](pem)})
    check_made_anew(start_alb(config(target, pem)), version, changed, upgrade)
