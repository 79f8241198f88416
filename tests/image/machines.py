"""The machines of the tests: what each is given, and how to talk to it."""

import http.client
import re
import shutil
import ssl
import struct
import subprocess
import sys
import time

import localhost_cert
import media
import receivers
import time_server
import vm
from chat import Chat, Wsserver
from client_certs import Authority
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
access_logs.enabled = true
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
{more}default_action = forward chat
"""

# A credential is in no folder.
BY_CREDENTIAL = HTTPS.format(more="").replace("tls/site.pem", "site.pem")

# Another program's part in the secrets, on the machines that send their logs somewhere.
UPLOAD = """\
[Upload]
URL=https://10.0.2.2:{port}
ServerKeyFile=/run/postern-secrets/logs/machine.pem
ServerCertificateFile=/run/postern-secrets/logs/machine.pem
TrustedCertificateFile=/run/postern-secrets/logs/authority.pem
"""

SYSLOG = """\
[Network]
Address={host}:{port}
Protocol={protocol}
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


class Logs:
    """What machines send their logs to, and who vouches for both ends."""

    def __init__(self, folder):
        self.authority = Authority(folder, "logs")
        self.machine = self.authority.client("machine")
        receiver = self.authority.client("receiver", extensions="subjectAltName=IP:10.0.2.2\n")
        self.journal = receivers.JournalReceiver(receiver.pem, self.authority.crt)
        self.udp, self.tcp = receivers.UdpSyslog(), receivers.TcpSyslog()


def _lonely(folder):
    """A certificate's file without the one between it and its root."""
    cert = Authority(folder, "between", Authority(folder, "top")).client("lonely")
    return cert.crt.read_bytes() + cert.key.read_bytes()


def _bios_secrets(folder, logs):
    """A volume with all that a machine may be given."""
    ktls = folder / "ktls"
    subprocess.run(["cc", "-Os", "-s", "-o", ktls, HERE / "ktls.c"], check=True)
    return media.secrets(folder, {
        "tls/site.pem": localhost_cert.make_certificate().read_bytes(),
        "tls/lonely.pem": _lonely(folder),
        "logs/machine.pem": logs.machine.pem.read_bytes(),
        "logs/authority.pem": logs.authority.crt.read_bytes(),
        "journal-upload.conf": UPLOAD.format(port=logs.journal.port).encode(),
        "netlogd.conf": SYSLOG.format(host="10.0.2.2", port=logs.tcp.port, protocol="tcp").encode(),
        "management-tokens": f"ops {TOKEN}\n".encode(),
        "ktls": ktls.read_bytes()})


def bios(room, disk, origin, logs):
    host, folder = "10.0.2.2", _folder(room, "bios")
    port = origin.address.rsplit(":", 1)[1]
    lonely = "sni_certificate = /run/postern-secrets/tls/lonely.pem\n"
    config = CONFIG.format(host=host, https=HTTPS.format(more=lonely)) + ELSEWHERE.format(host=host, port=port)
    config += MANAGEMENT.format(host=host)
    stranger_port = free_port()
    machine = vm.Machine(
        folder, "bios", disk, {"http": 80, "https": 443, "health": 8090, "admin": 9100, "chat": 9001,
                                     "management": 8443, "more": 81},
        memory_mb=512, arguments=[
            *vm.credential("postern.ini", config), *selftest(), *vm.extra_disk(1, _bios_secrets(folder, logs)),
            *vm.extra_disk(2, media.blank(folder, "data.img", 64)),
            "-netdev", f"user,id=strange,net={STRANGER}.0/24,hostfwd=tcp:127.0.0.1:{stranger_port}-:80",
            "-device", "virtio-net-pci,netdev=strange,romfile=",
            "-object", f"filter-dump,id=dump,netdev=strange,file={folder}/strange.pcap"])
    machine.config = config
    machine.stranger_port, machine.strange_pcap = stranger_port, folder / "strange.pcap"
    return machine


def _late(by_s):
    """Arguments for a machine whose clock is so late."""
    return ["-rtc", time.strftime("base=%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - by_s))]


def uefi(room, disk, origin, logs):
    """On what looks like EC2; its network is that of the metadata service, since QEMU's has no routes. Its clock is an
    hour late."""
    host, folder = "169.254.2.2", _folder(room, "uefi")
    port = origin.address.rsplit(":", 1)[1]
    (folder / "user-data").write_text(CONFIG.format(host=host, https=BY_CREDENTIAL) +
                                      ELSEWHERE.format(host=host, port=port))
    service = f"cmd:{sys.executable} {HERE}/metadata.py {folder}/user-data"
    clock = time_server.TimeServer(folder / "clock")
    syslog = SYSLOG.format(host=host, port=logs.udp.port, protocol="udp")
    machine = vm.Machine(
        folder, "uefi", disk, {"http": 80, "https": 443, "health": 8090}, uefi=True, disk="nvme", neighbour=clock.path,
        network=f",net=169.254.0.0/16,guestfwd=tcp:169.254.169.254:80-{service}",
        arguments=["-smbios", "type=1,manufacturer=Amazon EC2", *_late(3600), *selftest(),
                   *vm.credential("postern.secret.netlogd.conf", syslog),
                   *vm.credential("postern.secret.site.pem", localhost_cert.make_certificate().read_text())])
    machine.clock = clock
    return machine


def alone(room, disk):
    folder = _folder(room, "alone")
    seed = media.nocloud_iso(folder, CONFIG.format(host="10.0.2.2", https=BY_CREDENTIAL))
    site = vm.firmware_credential("postern.secret.site.pem", localhost_cert.make_certificate())
    return vm.Machine(folder, "alone", disk, {"http": 80, "https": 443, "health": 8090}, network=",restrict=on",
                      arguments=[*selftest(), *vm.cd(seed), *site])


WRONG = """\
[edge]
allow = any
[listener http]
bind = 0.0.0.0:80
default_action = forwrd chat
"""

# Once all is said: the same start without any source.
FORGET_UNIT = """\
[Service]
Type=oneshot
ExecStart=rm /run/postern-nocloud/user-data
ExecStart=systemctl restart postern-configure.service postern-alb.service
ExecStart=cmp /run/postern-configure/alb.ini /usr/share/postern-appliance/alb.ini
ExecStart=echo FACT default=yes
"""


def wrong(room, disk):
    folder = _folder(room, "wrong")
    return vm.Machine(folder, "wrong", disk, {"http": 80}, arguments=[
        *selftest(), *vm.extra_disk(1, media.nocloud(folder, WRONG)),
        *vm.credential("systemd.extra-unit.forget.service", FORGET_UNIT),
        *vm.credential("systemd.unit-dropin.selftest.service", "[Unit]\nOnSuccess=forget.service\n")])


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
