"""The function of conf/aws/postern.yaml that drains, at a real [management] with the files of docs/deploy.md."""

import os
import ssl
import subprocess
import types

import pytest

import managed
from cloudformation import Template
from guides import blocks
from harness import ROOT

FUNCTION = Template(ROOT / "conf/aws/postern.yaml").resources["DrainFunction"]["Properties"]
EVENT = {"detail": {"EC2InstanceId": "i-0123456789abcdef0"}}
VOLUME = next(b for b in blocks(ROOT / "docs/deploy.md") if b.runs and "management.tokens" in b.text)


@pytest.fixture
def alb(start_alb, target, tmp_path):
    subprocess.run(["sh", "-e"], input=VOLUME.text.split("truncate")[0], text=True, cwd=tmp_path, check=True)
    tokens = tmp_path / "secrets/management.tokens"
    text = managed.config(target, f"token_file = {tokens}").replace("{cert}", f"{tmp_path}/secrets/management.pem")
    alb = start_alb(text)
    alb.ca = (tmp_path / "management-ca.pem").read_text()
    alb.tokens = dict(line.split()[:2] for line in tokens.read_text().splitlines())
    return alb


def strict_context(**given):
    """As Python 3.13 makes it, which the function runs on."""
    context = ssl.create_default_context(**given)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def drain_function(alb, monkeypatch, token, name="postern.internal"):
    """As the cloud would start it; the VPC's names lead to `alb`."""
    variables = {"CA": alb.ca, "NAME": name, "TOKEN": token, "DOMAIN": "eu-west-1.compute.internal"}
    assert set(variables) == set(FUNCTION["Environment"]["Variables"])
    for key, value in variables.items():
        monkeypatch.setitem(os.environ, key, value)
    module = types.ModuleType("index")
    exec(compile(FUNCTION["Code"]["ZipFile"], "index.py", "exec"), module.__dict__)
    asked = []

    def connect(address, timeout):
        asked.append(address)
        return managed.Caller(alb).plain(timeout)

    module.socket = types.SimpleNamespace(create_connection=connect)
    module.ssl = types.SimpleNamespace(create_default_context=strict_context)
    return module.handler, asked


def states(alb):
    return [t["state"] for g in alb.status()["target_groups"] for t in g["targets"]]


def test_it_drains_all_targets_of_that_instance(alb, monkeypatch):
    handler, asked = drain_function(alb, monkeypatch, alb.tokens["drain"])
    handler(EVENT, None)
    assert asked == [("i-0123456789abcdef0.eu-west-1.compute.internal", 9443)]
    assert states(alb) == ["draining"]


@pytest.mark.parametrize("token", ["0" * 64, "prometheus"])
def test_a_token_that_may_not_is_an_error(alb, monkeypatch, token):
    handler, _ = drain_function(alb, monkeypatch, alb.tokens.get(token, token))
    with pytest.raises(RuntimeError):
        handler(EVENT, None)
    assert states(alb) != ["draining"]


def test_a_server_of_another_name_hears_no_token(alb, monkeypatch):
    handler, _ = drain_function(alb, monkeypatch, alb.tokens["drain"], name="other.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        handler(EVENT, None)
    assert states(alb) != ["draining"]


def test_it_fits_where_it_is_written():
    assert len(FUNCTION["Code"]["ZipFile"]) <= 4096
