"""What alb may do beyond others: nothing but to bind low ports, once it has begun; by whomever it was
started. And what keeps strangers out when the kernel grants less (docs/edge.md)."""

import pathlib
import re
import shutil
import tempfile

import pytest

import netns
from harness import BIN, wait_until
from localhost_cert import make_certificate
from netns import APPLIANCE, answer_to_syn
from test_alb_silent import EDGE, EDGE_6, MEMBERS, OTHER, PORTS, STRANGER, Place, config

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
LOW = {"http": (APPLIANCE, 80, "HTTP"), "https": (APPLIANCE, 443, "HTTPS")}


def with_capabilities(*names):
    """As the unit file of systemd has it: an ordinary user with these."""
    caps = ",".join("+" + n for n in names)
    return ["setpriv", f"--inh-caps=-all,{caps}", f"--bounding-set=-all,{caps}", "--reuid=65534",
            "--regid=65534", "--clear-groups", f"--ambient-caps=-all,{caps}"]


def root_without(*names):
    return ["setpriv", "--bounding-set=" + ",".join("-" + n for n in names)]


NO_BPF = ("bpf", "sys_admin")
BIND_ONLY = 1 << 10


@pytest.fixture
def place(make_net, started):
    return Place(make_net(), started)


@pytest.fixture
def start(place, started):
    """start(before, edge=..., **how): a balancer that was started by such a command, with files that
    everybody may read, in a folder where everybody may write."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="alb-privileges-"))
    folder.chmod(0o777)
    cert = folder / "cert.pem"
    shutil.copy(make_certificate(), cert)
    cert.chmod(0o644)
    shutil.copy(BIN / "alb", folder / "alb-binary")

    def begin(before=(), edge=MEMBERS, wait=True, **how):
        text = config(place.target, edge, **how).replace("{cert}", str(cert))
        alb = netns.AlbIn(place.net.appliance, folder, text, before=before)
        alb.args = [str(folder / "alb-binary") if a == str(BIN / "alb") else a for a in alb.args]
        started.append(alb)
        alb.start(wait)
        alb.cert = cert
        return alb
    yield begin
    shutil.rmtree(folder)


def configure(alb, place, edge, **how):
    alb.configure(config(place.target, edge, **how).replace("{cert}", str(alb.cert)))


def of_all_threads(pid, name):
    """Values of a line of /proc/PID/status."""
    found = set()
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        found.add(re.search(rf"^{name}:\s*(\S+)", status.read_text(), re.M)[1])
    return found


def privileges(pid):
    """What any thread has; that no program can gain any."""
    sets = {name: {int(v, 16) for v in of_all_threads(pid, name)}
            for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")}
    assert of_all_threads(pid, "NoNewPrivs") == {"1"}
    assert len(set(map(frozenset, sets.values()))) == 1, sets
    return sets["CapEff"]


def mode(alb):
    return alb.status()["edge_filter"]["mode"]


SYSTEMD = ("net_bind_service", "bpf", "net_admin")
STARTED_BY = {
    "root": [],
    "systemd": with_capabilities(*SYSTEMD),
    "systemd without net_admin": with_capabilities("net_bind_service", "bpf"),
}


@pytest.mark.parametrize("who", STARTED_BY)
def test_nothing_is_left_but_low_ports(place, start, who):
    """And it is enough: for a reload with another low port and another set, for an upgrade."""
    alb = start(STARTED_BY[who], ports={"http": LOW["http"]})
    assert len(list(pathlib.Path(f"/proc/{alb.pid}/task").iterdir())) >= 4
    assert privileges(alb.pid) == {BIND_ONLY} and mode(alb) == "ebpf"
    if who == "root":
        assert of_all_threads(alb.pid, "CapBnd") == {f"{BIND_ONLY:016x}"}

    configure(alb, place, f"allow = {STRANGER}", ports=LOW)
    alb.reload()
    assert answer_to_syn(place.stranger, APPLIANCE, 443) == "open"
    assert answer_to_syn(place.edge, APPLIANCE, 443, 0.3) == "silence"
    assert answer_to_syn(place.edge, APPLIANCE, 80, 0.3) == "silence"

    code, said = alb.upgrade(alb.folder / "alb-binary")
    assert code == 0, said
    assert privileges(alb.pid) == {BIND_ONLY} and mode(alb) == "ebpf"
    configure(alb, place, MEMBERS, ports=dict(LOW, more=(APPLIANCE, 81, "HTTP")))
    alb.reload()
    for port in (80, 81, 443):
        assert answer_to_syn(place.edge, APPLIANCE, port) == "open"
        assert answer_to_syn(place.stranger, APPLIANCE, port, 0.3) == "silence"


def test_files_are_read_without_privileges_from_the_start(place, start):
    """What a reload could not read is refused at the start already, by its name."""
    alb = start(wait=False, edge="allow_file = /proc/1/nothing")
    assert alb.wait() == 1 and "/proc/1/nothing" in alb.log()
    secret = alb.folder / "edge.txt"
    secret.write_text(EDGE)
    secret.chmod(0o600)
    shutil.chown(secret, 65534)
    configure(alb, place, f"allow_file = {secret}")
    alb.start(wait=False)
    assert alb.wait() == 1 and f"{secret}: " in alb.log() and "ermission denied" in alb.log()


# --- the kernel grants less ----------------------------------------------------------------------


def lines(alb, text):
    return [line for line in alb.log().splitlines() if text in line]


def test_without_bpf_a_classic_filter_keeps_strangers_out(place, start):
    alb = start(root_without(*NO_BPF))

    assert mode(alb) == "classic" and privileges(alb.pid) == {BIND_ONLY}
    assert len(lines(alb, "edge filter")) == 1 and "CAP_BPF" in lines(alb, "edge filter")[0]
    for name in PORTS:
        assert place.is_served(place.edge, name)
        assert place.hears(place.stranger, name) == "silence"


def test_a_classic_filter_stays_while_the_set_shrinks(place, start):
    """It cannot be replaced without CAP_NET_ADMIN, which has been given up: what it admits still and
    the set does not is closed at accept."""
    alb = start(root_without(*NO_BPF), f"{MEMBERS} {OTHER}")
    configure(alb, place, MEMBERS)
    alb.reload()

    assert mode(alb) == "classic"
    assert place.is_served(place.edge, "https")
    assert place.hears(place.stranger, "http") == "silence"
    wait_until(lambda: place.is_closed(place.edge, "http", OTHER), "the new set")
    assert alb.metric('alb_connections_refused_total{reason="edge"}') >= 1


def test_a_classic_filter_goes_when_the_set_grows(place, start):
    """It would keep out whom the set lets in."""
    alb = start(root_without(*NO_BPF))
    configure(alb, place, MEMBERS + f" {STRANGER}")
    alb.reload()

    assert place.is_served(place.stranger, "http") and place.is_served(place.edge, "https6")
    assert mode(alb) == "accept" and len(lines(alb, "edge filter")) == 2
    wait_until(lambda: place.is_closed(place.edge, "http", OTHER), "strangers to be closed")


def test_a_classic_filter_has_its_limit(place, start):
    blocks = " ".join(f"10.{i // 128}.{i % 128 * 2}.0/24" for i in range(2000))
    file = pathlib.Path(tempfile.gettempdir()) / f"alb-many-{place.target.port}.txt"
    file.write_text("\n".join(blocks.split()))
    alb = start(root_without(*NO_BPF), f"{MEMBERS}\nallow_file = {file}")
    file.unlink()

    assert mode(alb) == "accept" and "too many blocks" in alb.log()
    assert place.is_served(place.edge, "http")
    wait_until(lambda: place.is_closed(place.edge, "http", OTHER), "strangers to be closed")


@pytest.mark.parametrize("who", [root_without(*NO_BPF, "net_admin"), NOBODY], ids=["root", "user"])
def test_without_any_filter_strangers_are_closed_at_accept(place, start, who):
    alb = start(who)

    assert mode(alb) == "accept" and privileges(alb.pid) <= {BIND_ONLY, 0}
    said = lines(alb, "edge filter")
    assert len(said) == 2 and "CAP_BPF" in said[0] and "CAP_NET_ADMIN" in said[1]
    for name in PORTS:
        assert place.is_served(place.edge, name)
    assert place.hears(place.stranger, "http") == "open"
    assert place.is_closed(place.edge, "http", OTHER)
    wait_until(lambda: alb.metric('alb_connections_refused_total{reason="edge"}') >= 2, "both counted")


def test_an_upgrade_without_a_trie_takes_the_old_filter_off(place, start):
    """The new process could not change it: its set is another one, and has to be in force."""
    alb = start(root_without(*NO_BPF))
    assert mode(alb) == "classic"
    configure(alb, place, f"allow = {STRANGER} {EDGE_6}")

    code, said = alb.upgrade(alb.folder / "alb-binary")
    assert code == 0, said
    assert mode(alb) == "accept"
    assert place.is_served(place.stranger, "http")
    assert place.is_served(place.edge, "https6")
    assert place.is_closed(place.edge, "http")
