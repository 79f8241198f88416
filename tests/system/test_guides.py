"""docs/deploy.md, security.md and operations.md: what stands in them can be typed as it is."""

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess

import pytest
import yaml

from guides import blocks
from harness import PATIENCE, ROOT, run
from localhost_cert import make_certificate
from secret_files import PLACE, with_secrets

DOCS = ROOT / "docs"
PAGES = [DOCS / name for name in ("deploy.md", "security.md", "operations.md")]
BLOCKS = [block for page in PAGES for block in blocks(page)]
SHELL = [b for b in BLOCKS if b.kind in ("sh", "console")]

NO_CLOUD = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true"}

# What a part of a configuration needs to be a whole one.
REST = {
    "[edge]": "[edge]\nallow = 10.0.1.10 10.0.3.7\n",
    "[listener ": "[listener rest]\nbind = 127.0.0.1:8080\nproxy_protocol = on\ndefault_action = forward app\n",
    "[target_group ": "[target_group app]\ntarget = 10.0.1.20:9001\n",
}


def of_kind(*kinds):
    return [pytest.param(b, id=str(b)) for b in BLOCKS if b.kind in kinds]


def commands(program):
    return [pytest.param(c, id=f"{b}-{n}") for b in SHELL for n, c in enumerate(b.commands(program))]


@pytest.mark.parametrize("block", of_kind("ini"))
def test_a_configuration_passes_its_check(tmp_path, block):
    rest = "".join(part for begin, part in REST.items() if "\n" + begin not in "\n" + block.text)
    (tmp_path / "alb.ini").write_text(with_secrets(tmp_path, block.text + rest))
    code, _, errors = run("alb", "check", tmp_path / "alb.ini")
    assert code == 0, errors


@pytest.mark.parametrize("block", of_kind("sh", "console"))
def test_a_shell_reads_it(block):
    done = subprocess.run(["sh", "-n"], input=block.script(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", commands("alb") + commands("wsserver"))
def test_a_command_is_one_of_ours(tmp_path, command):
    """2 is what they exit with when they do not understand."""
    words = shlex.split(command, comments=True)
    place = [] if words[1] in ("check", "explain", "nft") or "--remote" in words else ["--socket", tmp_path / "none"]
    code, _, errors = run(*words, *place)
    assert code != 2, errors


@pytest.mark.skipif(shutil.which("aws") is None, reason="aws is missing, and Debian's is older than VPC origins")
@pytest.mark.parametrize("command", commands("aws"))
def test_the_cloud_s_own_program_understands(tmp_path, command):
    """It looks at the arguments first, and only then for a cloud, which is not where we say."""
    (tmp_path / "secrets").mkdir()
    for name in ("secrets/origin-secret", "secrets.raw"):
        (tmp_path / name).write_text("x")
    for name, content in itertools.chain(*(b.files() for b in SHELL)):
        (tmp_path / name).write_text(content)
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    command = re.sub(r"build/image/\S+", "secrets.raw", re.sub(r"\$\w+", "some-name", command))
    words = shlex.split(command, comments=True)
    done = subprocess.run([*words, "--endpoint-url", "http://127.0.0.1:1"], capture_output=True, text=True,
                          cwd=tmp_path, env=dict(os.environ, **NO_CLOUD), timeout=60 * PATIENCE)
    assert "Could not connect to the endpoint URL" in done.stderr + done.stdout


@pytest.mark.parametrize("name, content", [pytest.param(*f, id=f[0]) for b in SHELL for f in b.files()])
def test_a_policy_is_json(name, content):
    assert json.loads(content)["Version"] == "2012-10-17"


def test_the_parameters_of_a_deployment_are_the_template_s():
    template = (ROOT / "conf/aws/postern.yaml").read_text()
    said = {p.split("=")[0] for b in SHELL for c in b.commands("aws") if " deploy " in c
            for p in shlex.split(c.split("--parameter-overrides")[1])}
    for page in PAGES:
        said |= set(re.findall(r"`((?:Edge|Origin|Service|Attach|Management|Drain)\w+)=", page.read_text()))
    assert [p for p in said if f"\n  {p}:\n" not in template] == []


@pytest.mark.parametrize("block", [pytest.param(b, id=str(b)) for b in BLOCKS if b.runs])
def test_what_can_run_here_does(tmp_path, block):
    words = set(re.findall(r"^(mkfs\.\w+|mcopy)", block.text, re.M))
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    missing = sorted(w for w in words if shutil.which(w, path=path) is None)
    if missing:
        pytest.skip(f"missing: {' '.join(missing)}")
    done = subprocess.run(["sh", "-e"], input=block.text, capture_output=True, text=True, cwd=tmp_path,
                          env=dict(os.environ, PATH=path))
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_the_volume_of_secrets_has_what_the_configuration_names(tmp_path):
    block, = (b for b in BLOCKS if b.runs and "origin-secret" in b.text)
    subprocess.run(["sh", "-e"], input=block.text.split("truncate")[0], text=True, cwd=tmp_path, check=True)
    text = next(b.text for b in BLOCKS if b.kind == "ini")
    (tmp_path / "alb.ini").write_text(text.replace(PLACE, str(tmp_path / "secrets")))
    code, _, errors = run("alb", "check", tmp_path / "alb.ini")
    assert code == 0, errors


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: make deps")
@pytest.mark.parametrize("block", of_kind("yaml"))
def test_prometheus_reads_it(tmp_path, block):
    for name in ("postern-ca.pem", "postern.token"):
        (tmp_path / name).write_text(make_certificate().read_text())
    shutil.copy(ROOT / "conf/prometheus/postern.rules.yml", tmp_path)
    text = block.text.replace("/etc/prometheus", str(tmp_path))
    assert "scrape_configs" in yaml.safe_load(text)
    (tmp_path / "prometheus.yml").write_text(text)
    done = subprocess.run(["promtool", "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def anchors(path):
    """Of its headings, as a forge makes them."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_leads_somewhere(page):
    lost = []
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        file, _, anchor = target.partition("#")
        to = (page.parent / file).resolve() if file else page
        if not to.exists() or (anchor and anchor not in anchors(to)):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("file", ROOT.glob("image/overlay/usr/lib/sysctl.d/*.conf"), ids=lambda p: p.name)
def test_every_kernel_setting_of_the_image_has_its_reason(file):
    page = (DOCS / "operations.md").read_text().split("## Kernel settings")[1].split("\n## ")[0]
    keys = re.findall(r"^([\w.]+) *=", file.read_text(), re.M)
    assert [k for k in keys if k.rpartition(".")[2] not in page] == []
