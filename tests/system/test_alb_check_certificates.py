"""`alb check` says which certificates of listeners a CDN's edge would refuse, and the cure."""

import datetime

import pytest

from client_certs import PAST, Authority, openssl
from harness import run

SERVER = "subjectAltName=DNS:origin.example,DNS:*.b.example\nextendedKeyUsage=serverAuth\n"


def date(days):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return at.strftime("%Y%m%d%H%M%SZ")


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    root, private = Authority(folder, "root"), Authority(folder, "private")
    middle = Authority(folder, "middle", root)

    def server(name, issuer=middle, **how):
        return issuer.client(name, extensions=how.pop("extensions", SERVER), **how)
    certs = {
        "good": server("good"), "direct": server("direct", root),
        "rsa": server("rsa", key="RSA-2048"), "small": server("small", key="RSA-1024"),
        "old": server("old", dates=PAST), "soon": server("soon", dates=(date(-90), date(8.5))),
        "later": server("later", dates=(date(-1), date(40))),
        "early": server("early", dates=(date(9), date(90))),
        "private": server("private_one", private),
        "other": server("other", extensions="subjectAltName=DNS:other.example\n"),
        "wild": server("wild", extensions="subjectAltName=DNS:*.example\n"),
    }
    pems = {name: cert.pem for name, cert in certs.items()}
    pems["lonely"] = folder / "lonely.pem"  # without the one between it and the root
    pems["lonely"].write_text(certs["good"].crt.read_text() + certs["good"].key.read_text())
    pems["whole"] = folder / "whole.pem"  # with the private root itself
    pems["whole"].write_text(certs["private"].crt.read_text() + private.crt.read_text() +
                             certs["private"].key.read_text())
    pems["self"] = folder / "self.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", folder / "self.key", "-out", folder / "self.crt", "-days", "90",
            "-subj", "/CN=origin.example", "-addext", "subjectAltName=DNS:origin.example")
    pems["self"].write_text((folder / "self.crt").read_text() + (folder / "self.key").read_text())
    pems["ca"] = root.crt
    return pems


@pytest.fixture
def check(tmp_path, certs):
    def check(*names, args=(), ca="ca", listener="protocol = HTTPS"):
        path = tmp_path / "alb.ini"
        more = "".join(f"sni_certificate = {certs[name]}\n" for name in names[1:])
        first = f"certificate = {certs[names[0]]}\n" if names else ""
        path.write_text("[alb]\nidle_timeout.timeout_seconds = 300\n"
                        "[edge]\nallow = 10.0.0.0/24\n"
                        f"[listener l]\nbind = 127.0.0.1:0\n{listener}\n{first}{more}"
                        "default_action = forward g\n[target_group g]\ntarget = 127.0.0.1:1\n")
        trust = ["--ca", certs[ca]] if ca else []
        code, out, warnings = run("alb", "check", *args, *trust, path)
        assert code == 0 and "ok: 1 listener" in out, warnings
        return [line.split("alb.ini:", 1)[1] for line in warnings.splitlines()
                if "alb.ini:" in line and "CDN edge" in line]
    return check


@pytest.mark.parametrize("name", ["good", "direct", "rsa", "later"])
def test_what_the_edge_takes(check, name):
    assert check(name) == []
    assert check(name, args=["--name", "origin.example"]) == []
    assert check(name, args=["--name", "a.b.example"]) == []


@pytest.mark.parametrize("name, warning", [
    ("self", "it is self-signed; get one of a public authority"),
    ("lonely", "it lacks the certificate of its issuer, CN=middle,O=Postern; append"),
    ("private", "it lacks the certificate of its issuer, CN=private,O=Postern; append"),
    ("whole", "it is signed by CN=private,O=Postern, which is no public authority"),
    ("small", "an RSA key of its chain has 1024 bits; make one of 2048"),
    ("old", "it has expired"), ("early", "it is not valid yet"),
    ("soon", "ends within 9 days, and then a CDN edge refuses it; renew it")])
def test_what_it_refuses(check, certs, name, warning):
    found = check(name)
    assert len(found) == 1 and warning in found[0] and str(certs[name]) in found[0]
    assert found[0].startswith("8: warning: certificate: ")


def test_a_public_authority_is_one_of_the_system(check):
    found = check("good", ca=None)
    assert len(found) == 1 and "it lacks the certificate of its issuer, CN=root" in found[0]


def test_another_name(check):
    found = check("other", args=["--name", "origin.example"])
    assert len(found) == 1 and "asks for origin.example refuses [listener l]" in found[0]
    assert check("other") == [], "whatever it asks for"
    assert check("wild", args=["--name", "a.b.example"]) != [], "a star is one label"


def test_one_certificate_of_several_is_for_the_name(check):
    assert check("other", "good", args=["--name", "origin.example"]) == []


def test_each_certificate_is_looked_at(check):
    found = check("good", "old", "small")
    assert [line.split(":")[0] for line in found] == ["9", "10"]
    assert all("sni_certificate" in line for line in found)


def test_a_file_of_authorities_that_is_not_there(check, certs):
    certs["none"] = certs["ca"].with_name("none")
    found = check("good", ca="none")
    assert "was not looked at" in "".join(found) and "--ca" in "".join(found)


def test_a_name_without_an_https_listener(tmp_path):
    path = tmp_path / "alb.ini"
    path.write_text("[edge]\nallow = 10.0.0.0/24\n[listener l]\nbind = 127.0.0.1:0\n"
                    "default_action = fixed-response 200\n")
    code, _, warnings = run("alb", "check", "--name", "origin.example", path)
    assert code == 0 and "no HTTPS listener to be asked for origin.example" in warnings
