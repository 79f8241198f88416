"""Several certificates on one listener: which one is shown, to whom, and what the log calls it."""

import ssl
import subprocess

import pytest

from balancer import forward_config
from harness import run, wait_until
from http_wire import read_response, request
from tls_versions import each_version, need_1_3, speak

# File: subjectAltName ("" has only a CN), key, days it holds.
CERTIFICATES = {
    "default": ("DNS:default.example", "ec", 2),
    "exact": ("DNS:a.shop.example", "ec", 2),
    "wild": ("DNS:*.shop.example", "ec", 2),
    "common.example": ("", "ec", 2),
    "both_rsa": ("DNS:both.example", "rsa", 2),
    "both_ec": ("DNS:both.example", "ec", 2),
    "old_ec": ("DNS:old.example", "ec", -1),
    "new_rsa": ("DNS:old.example", "rsa", 2),
    "gone": ("DNS:gone.example", "ec", -1),
}

# SNI, the client's ciphers, the certificate.
CHOICES = [
    ("a.shop.example", "", "exact"),
    ("A.Shop.EXAMPLE", "", "exact"),
    ("b.shop.example", "", "wild"),
    ("x.b.shop.example", "", "default"),  # one label only
    ("shop.example", "", "default"),
    ("common.example", "", "common.example"),
    ("exact", "", "default"),  # a CN beside a SAN is no name
    ("nowhere.example", "", "default"),
    (None, "", "default"),
    ("both.example", "ECDHE", "both_ec"),
    ("both.example", "ECDHE-RSA-AES128-GCM-SHA256", "both_rsa"),
    ("old.example", "ECDHE", "new_rsa"),
    ("gone.example", "ECDHE", "gone"),  # expired, but the only one
]


def make(folder, name, names, kind, days):
    key = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["rsa:2048"]
    begin, end = ("20200101000000Z", "20200102000000Z") if days < 0 else ("", "")
    pem, csr = folder / f"{name}.key", folder / f"{name}.csr"

    def openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)
    openssl("req", "-new", "-newkey", *key, "-nodes", "-keyout", pem, "-out", csr, "-subj",
            f"/CN={name}")
    config = folder / f"{name}.cnf"
    config.write_text(f"[ca]\ndefault_ca=it\n[it]\ndatabase={folder}/{name}.db\nrand_serial=yes\n"
                      f"new_certs_dir={folder}\ndefault_md=sha256\npolicy=p\n[p]\n"
                      "commonName=supplied\n[x]\n"
                      + (f"subjectAltName={names}\n" if names else "keyUsage=digitalSignature\n"))
    (folder / f"{name}.db").touch()
    dates = ["-startdate", begin, "-enddate", end] if begin else ["-days", days]
    openssl("ca", "-batch", "-selfsign", "-notext", "-config", config, "-extensions", "x", "-in",
            csr, "-keyfile", pem, "-out", folder / f"{name}.crt", *dates)
    (folder / f"{name}.pem").write_text((folder / f"{name}.crt").read_text() + pem.read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("sni")
    for name, (names, kind, days) in CERTIFICATES.items():
        make(made, name, names, kind, days)
    return made


def listener(folder, names, name="https", more=""):
    lines = "".join(f"sni_certificate = {folder}/{n}.pem\n" for n in names)
    return (f"[listener {name}]\nbind = 127.0.0.1:0\nprotocol = HTTPS\n"
            f"certificate = {folder}/default.pem\n{lines}default_action = forward app\n{more}")


def client_context(ciphers="", version=ssl.TLSVersion.TLSv1_2):
    context = speak(ssl._create_unverified_context(), version)
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def ask(alb, sni, context, path="/", session=None, name="https"):
    with context.wrap_socket(alb.connect(name), server_hostname=sni, session=session) as sock:
        sock.sendall(request(path=path))
        assert read_response(sock).status == 200
        return sock.getpeercert(True), sock.session, sock.session_reused


@each_version
def test_the_certificate_is_chosen_by_name_and_key(start_alb, start_target, folder, version):
    # The suites of 1.3 say nothing about keys; test_alb_https.py has what does.
    choices = [c for c in CHOICES if version == ssl.TLSVersion.TLSv1_2 or "-RSA-" not in c[1]]
    more = [n for n in CERTIFICATES if n not in ("default", "wild")]
    # One with its key apart.
    text = listener(folder, more).replace(
        "default_action", f"sni_certificate = {folder}/wild.crt {folder}/wild.key\ndefault_action")
    alb = start_alb(forward_config(start_target(), more=text))

    shown = {}
    for i, (sni, ciphers, want) in enumerate(choices):
        der, _, _ = ask(alb, sni, client_context(ciphers, version), f"/{i}")
        pem = (folder / f"{want}.pem").read_text()
        assert der == ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN C"):
                                                   pem.index("-----BEGIN P")]), (sni, want)
        shown[i] = folder / (f"{want}.crt" if want == "wild" else f"{want}.pem")
    for i, file in shown.items():
        assert f'"{file}"' in alb.access_row(f"/{i} ")


# In 1.3 the client says by its signature algorithms which keys it can use.
SIGNED = [("ecdsa_secp256r1_sha256", "both_ec"), ("rsa_pss_rsae_sha256", "both_rsa"),
          ("ecdsa_secp384r1_sha384:rsa_pss_rsae_sha384", "both_rsa")]


def test_in_1_3_the_certificate_is_one_that_the_client_can_verify(start_alb, start_target, folder):
    need_1_3()
    alb = start_alb(forward_config(start_target(),
                                   more=listener(folder, ["both_rsa", "both_ec"])))

    for algorithms, want in SIGNED:
        shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{alb.port('https')}",
                                "-servername", "both.example", "-tls1_3", "-sigalgs", algorithms],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        pem = (folder / f"{want}.crt").read_text()
        assert pem[pem.index("-----BEGIN C"):].strip() in shown.stdout, (algorithms, shown.stdout)


@each_version
def test_tickets_last_over_a_reload_and_on_a_listener_of_the_same(start_alb, start_target, folder,
                                                                  version):
    context = client_context(version=version)
    config = forward_config(start_target(),
                            more=listener(folder, ["exact"]) + listener(folder, ["exact"], "same")
                            + listener(folder, ["exact", "wild"], "other"))
    alb = start_alb(config.replace("workers = 1", "workers = 2"))

    _, session, reused = ask(alb, "a.shop.example", context)
    assert not reused
    for i in range(4):  # on both workers
        assert ask(alb, "a.shop.example", context, f"/again{i}", session)[2]
    alb.reload()
    assert ask(alb, "a.shop.example", context, "/after", session)[2]
    assert '"session-reused"' in alb.access_row("/after")
    assert ask(alb, "a.shop.example", context, "/", session, "same")[2]
    assert not ask(alb, "a.shop.example", context, "/", session, "other")[2]


def test_a_reload_that_adds_a_certificate(start_alb, start_target, folder):
    target = start_target()
    alb = start_alb(forward_config(target, more=listener(folder, [])))
    before, _, _ = ask(alb, "a.shop.example", client_context())
    alb.configure(forward_config(target, more=listener(folder, ["exact"])))
    alb.reload()
    wait_until(lambda: ask(alb, "a.shop.example", client_context())[0] != before, "the new one")


# What stands under the listener: the sentence, or part of it.
REFUSED = [
    ("sni_certificate = {f}/nothing.pem", "sni_certificate: cannot open {f}/nothing.pem"),
    ("sni_certificate = {f}/exact.crt", "exact.crt: no PEM private key in it"),
    ("sni_certificate = {f}/exact.crt {f}/wild.key", "is not that of the first certificate"),
    ("sni_certificate = a b c", 'sni_certificate: is FILE or FILE KEYFILE, not "a b c"'),
]


def test_what_is_refused_and_what_is_warned_of(folder, tmp_path):
    def check(text):
        (tmp_path / "alb.ini").write_text(text)
        code, _, errors = run("alb", "check", tmp_path / "alb.ini")
        return code, errors
    head = "[target_group app]\ntarget = 127.0.0.1:1\n[edge]\nallow = any\n"
    for line, why in REFUSED:
        code, errors = check(head + listener(folder, [], more=line.format(f=folder) + "\n"))
        assert code == 1 and why.format(f=folder) in errors and "alb.ini:10:" in errors, errors
    code, errors = check(head + listener(folder, ["exact"] * 26))
    assert code == 0 and "sni_certificate: there are 26; the managed balancer takes 25" in errors
    plain = listener(folder, ["exact"]).replace("HTTPS", "HTTP").replace(
        f"certificate = {folder}/default.pem\n", "", 1)
    code, errors = check(head + plain)
    assert code == 1 and "sni_certificate: is for HTTPS" in errors
