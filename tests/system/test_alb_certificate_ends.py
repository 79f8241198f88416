"""When certificates end: a gauge for each that is in use, a table for people, and a line in the log."""

import datetime
import shutil
import subprocess

import pytest

from balancer import forward_config
from client_certs import PAST, Authority
from harness import wait_until
from managed import Tokens, config as managed_config
from test_alb_metrics_each import page

SHOWN, TRUSTED = "alb_certificate_not_after_timestamp_seconds", "alb_authority_not_after_timestamp_seconds"
SERVER = "subjectAltName=DNS:{0}.example,DNS:other.example\nextendedKeyUsage=serverAuth\n"
LONG = (PAST[0], "20600101000000Z")


def date(days):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return at.strftime("%Y%m%d%H%M%SZ")


class Certificates:
    def __init__(self, folder):
        self.root = Authority(folder, "root", dates=LONG)
        self.middle = Authority(folder, "middle", self.root, dates=LONG)

    def make(self, name, days, issuer=None):
        """Its path."""
        return (issuer or self.middle).client(name, extensions=SERVER.format(name),
                                              dates=(PAST[0], date(days))).pem


@pytest.fixture
def certs(tmp_path):
    return Certificates(tmp_path)


def end_of(path):
    """As the openssl command says it."""
    said = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-enddate"], capture_output=True,
                          text=True, check=True).stdout.strip().split("=")[1]
    return datetime.datetime.strptime(said, "%b %d %H:%M:%S %Y %Z").replace(
        tzinfo=datetime.timezone.utc).timestamp()


def listener(first, *more, name="https", settings=""):
    lines = "".join(f"sni_certificate = {path}\n" for path in more)
    return (f"[listener {name}]\nbind = 127.0.0.1:0\nprotocol = HTTPS\ncertificate = {first}\n{lines}"
            f"{settings}default_action = forward app\n")


def shown(section, path, name):
    return f'{SHOWN}{{section="{section}",file="{path}",name="{name}.example"}}'


def trusted(section, path):
    return f'{TRUSTED}{{section="{section}",file="{path}"}}'


def ends(alb):
    return {name: value for name, value in alb.metrics().items() if "not_after" in name}


def warnings(alb):
    """[(what, count, path of the first)]"""
    rows = [line.split(" certificate ", 1)[1] for line in alb.log().splitlines()
            if " warn certificate " in line and " count=" in line]
    return [(row.split(" count=")[0], int(row.split("count=")[1].split()[0]), row.split("first=")[1].split()[0])
            for row in rows]


def test_each_that_is_in_use_is_a_gauge(start_alb, start_target, certs, tmp_path):
    first, second, third = certs.make("first", 40), certs.make("second", 50), certs.make("third", 60)
    manage, store = certs.make("manage", 70), tmp_path / "store.pem"
    store.write_text(certs.root.crt.read_text() + Authority(tmp_path, "short", dates=(PAST[0], date(80))).crt.read_text())
    text = managed_config(
        start_target(), f"token_file = {Tokens(tmp_path).path}\nclient_ca_file = {certs.root.crt}\nclient = rudi\n",
        group=f"protocol = HTTPS\ntls.verify = on\ntls.ca_file = {store}\nhealth_check.enabled = false\n",
        more=listener(first, second, third) +
        listener(second, name="mutual", settings=f"mutual_authentication.mode = verify\n"
                                                 f"mutual_authentication.trust_store = {store}\n"))
    alb = start_alb(text.replace("{cert}", str(manage)))
    assert ends(alb) == {
        shown("listener https", first, "first"): end_of(first),
        shown("listener https", second, "second"): end_of(second),
        shown("listener https", third, "third"): end_of(third),
        shown("listener mutual", second, "second"): end_of(second),
        trusted("listener mutual", store): end_of(tmp_path / "short.crt"),
        shown("management", manage, "manage"): end_of(manage),
        trusted("management", certs.root.crt): end_of(certs.root.crt),
        trusted("target_group app", store): end_of(tmp_path / "short.crt")}
    assert warnings(alb) == []


def test_without_tls_there_is_none(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))
    assert ends(alb) == {} and alb.status()["certificates"] == []
    assert "CERTIFICATE" not in alb.ok("status")


def test_of_a_chain_the_first_that_ends_counts(start_alb, start_target, certs, tmp_path):
    short = Authority(tmp_path, "brief", certs.root, dates=(PAST[0], date(15)))
    path = certs.make("long", 90, short)
    alb = start_alb(forward_config(start_target(), more=listener(path)))
    assert ends(alb) == {shown("listener https", path, "long"): end_of(tmp_path / "brief.crt")}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: make deps")
def test_promtool_has_no_warning(start_alb, start_target, certs, tmp_path):
    """One file twice is one series; odd characters are escaped."""
    path, odd = certs.make("plain", 40), tmp_path / 'a"b\\c.pem'
    shutil.copy(path, odd)
    alb = start_alb(forward_config(start_target(), more=listener(path, path, odd)))
    assert len(ends(alb)) == 2
    done = subprocess.run(["promtool", "check", "metrics"], input=page(alb), capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_renewed_one_counts_from_the_reload_on(start_alb, start_target, certs):
    path, new = certs.make("old", 5), certs.make("old2", 50)
    alb = start_alb(forward_config(start_target(), more=listener(path)))
    before = end_of(path)
    assert ends(alb) == {shown("listener https", path, "old"): before}
    wait_until(lambda: warnings(alb) == [("ends soon", 1, str(path))], "a line about it")
    shutil.copy(new, path)
    assert ends(alb) == {shown("listener https", path, "old"): before}, "it is what is in use"
    alb.reload()
    assert ends(alb) == {shown("listener https", path, "old2"): end_of(new)}
    assert len(warnings(alb)) == 1, "nothing more to say"


def test_the_process_of_an_upgrade_has_them(start_alb, start_target, certs):
    path = certs.make("one", 5)
    alb = start_alb(forward_config(start_target(), more=listener(path)))
    assert alb.upgrade()[0] == 0
    assert ends(alb) == {shown("listener https", path, "one"): end_of(path)}


def test_the_log_has_one_line_for_all_that_end_soon_and_one_for_those_that_have(start_alb, start_target, certs):
    soon, sooner, later = certs.make("soon", 20.9), certs.make("sooner", 3), certs.make("later", 21.1)
    gone, longer_gone = certs.make("gone", -2), certs.make("longer", -9)
    alb = start_alb(forward_config(start_target(), more=listener(later, soon, sooner, gone, longer_gone)))
    both = [("has ended", 2, str(longer_gone)), ("ends soon", 2, str(sooner))]
    wait_until(lambda: warnings(alb) == both, "two lines at the start")
    alb.reload()
    wait_until(lambda: warnings(alb) == both * 2, "and with a reload")


def test_status_lists_them(start_alb, start_target, certs, tmp_path):
    path, gone = certs.make("soon", 3.5), certs.make("gone", -1.5)  # whole days are rounded down
    alb = start_alb(forward_config(start_target(), more=listener(
        path, gone, settings="mutual_authentication.mode = verify\n"
                             f"mutual_authentication.trust_store = {certs.root.crt}\n")))
    first, second, third = alb.status()["certificates"]
    assert (first["section"], first["name"], first["days_left"], first["trusted"]) == (
        "listener https", "soon.example", 3, False)
    assert first["file"] == str(path) and second["days_left"] == -2
    assert (third["trusted"], third["not_after"]) == (True, "2060-01-01T00:00:00.000000Z")
    table = [line.split() for line in alb.ok("status").splitlines() if line.startswith(("SECTION", "listener "))]
    assert table[0] == ["SECTION", "CERTIFICATE", "ENDS", "LEFT", "FILE"]
    assert table[1] == ["listener", "https", "soon.example", first["not_after"][:10], "3", "days", str(path)]
    assert table[2][2:] == ["gone.example", second["not_after"][:10], "ended", str(gone)]
    assert table[3][2:4] == ["(authorities)", "2060-01-01"]
