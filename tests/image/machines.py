"""The machines of the tests: what each is given, and how to talk to it."""

import http.client
import re
import shutil
import ssl
import struct
import sys

import localhost_cert
import media
import vm
from chat import Chat, Wsserver
from harness import free_port

HERE = vm.pathlib.Path(__file__).resolve().parent
STRANGER = "10.0.9"

# What the program itself says of its machine; its second half is `selftest.sh`.
SELFTEST_UNIT = """\
[Unit]
After=multi-user.target postern-alb.service
[Service]
Type=oneshot
ImportCredential=selftest.sh
ExecStart=/bin/sh %d/selftest.sh
"""

CONFIG = """\
[alb]
idle_timeout.timeout_seconds = 300
admin = 127.0.0.1:9100
shutdown_timeout = 15s

[edge]
allow = {host}/32

[health]
bind = 0.0.0.0:8090
allow = {host}/32

[listener http]
bind = 0.0.0.0:80
default_action = forward chat
{https}
[target_group chat]
target = 127.0.0.1:9001
health_check.path = /ready
health_check.interval_seconds = 5
"""

HTTPS = """
[listener https]
bind = 0.0.0.0:443
protocol = HTTPS
certificate = /run/postern-secrets/tls/site.pem
default_action = forward chat
"""

# For what is changed while it serves: test_filter.py.
MANAGEMENT = """
[management]
bind = 0.0.0.0:8443
allow = {host}/32
certificate_file = /run/postern-secrets/tls/site.pem
token_file = /run/postern-secrets/management-tokens
"""
TOKEN = "0123456789abcdef" * 2

# For what is to outlive a machine: a chat server elsewhere.
ELSEWHERE = """
[target_group elsewhere]
target = {host}:{port}
health_check.path = /ready
health_check.interval_seconds = 5

[rule elsewhere]
listener = http
priority = 10
path-pattern = /ws/elsewhere
action = forward elsewhere
"""


def selftest():
    """Credentials that have a machine say what it is like, once it serves."""
    return [*vm.credential("selftest.sh", (HERE / "selftest.sh").read_text()),
            *vm.credential("systemd.extra-unit.selftest.service", SELFTEST_UNIT),
            *vm.credential("systemd.extra-unit.selftest.timer", "[Timer]\nOnBootSec=1s\n"),
            *vm.credential("systemd.unit-dropin.multi-user.target", "[Unit]\nWants=selftest.timer\n")]


def facts(machine):
    """{name: [value, ...]} of its self-test."""
    machine.wait_for(r"FACT end=yes")
    found = {}
    for name, value in re.findall(r"FACT ([\w.-]+)=(.*)", machine.console()):
        found.setdefault(name, []).append(value.strip())
    return found


def start_origin(room):
    """A chat server of this machine."""
    return Wsserver(room, "origin", bind=f"127.0.0.1:{free_port()}").start()


def bios(room, disk, origin):
    host, folder = "10.0.2.2", _folder(room, "bios")
    port = origin.address.rsplit(":", 1)[1]
    config = CONFIG.format(host=host, https=HTTPS) + ELSEWHERE.format(host=host, port=port)
    config += MANAGEMENT.format(host=host)
    secrets = media.secrets(folder, {"tls/site.pem": localhost_cert.make_certificate().read_bytes(),
                                     "management-tokens": f"ops {TOKEN}\n".encode()})
    stranger_port = free_port()
    machine = vm.Machine(
        folder, "bios", disk, {"http": 80, "https": 443, "health": 8090, "admin": 9100, "chat": 9001,
                                     "management": 8443, "more": 81},
        memory_mb=512, arguments=[
            *vm.credential("postern.ini", config), *selftest(), *vm.extra_disk(1, secrets),
            *vm.extra_disk(2, media.blank(folder, "data.img", 64)),
            "-netdev", f"user,id=strange,net={STRANGER}.0/24,hostfwd=tcp:127.0.0.1:{stranger_port}-:80",
            "-device", "virtio-net-pci,netdev=strange,romfile=",
            "-object", f"filter-dump,id=dump,netdev=strange,file={folder}/strange.pcap"])
    machine.config = config
    machine.stranger_port, machine.strange_pcap = stranger_port, folder / "strange.pcap"
    return machine


def uefi(room, disk, origin):
    """On what looks like EC2; its network is that of the metadata service, since QEMU's has no routes."""
    host, folder = "169.254.2.2", _folder(room, "uefi")
    port = origin.address.rsplit(":", 1)[1]
    (folder / "user-data").write_text(CONFIG.format(host=host, https="") + ELSEWHERE.format(host=host, port=port))
    service = f"cmd:{sys.executable} {HERE}/metadata.py {folder}/user-data"
    return vm.Machine(
        folder, "uefi", disk, {"http": 80, "health": 8090}, uefi=True, disk="nvme",
        network=f",net=169.254.0.0/16,guestfwd=tcp:169.254.169.254:80-{service}",
        arguments=["-smbios", "type=1,manufacturer=Amazon EC2", *selftest()])


def alone(room, disk):
    folder = _folder(room, "alone")
    seed = media.nocloud(folder, CONFIG.format(host="10.0.2.2", https=""))
    return vm.Machine(folder, "alone", disk, {"http": 80, "health": 8090}, network=",restrict=on",
                      arguments=[*selftest(), *vm.extra_disk(1, seed)])


WRONG = """\
[edge]
allow = any
[listener http]
bind = 0.0.0.0:80
default_action = forwrd chat
"""


def wrong(room, disk):
    return vm.Machine(_folder(room, "wrong"), "wrong", disk, {"http": 80},
                      arguments=[*vm.credential("postern.ini", WRONG), *selftest()])


def tampered(room, disk):
    """A byte in the middle of each MiB of the root is another."""
    folder = _folder(room, "tampered")
    other = folder / "tampered.raw"
    shutil.copy(disk, other)
    begin, end = partition(other, "root-")
    with open(other, "r+b") as f:
        for at in range(begin + (1 << 19), end, 1 << 20):
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 1]))
    return vm.Machine(folder, "tampered", other, {"http": 80},
                      arguments=[*vm.credential("postern.ini", CONFIG.format(host="10.0.2.2", https=""))])


def partition(disk, name):
    """(begin, end) in bytes of the partition whose name begins so."""
    with open(disk, "rb") as f:
        f.seek(1024)  # entries of 128 bytes, behind the table's header
        for _ in range(128):
            entry = f.read(128)
            if entry[56:].decode("utf-16-le").startswith(name):
                first, last = struct.unpack_from("<QQ", entry, 32)
                return first * 512, (last + 1) * 512
    raise AssertionError(f"no partition {name}")


def _folder(room, name):
    folder = room / name
    folder.mkdir()
    return folder


class Door:
    """A port of a machine, as what chat.Chat takes for a node."""

    def __init__(self, machine, what, is_tls=False):
        self.machine, self.what, self.is_tls = machine, what, is_tls

    def url(self, path):
        host, port = self.machine.address(self.what)
        return f"{'wss' if self.is_tls else 'ws'}://{host}:{port}{path}"

    def chat(self, user, room, **options):
        """A client of the chat behind it."""
        if self.is_tls:
            options["ssl"] = localhost_cert.trusting_context()
        return Chat(self, user, room, **options)

    def get(self, path, timeout_s=10):
        """(status, body), or None when there is no answer."""
        host, port = self.machine.address(self.what)
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        if self.is_tls:
            connection = http.client.HTTPSConnection(host, port, timeout=timeout_s,
                                                     context=localhost_cert.trusting_context())
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException, ssl.SSLError):
            return None
        finally:
            connection.close()


def serves(machine, what="http"):
    """Wait until the page of the chat comes."""
    door = Door(machine, what, what == "https")
    machine.wait_until(lambda: (door.get("/") or (0,))[0] == 200, f"an answer on {what}")
    return door
