"""Files that the configuration names have changed, and it has not: a dry run says so, a reload takes
them, and what is damaged changes nothing."""

import json
import shutil
import ssl
import subprocess

import pytest

from balancer import forward_config
from harness import wait_until
from test_alb_edge_set import hears_nothing, is_served
from tls_targets import groups_config


def dry_run(alb):
    """{(what, name): detail}; each is a change of what is there."""
    code, text = alb.command("reload", "--dry-run", "--json")
    assert code == 0, text
    rows = json.loads(text)["changes"]
    assert all(row["change"] == "changes" for row in rows)
    return {(row["what"], row["name"]): row["detail"] for row in rows}


def take(alb, is_taken, expected):
    """What a dry run says, with nothing taken; then a reload takes it, and nothing is left to say."""
    said = dry_run(alb)
    assert set(said) == {expected}, said
    assert not is_taken()
    alb.reload()
    wait_until(is_taken, "the new contents")
    assert dry_run(alb) == {}
    return said[expected]


def refuse(alb, needle):
    """Damaged: both say so in the same words."""
    said = alb.command("reload", "--dry-run")
    assert said[0] == 1 and needle in said[1], said
    assert alb.command("reload") == said


def test_a_file_of_edge_addresses(start_alb, start_target, tmp_path):
    file = tmp_path / "edge.txt"
    file.write_text("127.0.0.1\n127.0.0.3\n")
    alb = start_alb(forward_config(start_target(), edge=f"allow_file = {file}"))
    assert dry_run(alb) == {}
    file.write_text("127.0.0.1\n127.0.0.2\n127.0.0.4\n")
    detail = take(alb, lambda: not hears_nothing(alb, "127.0.0.2"), ("edge", "addresses"))
    assert detail == "blocks: 2 come, 1 go" and hears_nothing(alb, "127.0.0.3")
    file.write_text("127.0.0.1\n127.0.0.2/24\n")
    refuse(alb, "edge.txt:2")
    assert is_served(alb, "127.0.0.2")


def test_ip_ranges(start_alb, start_target, tmp_path):
    def write(*blocks):
        rows = [{"ip_prefix": b, "region": "GLOBAL", "service": "EDGE"} for b in blocks]
        file.write_text(json.dumps({"createDate": "2026-11-01-00-00-00", "prefixes": rows,
                                    "ipv6_prefixes": []}))
    file = tmp_path / "ranges.json"
    write("127.0.0.1/32")
    alb = start_alb(forward_config(start_target(), edge=f"allow_ip_ranges = {file} EDGE"))
    write("127.0.0.1/32", "127.0.0.2/32")
    take(alb, lambda: not hears_nothing(alb, "127.0.0.2"), ("edge", "addresses"))
    file.write_text("{")
    refuse(alb, "ranges.json")


def make_certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt",
                    "-days", "2", "-subj", f"/CN={name}"], check=True, capture_output=True)


def subject(alb):
    pem = ssl.get_server_certificate(alb.address("https"))
    return subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem, text=True,
                          capture_output=True, check=True).stdout


@pytest.fixture
def shown(start_alb, start_target, tmp_path):
    """A listener with shown.crt and shown.key, which are one's; there is a two as well."""
    for name in ("one", "two"):
        make_certificate(tmp_path, name)
    for kind in ("crt", "key"):
        shutil.copy(tmp_path / f"one.{kind}", tmp_path / f"shown.{kind}")
    alb = start_alb(forward_config(start_target(), more=f"""
[listener https]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {tmp_path}/shown.crt
certificate_key = {tmp_path}/shown.key
default_action = forward app
"""))
    assert "one" in subject(alb)
    return alb


def test_a_certificate_and_its_key(shown, tmp_path):
    shutil.copy(tmp_path / "two.key", tmp_path / "shown.key")
    refuse(shown, "shown.key")  # half of it: the key is not that certificate's
    assert "one" in subject(shown)
    shutil.copy(tmp_path / "two.crt", tmp_path / "shown.crt")
    detail = take(shown, lambda: "two" in subject(shown), ("listener", "https certificate"))
    assert detail == f"{tmp_path}/shown.crt has another certificate; for new connections"
    (tmp_path / "shown.crt").unlink()
    refuse(shown, "shown.crt")
    assert "two" in subject(shown)


def test_what_targets_certificates_are_to_be_from(start_alb, start_tls_target, certificates, tmp_path):
    file = tmp_path / "ca.pem"
    shutil.copy(certificates.path("stranger"), file)
    target = start_tls_target()
    alb = start_alb(groups_config({"app": [target]}, more={
        "app": f"tls.verify = on\ntls.ca_file = {file}\n"}))
    assert alb.get("/app")[0] == 502
    shutil.copy(certificates.authority, file)
    take(alb, lambda: alb.get("/app")[0] == 200, ("group", "app tls.ca_file"))
    file.write_text("nothing")
    refuse(alb, "ca.pem")
    assert alb.get("/app")[0] == 200


def test_the_text_of_fixed_responses(start_alb, start_target, tmp_path):
    file = tmp_path / "sorry.txt"
    file.write_text("back at 5")
    config = forward_config(start_target(), more=f"""
[rule sorry]
listener = http
priority = 5
path-pattern = /sorry
action = fixed-response 503 text/plain @{file}
""")
    alb = start_alb(config)
    file.write_text("back at 6")
    take(alb, lambda: alb.get("/sorry")[2] == b"back at 6", ("rule", "sorry"))
    file.write_bytes(b"x" * 1025)
    refuse(alb, "sorry.txt")
    alb.configure(config.replace("default_action = forward app",
                                 f"default_action = fixed-response 404 text/html @{tmp_path}/none.html"))
    (tmp_path / "none.html").write_text("nothing here")
    file.write_text("back at 6")
    alb.reload()
    (tmp_path / "none.html").write_text("nothing there")
    take(alb, lambda: alb.get("/")[2] == b"nothing there", ("listener", "http default_action"))
