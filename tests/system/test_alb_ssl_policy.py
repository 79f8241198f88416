"""ssl_policy: what clients can use under each policy is what docs/tls.md says."""

import re
import ssl
import subprocess
import warnings

import pytest

from balancer import forward_config
from harness import ROOT, run
from http_wire import read_response, request
from tls_versions import each_version, speak

ROW = re.compile(r"\| `(\S+)` \| 1\.(\d) \| 1\.(\d) \| " + " \\| ".join([r"(\S+)"] * 5) + r" \|")
TABLE = [m.groups() for m in map(ROW.fullmatch, (ROOT / "docs/tls.md").read_text().splitlines())
         if m]
KINDS = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA",
         "AES128-GCM-SHA256", "AES256-SHA"]
VERSIONS = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2,
            ssl.TLSVersion.TLSv1_3]

# What the managed balancer offers, as its page lists it, without and with a validated module.
OFFERED = """
TLS13-1-3-2021-06 TLS13-1-3-PQ-2025-09 TLS13-1-2-2021-06 TLS13-1-2-PQ-2025-09
TLS13-1-2-Res-2021-06 TLS13-1-2-Res-PQ-2025-09 TLS13-1-2-Ext2-2021-06 TLS13-1-2-Ext2-PQ-2025-09
TLS13-1-2-Ext1-2021-06 TLS13-1-2-Ext1-PQ-2025-09 TLS13-1-1-2021-06 TLS13-1-0-2021-06
TLS13-1-0-PQ-2025-09 TLS-1-2-Ext-2018-06 TLS-1-2-2017-01 TLS-1-1-2017-01 2016-08
FS-1-2-Res-2020-10 FS-1-2-Res-2019-08 FS-1-2-2019-08 FS-1-1-2019-08 FS-2018-06""".split()
VALIDATED = """
TLS13-1-3-FIPS-2023-04 TLS13-1-3-FIPS-PQ-2025-09 TLS13-1-2-FIPS-2023-04
TLS13-1-2-FIPS-PQ-2025-09 TLS13-1-2-Res-FIPS-2023-04 TLS13-1-2-Res-FIPS-PQ-2025-09
TLS13-1-2-Ext2-FIPS-2023-04 TLS13-1-2-Ext2-FIPS-PQ-2025-09 TLS13-1-2-Ext1-FIPS-2023-04
TLS13-1-2-Ext1-FIPS-PQ-2025-09 TLS13-1-2-Ext0-FIPS-2023-04 TLS13-1-2-Ext0-FIPS-PQ-2025-09
TLS13-1-1-FIPS-2023-04 TLS13-1-0-FIPS-2023-04 TLS13-1-0-FIPS-PQ-2025-09
TLS13-1-3-RFC9151-FIPS-2023-07 TLS13-1-2-RFC9151-FIPS-2023-07
TLS13-1-2-Ext0-RFC9151-FIPS-2023-07 TLS13-1-2-RFC9151-INTEROP1-FIPS-2023-07
TLS13-1-2-RFC9151-INTEROP2-FIPS-2023-07 TLS13-1-2-RFC9151-INTEROP3-FIPS-2023-07
TLS13-1-2-RFC9151-INTEROP4-FIPS-2023-07""".split()
OTHERS = ["2015-05", "TLS-1-0-2015-04"]  # of the network and the classic load balancer


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    made = tmp_path_factory.mktemp("policy")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                    made / "key", "-out", made / "crt", "-days", "2", "-subj", "/CN=localhost"],
                   check=True, capture_output=True)
    (made / "pem").write_text((made / "crt").read_text() + (made / "key").read_text())
    return made / "pem"


def listener(name, pem, policy):
    return (f"[listener {name}]\nbind = 127.0.0.1:0\nprotocol = HTTPS\ncertificate = {pem}\n"
            f"ssl_policy = {policy}\ndefault_action = forward app\n")


def meets(alb, name, minor, cipher):
    """Does a client of this version alone, with this cipher alone, get an answer? The ciphers of
    1.3 are the same everywhere."""
    context = ssl._create_unverified_context()
    context.set_ciphers(cipher + ":@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"ssl\.TLSVersion\.TLSv1(_1)? is deprecated",
                                DeprecationWarning)
        context.minimum_version = context.maximum_version = VERSIONS[minor]
    try:
        with context.wrap_socket(alb.connect(name)) as sock:
            assert minor == 3 or sock.cipher()[0] == cipher
            sock.sendall(request())
            return read_response(sock).status == 200
    except (ssl.SSLError, ConnectionError):
        return False


def check(tmp_path, pem, policy):
    text = ("[target_group app]\ntarget = 127.0.0.1:1\n[edge]\nallow = any\n"
            + listener("x", pem, policy))
    (tmp_path / "alb.ini").write_text(text)
    code, _, errors = run("alb", "check", tmp_path / "alb.ini")
    return code, errors


def test_the_table_has_every_policy(tmp_path, pem):
    _, settings, _ = run("alb", "settings")
    row = next(r for r in settings.splitlines() if r.startswith("| `ssl_policy`"))
    names = set(re.findall(r"ELBSecurityPolicy-[\w-]+", row))
    assert names == {row[0] for row in TABLE} == {f"ELBSecurityPolicy-{n}" for n in OFFERED}
    code, errors = check(tmp_path, pem, "ELBSecurityPolicy-2099-01")
    assert code == 1 and all(name in errors for name in names), errors


@pytest.mark.parametrize("name", VALIDATED + OTHERS)
def test_what_cannot_be_kept_is_refused_and_the_nearest_named(tmp_path, pem, name):
    code, errors = check(tmp_path, pem, f"ELBSecurityPolicy-{name}")
    assert code == 1 and errors.count("ssl_policy:") == 1
    told = re.search(rf'alb\.ini:9: ssl_policy: "ELBSecurityPolicy-{name}" (.*); the nearest is '
                     r"ELBSecurityPolicy-(\S+)\n", errors)
    assert told and ("FIPS" in told[1]) == ("FIPS" in name), errors
    assert told[2] in OFFERED and ("-PQ-" in told[2]) == ("-PQ-" in name)
    assert told[2].startswith(re.match(r"TLS13-1-\d|", name)[0])  # the same lowest version


def test_clients_can_use_what_the_table_says(start_alb, start_target, pem, tmp_path):
    usable, lacks = [], {}
    for row in TABLE:
        code, errors = check(tmp_path, pem, row[0])
        lacks[row[0]] = errors
        if code == 0:
            usable.append(row)
        else:
            assert row[1] == "3" and "build with mbedTLS 3.6" in errors
    alb = start_alb(forward_config(start_target(), more="".join(
        listener(f"l{i}", pem, row[0]) for i, row in enumerate(usable))))
    for i, (name, low, high, *kinds) in enumerate(usable):
        for cipher, has in zip(KINDS, kinds):
            assert meets(alb, f"l{i}", 2, cipher) == (has == "yes" and low != "3"), (name, cipher)
        for minor in (0, 1, 3):
            want = int(low) <= minor <= int(high) and f"TLS 1.{minor}" not in lacks[name]
            assert meets(alb, f"l{i}", minor, "ECDHE-RSA-AES128-SHA") == want, (name, minor)


@each_version
def test_a_ticket_is_no_good_under_another_policy(start_alb, start_target, pem, version):
    names = {ssl.TLSVersion.TLSv1_2: ["TLS-1-2-2017-01", "TLS-1-2-Ext-2018-06"],
             ssl.TLSVersion.TLSv1_3: ["TLS13-1-3-2021-06", "TLS13-1-2-2021-06"]}[version]
    context = speak(ssl._create_unverified_context(), version)
    names.append(names[0])
    alb = start_alb(forward_config(start_target(), more="".join(
        listener(f"l{i}", pem, f"ELBSecurityPolicy-{name}") for i, name in enumerate(names))))

    def resumes(name, session):
        with context.wrap_socket(alb.connect(name), session=session) as sock:
            sock.sendall(request())
            assert read_response(sock).status == 200
            return sock.session_reused, sock.session
    _, session = resumes("l0", None)
    assert [resumes(f"l{i}", session)[0] for i in range(3)] == [True, False, True]


def test_openssl_is_refused_what_the_default_has_not(start_alb, start_target, pem):
    alb = start_alb(forward_config(start_target(), more=listener(
        "x", pem, "ELBSecurityPolicy-TLS13-1-2-2021-06")))

    def s_client(*options):
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{alb.port('x')}", *options],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=20).returncode == 0
    assert s_client("-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256")
    assert not s_client("-tls1_2", "-cipher", "AES128-SHA256")
    assert not s_client("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")


@pytest.mark.parametrize("profile, does", [("postern", False), ("aws", True)])
def test_profile_aws_has_the_policy_of_the_managed_balancers_api(start_alb, start_target, pem,
                                                                 profile, does):
    alb = start_alb(forward_config(
        start_target(), alb=f"profile = {profile}\n",
        more=listener("https", pem, "X").replace("ssl_policy = X\n", "")))
    assert meets(alb, "https", 2, "AES256-SHA") == does
    assert meets(alb, "https", 2, "ECDHE-RSA-AES128-GCM-SHA256")
