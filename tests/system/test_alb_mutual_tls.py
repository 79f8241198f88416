"""Clients' certificates: who gets in, what targets are told, and what the log calls a refusal."""

import contextlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.parse

import pytest

from balancer import forward_config
from client_certs import CLIENT, FUTURE, PAST, Authority, openssl
from harness import run, wait_until
from http_wire import read_head, read_response, request, values
from localhost_cert import make_certificate, trusting_context
from sockets import read_exactly
from tls_versions import PARAMS, each_version, has_1_3, speak
from ws_wire import echo_script, frame, read_frame, upgrade_request

PREFIX = "X-Amzn-Mtls-Clientcert"
FIELDS = [PREFIX + end for end in ("", "-Serial-Number", "-Issuer", "-Subject", "-Validity",
                                   "-Leaf")]


class Pki:
    """root > middle > clients; and a stranger's root."""

    def __init__(self, folder):
        self.root = Authority(folder, "root")
        self.middle = Authority(folder, "middle", self.root)
        self.stranger = Authority(folder, "stranger")
        self.old = Authority(folder, "old", dates=PAST)
        client = self.root.client
        self.clients = {
            "good": client("good"),
            "below": self.middle.client("below"),
            "p384": client("p384", key="P-384"),
            "p521": client("p521", key="P-521"),
            "rsa": client("rsa", key="RSA-2048"),
            "weak": client("weak", key="RSA-1024"),
            "ed25519": client("ed25519", key="Ed25519"),
            "any_purpose": client("any_purpose", extensions="basicConstraints=CA:FALSE\n"),
            "server": client("server", extensions="extendedKeyUsage=serverAuth\n"),
            "signs_nothing": client("signs_nothing", extensions="keyUsage=keyEncipherment\n"),
            "expired": client("expired", dates=PAST),
            "early": client("early", dates=FUTURE),
            "unknown": self.stranger.client("unknown"),
            "revoked": client("revoked"),
            "old_child": self.old.client("old_child"),
            "odd": client("odd", "/DC=example/O=A, B \"C\"+OU=x/CN=Jürgen <#1;>"),
            "long": client("long", "/O=Postern" + "/OU=" .join([""] + ["\u20ac" * 60] * 16)),
        }
        self.alone = Authority(folder, "alone")  # a self-signed client
        self.clients["alone"] = self.alone
        self.root.revoke(self.clients["revoked"])
        self.crl = self.root.revocations("root")
        self.old_crl = self.root.revocations("root_old", PAST)
        deep = self.root
        for i in range(9):
            deep = Authority(folder, f"deep{i}", deep)
        self.clients["deep"] = deep.client("too_deep")
        self.clients["deepest"] = deep.issuer.client("deepest")
        self.clients["large"] = self.root.client(
            "large", extensions=CLIENT + "nsComment=" + "x" * 17000 + "\n")
        self.clients["missing_middle"] = self.middle.client("missing_middle")
        only = self.clients["missing_middle"]
        only.pem.write_text(only.crt.read_text() + only.key.read_text())


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


def configure(target, settings, log="/dev/null", listener=""):
    lines = "".join(f"mutual_authentication.{k} = {v}\n" for k, v in settings)
    return forward_config(
        target, alb=f"connection_logs.enabled = true\nconnection_logs.file = {log}",
        more=f"[listener https]\nbind = 127.0.0.1:0\nprotocol = HTTPS\n"
             f"certificate = {make_certificate()}\n{lines}{listener}default_action = forward app\n")


def verify(pki, *more):
    return [("mode", "verify"), ("trust_store", pki.root.crt), *more]


def context_of(cert=None, version=ssl.TLSVersion.TLSv1_2):
    context = speak(trusting_context(), version)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # a weak key is for the balancer to refuse
    if cert is not None:
        context.load_cert_chain(cert.pem)
    return context


def talk(alb, context, data=None):
    """The response; OSError when the balancer refuses: in 1.3 that comes behind the handshake."""
    with context.wrap_socket(alb.connect("https"), server_hostname="localhost") as sock:
        sock.sendall(data or request())
        return read_response(sock)


def is_refused(alb, context):
    try:
        talk(alb, context)
    except (OSError, EOFError):
        return True
    return False


def log_rows(log):
    """Subject, validity, serial number and verify status of each row."""
    rows = []
    for line in log.read_text().splitlines() if log.exists() else []:
        before, subject, after = line.split('"')
        rows.append((subject, *after.split()[:3], before.split()[4]))
    return rows


def told(head):
    return {name: values(head, name) for name in FIELDS if values(head, name)}


def plain(pem):
    """The PEM of what was URL-encoded."""
    return urllib.parse.unquote(pem, errors="strict")


# --- verify --------------------------------------------------------------------------------

GOOD = ["good", "below", "p384", "p521", "rsa", "any_purpose", "odd", "deepest"]

BAD = [
    (None, "UnmappedConnectionError"),
    ("expired", "ClientCertExpired"),
    ("early", "ClientCertNotYetValid"),
    ("unknown", "ClientCertUntrusted"),
    ("alone", "ClientCertUntrusted"),
    ("missing_middle", "ClientCertUntrusted"),
    ("old_child", "ClientCertUntrusted"),
    ("server", "ClientCertPurposeInvalid"),
    ("signs_nothing", "ClientCertPurposeInvalid"),
    ("weak", "ClientCertTypeUnsupported"),
    ("deep", "ClientCertMaxChainDepthExceeded"),
    ("large", "ClientCertMaxSizeExceeded"),
    ("long", "ClientCertInvalid"),
]


@each_version
def test_verify_takes_what_the_trust_store_vouches_for(start_alb, start_target, pki, tmp_path,
                                                       version):
    target, log = start_target(), tmp_path / "connections.log"
    alb = start_alb(configure(target, verify(pki), log))
    rows = []

    for at, name in enumerate(GOOD):
        cert = pki.clients[name]
        assert talk(alb, context_of(cert, version)).body == b"ok", name
        head = target.seen[at]
        serial = cert.said("-serial")
        # Each in openssl's words, and the leaf byte by byte.
        want = {PREFIX + "-Serial-Number": [serial], PREFIX + "-Issuer": [cert.said("-issuer")],
                PREFIX + "-Subject": [cert.said("-subject")],
                PREFIX + "-Validity": ["NotBefore=2020-01-01T00:00:00Z;"
                                       "NotAfter=2090-01-01T00:00:00Z"]}
        got = told(head)
        leaf, = got.pop(PREFIX + "-Leaf")
        assert got == want, name
        assert plain(leaf) == cert.crt.read_text()
        assert set(leaf) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "+/=-%")
        rows.append((want[PREFIX + "-Subject"][0], want[PREFIX + "-Validity"][0], serial,
                     "Success"))
    wait_until(lambda: len(log_rows(log)) == len(rows), "a row for each")
    for logged, row in zip(log_rows(log), rows):
        assert logged[1:4] == row[1:]
        if "\\" not in row[0]:  # the log escapes in its own way
            assert logged[0] == row[0]


@each_version
def test_verify_refuses_everybody_else_and_says_why(start_alb, start_target, pki, tmp_path, version):
    target, log = start_target(), tmp_path / "connections.log"
    alb = start_alb(configure(target, verify(pki), log))

    for name, _ in BAD:
        assert is_refused(alb, context_of(pki.clients.get(name), version)), name
    wait_until(lambda: len(log_rows(log)) == len(BAD), "a row for each")
    for (name, status), row in zip(BAD, log_rows(log)):
        cert = pki.clients.get(name)
        assert row[3] == "Failed:" + status, (name, row)
        if name in ("expired", "early", "unknown", "server"):
            assert row[0] == cert.said("-subject") and row[2] == cert.said("-serial")
    assert target.seen == []
    wait_until(lambda: alb.metric("alb_tls_handshake_errors_total") == len(BAD), "failures")
    assert talk(alb, context_of(pki.clients["good"], version)).body == b"ok"


HANDSHAKE, CERTIFICATE_VERIFY = 22, 15  # of a record, of a message


class Forger:
    """Between a client and the balancer: spoils the proof that the client owns its certificate."""

    def __init__(self, port):
        self.port, self.spoiled = port, 0
        self.door = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.relay, daemon=True)
        self.thread.start()

    def relay(self):
        client, _ = self.door.accept()
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            threading.Thread(target=self.back, args=(server, client), daemon=True).start()
            is_readable = True
            try:
                while True:
                    head = read_exactly(client, 5)
                    record = bytearray(read_exactly(client, int.from_bytes(head[3:5], "big")))
                    is_readable &= head[0] == HANDSHAKE
                    if is_readable and record[0] == CERTIFICATE_VERIFY:
                        record[-1] ^= 1
                        self.spoiled += 1
                    server.sendall(head + record)
            except (AssertionError, OSError):  # the end
                pass

    @staticmethod
    def back(server, client):
        try:
            while data := server.recv(65536):
                client.sendall(data)
        except OSError:
            pass
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


def test_a_client_that_cannot_prove_that_it_owns_its_certificate_is_refused(start_alb, start_target,
                                                                            pki):
    target = start_target()
    for mode in ([("mode", "passthrough")], verify(pki)):
        alb = start_alb(configure(target, mode), name=mode[0][1])
        forger = Forger(alb.port("https"))
        with pytest.raises(OSError):
            with socket.create_connection(forger.door.getsockname(), timeout=10) as raw:
                context_of(pki.clients["good"]).wrap_socket(raw, server_hostname="localhost")
        assert forger.spoiled == 1
        forger.door.close()
        wait_until(lambda: alb.metric("alb_tls_handshake_errors_total") == 1, "the failure")
        assert "hung up" not in alb.log()
    assert target.seen == []


@each_version
def test_expiry_is_ignored_when_that_is_set_and_only_the_clients(start_alb, start_target, pki,
                                                                 tmp_path, version):
    log = tmp_path / "connections.log"
    both = tmp_path / "both.pem"
    both.write_text(pki.root.crt.read_text() + pki.old.crt.read_text())
    alb = start_alb(configure(start_target(), [
        ("mode", "verify"), ("trust_store", both),
        ("ignore_client_certificate_expiry", "true")], log))

    assert talk(alb, context_of(pki.clients["expired"], version)).body == b"ok"
    for name in ("old_child", "early", "unknown"):
        assert is_refused(alb, context_of(pki.clients[name], version)), name
    wait_until(lambda: len(log_rows(log)) == 4, "rows")
    assert sorted(r[3] for r in log_rows(log)) == [  # each thread has rows of its own
        "Failed:ClientCertExpired", "Failed:ClientCertNotYetValid", "Failed:ClientCertUntrusted",
        "Success"]


@each_version
def test_revoked_certificates_are_refused(start_alb, start_target, pki, tmp_path, version):
    log = tmp_path / "connections.log"
    alb = start_alb(configure(start_target(), verify(pki, ("revocation_file", pki.crl)), log))

    assert talk(alb, context_of(pki.clients["good"], version)).body == b"ok"
    assert is_refused(alb, context_of(pki.clients["revoked"], version))
    wait_until(lambda: len(log_rows(log)) == 2, "rows")
    assert {r[0]: r[3] for r in log_rows(log)} == {
        pki.clients["good"].said("-subject"): "Success",
        pki.clients["revoked"].said("-subject"): "Failed:ClientCertCrlHit"}


def test_a_revocation_list_that_has_expired_refuses_all_of_its_authority(start_alb, start_target, pki,
                                                                         tmp_path):
    log = tmp_path / "connections.log"
    der = tmp_path / "old.der"
    openssl("crl", "-in", pki.old_crl, "-outform", "DER", "-out", der)
    alb = start_alb(configure(start_target(), verify(pki, ("revocation_file", der)), log))

    assert is_refused(alb, context_of(pki.clients["good"]))
    wait_until(lambda: len(log_rows(log)) == 1, "a row")
    assert log_rows(log)[0][3] == "Failed:ClientCertCrlProcessingError"


def test_nobody_resumes_past_a_revocation(start_alb, start_target, pki):
    alb = start_alb(configure(start_target(), verify(pki)))

    for version in PARAMS if has_1_3() else PARAMS[:1]:
        context = context_of(pki.clients["good"], version)
        with context.wrap_socket(alb.connect("https"), server_hostname="localhost") as sock:
            sock.sendall(request())
            assert read_response(sock).body == b"ok"
            session = sock.session
        assert session is None or not session.has_ticket
        with context.wrap_socket(alb.connect("https"), server_hostname="localhost",
                                 session=session) as sock:
            sock.sendall(request())
            assert read_response(sock).body == b"ok" and not sock.session_reused


def test_a_reload_reads_trust_store_and_revocations_again(start_alb, start_target, pki, tmp_path):
    store, lists = tmp_path / "store.pem", tmp_path / "lists.crl"
    shutil.copy(pki.root.crt, store)
    openssl("crl", "-in", pki.crl, "-out", lists)
    settings = [("mode", "verify"), ("trust_store", store), ("revocation_file", lists)]
    alb = start_alb(configure(start_target(), settings))
    good, unknown = (context_of(pki.clients[n]) for n in ("good", "unknown"))

    assert talk(alb, good).body == b"ok" and is_refused(alb, unknown)
    with good.wrap_socket(alb.connect("https"), server_hostname="localhost") as kept:
        shutil.copy(pki.stranger.crt, store)
        alb.reload()
        assert talk(alb, unknown).body == b"ok" and is_refused(alb, good)
        kept.sendall(request())  # who is connected stays
        assert read_response(kept).body == b"ok"
    pki.stranger.revoke(pki.clients["unknown"])
    shutil.copy(pki.stranger.revocations("stranger"), lists)
    alb.reload()
    assert is_refused(alb, unknown)
    lists.write_text("no list\n")
    code, said = alb.command("reload")
    assert code != 0 and "lists.crl: no revocation list" in said


def test_authorities_are_named_to_clients_when_that_is_set(start_alb, start_target, pki):
    for advertise in (True, False):
        settings = verify(pki, ("advertise_trust_store_ca_names", str(advertise).lower()))
        alb = start_alb(configure(start_target(), settings), name=f"names_{advertise}".lower())
        said = subprocess.run(
            ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{alb.port('https')}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20).stdout
        named = re.search(r"Acceptable client certificate CA names\nO ?= ?Postern, CN ?= ?root", said)
        assert bool(named) == advertise
        assert ("No client certificate CA names sent" in said) != advertise


# --- passthrough -----------------------------------------------------------------------------

@each_version
def test_passthrough_tells_the_chain_and_judges_nothing(start_alb, start_target, pki, tmp_path,
                                                        version):
    target, log = start_target(), tmp_path / "connections.log"
    alb = start_alb(configure(target, [("mode", "passthrough")], log))
    names = ["good", "below", "expired", "unknown", "alone", "server", "deepest", "long"]

    for at, name in enumerate(names):
        cert = pki.clients[name]
        assert talk(alb, context_of(cert, version)).body == b"ok", name
        got = told(target.seen[at])
        assert list(got) == [PREFIX]
        chain = [cert, *cert.above()]
        assert plain(got[PREFIX][0]) == "".join(c.crt.read_text() for c in chain), name
    assert talk(alb, context_of(None, version)).body == b"ok"
    assert told(target.seen[-1]) == {}
    wait_until(lambda: len(log_rows(log)) == len(names) + 1, "rows")
    assert {r[3] for r in log_rows(log)} == {"Success"}
    assert log_rows(log)[0][0] == pki.clients["good"].said("-subject")
    assert log_rows(log)[-1][:3] == ("-", "-", "-")


def test_a_client_whose_key_is_not_asked_for_has_no_certificate(start_alb, start_target, pki):
    """OpenSSL shows none when its signature is not among those that we take."""
    target = start_target()
    passes = start_alb(configure(target, [("mode", "passthrough")]), name="passes")
    assert talk(passes, context_of(pki.clients["ed25519"])).body == b"ok"
    assert told(target.seen[0]) == {}
    verifies = start_alb(configure(target, verify(pki)), name="verifies")
    assert is_refused(verifies, context_of(pki.clients["ed25519"]))
    assert len(target.seen) == 1


# --- what targets are told -----------------------------------------------------------------------

FORGED = "".join(f"{name}: forged\r\n{name.lower().replace('-', '_')}: forged\r\n"
                 for name in FIELDS).encode()


def test_fields_that_a_client_sends_itself_never_arrive(start_alb, start_target, pki):
    target = start_target()
    for mode in ("off", "passthrough"):
        alb = start_alb(configure(target, [("mode", mode)]), name=mode)
        assert talk(alb, context_of(), request(fields=FORGED)).body == b"ok"
        with alb.connect() as sock:  # the plain listener of the same process
            sock.sendall(request(fields=FORGED))
            assert read_response(sock).body == b"ok"
    alb = start_alb(configure(target, verify(pki)), name="verify")
    assert talk(alb, context_of(pki.clients["good"]), request(fields=FORGED)).body == b"ok"
    assert len(target.seen) == 5
    assert all(b"forged" not in head for head in target.seen)
    assert values(target.seen[-1], PREFIX + "-Subject") == [pki.clients["good"].said("-subject")]


def test_fields_go_by_the_listeners_names(start_alb, start_target, pki):
    target = start_target()
    listener = ("routing.http.request.x_amzn_mtls_clientcert_subject.header_name = X-Who\n"
                "routing.http.request.x_amzn_mtls_clientcert_leaf.header_name = X-Proof\n")
    alb = start_alb(configure(target, verify(pki), listener=listener))

    good = pki.clients["good"]
    assert talk(alb, context_of(good), request(fields=b"X-Who: root\r\nx_proof: 1\r\n")).body == b"ok"
    assert values(target.seen[0], "X-Who") == [good.said("-subject")]
    assert plain(values(target.seen[0], "X-Proof")[0]) == good.crt.read_text()
    assert set(told(target.seen[0])) == {PREFIX + e for e in ("-Serial-Number", "-Issuer",
                                                              "-Validity")}
    assert b"root\r" not in target.seen[0] and b"x_proof" not in target.seen[0]


def test_a_websocket_has_them_too(start_alb, start_target, pki):
    def script(sock, head, rest):
        heads.append(head)
        echo_script(sock, head, rest)
    heads = []
    alb = start_alb(configure(start_target(script), verify(pki)))

    with context_of(pki.clients["good"]).wrap_socket(
            alb.connect("https"), server_hostname="localhost") as sock:
        sock.sendall(upgrade_request())
        assert read_head(sock)[0].startswith(b"HTTP/1.1 101")
        sock.sendall(frame(1, b"hello"))
        assert read_frame(sock)[-1] == b"hello"
    assert values(heads[0], PREFIX + "-Subject") == [pki.clients["good"].said("-subject")]


def test_the_largest_head_goes_with_the_largest_chain(start_alb, start_target, pki):
    """60 KB of fields and 15 KB of certificates: neither is blamed on the other."""
    target = start_target()
    alb = start_alb(configure(target, [("mode", "passthrough")]))
    large = pki.root.client("large_chain", extensions=CLIENT + "nsComment=" + "x" * 15000 + "\n")
    fields = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 15000) for i in range(4))

    assert talk(alb, context_of(large), request(fields=fields)).status == 200
    assert plain(values(target.seen[0], PREFIX)[0]) == large.crt.read_text()
    assert len(target.seen[0]) > 80000


# --- configuration --------------------------------------------------------------------------------

MISTAKES = [
    ("mutual_authentication.mode = verify", "mutual_authentication.mode: verify needs authorities"),
    ("mutual_authentication.trust_store = {root}", "trust_store: nobody is verified; say"),
    ("mutual_authentication.mode = passthrough\nmutual_authentication.revocation_file = {crl}",
     "revocation_file: nobody is verified; say"),
    ("mutual_authentication.mode = verify\nmutual_authentication.trust_store = {key}",
     "no PEM certificate of an authority in it"),
    ("mutual_authentication.mode = verify\nmutual_authentication.trust_store = /nowhere.pem",
     "/nowhere.pem"),
    ("mutual_authentication.mode = verify\nmutual_authentication.trust_store = {root}\n"
     "mutual_authentication.revocation_file = {root}", "no revocation list (CRL) in it"),
    ("mutual_authentication.mode = maybe", "off, passthrough, verify"),
]


@pytest.mark.parametrize("lines, want", MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_named_with_their_line(pki, tmp_path, lines, want):
    path = tmp_path / "alb.ini"
    lines = lines.format(root=pki.root.crt, crl=pki.crl, key=pki.root.key)
    path.write_text("[target_group app]\ntarget = 127.0.0.1:1\n[edge]\nallow = any\n"
                    "[listener https]\nbind = 127.0.0.1:0\nprotocol = HTTPS\n"
                    f"certificate = {make_certificate()}\ndefault_action = forward app\n" + lines +
                    "\n")
    code, _, said = run("alb", "check", path)
    at = 9 + len(lines.splitlines())
    assert code != 0 and want in said and f"alb.ini:{at}:" in said, said


def test_a_plain_listener_takes_none_of_it(pki, tmp_path):
    path = tmp_path / "alb.ini"
    path.write_text("[target_group app]\ntarget = 127.0.0.1:1\n[edge]\nallow = any\n"
                    "[listener http]\nbind = 127.0.0.1:0\ndefault_action = forward app\n"
                    "mutual_authentication.mode = passthrough\n")
    code, _, said = run("alb", "check", path)
    assert code != 0 and "alb.ini:8: mutual_authentication.mode: is for HTTPS" in said
