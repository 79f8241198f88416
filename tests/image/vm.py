"""A virtual machine of the appliance's disk.

    vm = Machine(folder, "one", image, ports={"http": 80}).start()
    vm.wait_for("configuration in force")         # a line of its console
    socket.create_connection(vm.address("http"))  # its port 80
    vm.press_power_button()
    vm.wait_off()

It has no display and one serial port, whose output is a file. Its network is QEMU's own, which has DHCP, and a
port of this machine for each of `ports`: what connects there comes from 10.0.2.2. The disk is never written to.
"""

import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

from harness import free_port

# Plain emulation does some 1/20 of a processor's work, and other tests may run beside it.
PATIENCE = float(os.environ.get("PATIENCE", "1"))
BOOT_S = 240
FIRMWARE = pathlib.Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
FIRMWARE_VARIABLES = pathlib.Path("/usr/share/OVMF/OVMF_VARS_4M.fd")


def _emulates_two():
    """Before 8.1 QEMU may run what one processor has just written over on another: "Oops: int3", on a busy machine."""
    told = subprocess.run(["qemu-system-x86_64", "--version"], check=True, capture_output=True, text=True).stdout
    return tuple(map(int, re.search(r"version (\d+)\.(\d+)", told).groups())) >= (8, 1)


def accelerator():
    """KVM where the processor itself has virtual machines: a /dev/kvm alone may be one that starts no other kernel."""
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii").split()
    if ("vmx" in flags or "svm" in flags) and os.access("/dev/kvm", os.R_OK | os.W_OK):
        return ["-accel", "kvm", "-cpu", "host", "-smp", "2"]
    return ["-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max", "-smp", "2" if _emulates_two() else "1"]


def credential(name, text):
    """Arguments that give the machine a systemd credential."""
    value = base64.b64encode(text.encode()).decode()
    return ["-smbios", f"type=11,value=io.systemd.credential.binary:{name}={value}"]


def firmware_credential(name, path):
    """The same by the firmware's table of files."""
    return ["-fw_cfg", f"name=opt/io.systemd.credentials/{name},file={path}"]


def cd(path):
    """Arguments for a CD-ROM, as libvirt and Proxmox give one."""
    return ["-drive", f"id=cd,if=none,format=raw,media=cdrom,readonly=on,file={path}", "-device", "ide-cd,drive=cd"]


def extra_disk(number, path):
    """Arguments for a further disk: a configuration, secrets."""
    return ["-drive", f"id=extra{number},if=none,format=raw,file={path}",
            "-device", f"virtio-blk-pci,drive=extra{number}"]


class Qmp:
    """QEMU's own control, on a socket."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(path))
        self.lines = self.sock.makefile("r", encoding="utf-8")
        self.lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, command):
        self.sock.sendall(json.dumps({"execute": command}).encode() + b"\n")
        while True:
            said = json.loads(self.lines.readline())
            if "return" in said or "error" in said:
                return said


class Machine:
    """See above. `disk` is "virtio" or "nvme"; `network` is put behind `user,id=net`, of which we are `host`;
    `neighbour` is a datagram socket of who else is in that network."""

    def __init__(self, folder, name, image, ports, *, uefi=False, disk="virtio", memory_mb=256, network="",
                 neighbour=None, arguments=()):
        self.name, self.folder = name, pathlib.Path(folder)
        self.console_path = self.folder / f"{name}.console"
        self.qmp_path = self.folder / f"{name}.qmp"
        self.ports = {what: (port, free_port()) for what, port in ports.items()}
        self.popen = None
        self.args = self._hardware(image, uefi, disk, memory_mb) + self._network(network, neighbour) + list(arguments)

    def _hardware(self, image, uefi, disk, memory_mb):
        device = {"virtio": "virtio-blk-pci,drive=disk", "nvme": "nvme,drive=disk,serial=vol0123456789abcdef"}[disk]
        return ["qemu-system-x86_64", "-machine", "q35", *accelerator(), "-m", str(memory_mb),
                "-display", "none", "-monitor", "none", "-no-reboot", "-vga", "none",
                "-serial", f"file:{self.console_path}", "-qmp", f"unix:{self.qmp_path},server=on,wait=off",
                "-drive", f"id=disk,if=none,format=raw,snapshot=on,file={image}",
                "-device", f"{device},bootindex=1", "-device", "virtio-rng-pci", *(self._uefi() if uefi else [])]

    def _uefi(self):
        variables = self.folder / f"{self.name}.vars"
        shutil.copy(FIRMWARE_VARIABLES, variables)
        return ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}",
                "-drive", f"if=pflash,format=raw,file={variables}"]

    def _network(self, more, neighbour):
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{ours}-:{theirs}" for theirs, ours in self.ports.values())
        card = "hub" if neighbour else "net"
        return ["-netdev", f"user,id=net{more}{forwards}", *(self._hub(neighbour) if neighbour else []),
                "-device", f"virtio-net-pci,netdev={card},romfile="]

    def _hub(self, neighbour):
        """The card, QEMU's own network and the neighbour on one wire."""
        own = self.folder / f"{self.name}.wire"
        return ["-netdev", f"dgram,id=other,local.type=unix,local.path={own},remote.type=unix,remote.path={neighbour}",
                "-netdev", "hubport,id=hub,hubid=0", "-netdev", "hubport,id=hub1,hubid=0,netdev=net",
                "-netdev", "hubport,id=hub2,hubid=0,netdev=other"]

    def start(self):
        self.console_path.unlink(missing_ok=True)
        with open(self.folder / f"{self.name}.log", "wb") as log:
            # However the tests end, so does the machine.
            self.popen = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *self.args], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.started = time.monotonic()
        return self

    def address(self, what):
        """Where one of its ports is on this machine."""
        return "127.0.0.1", self.ports[what][1]

    def console(self):
        """All that came out of the serial port, without colours."""
        if not self.console_path.exists():
            return ""
        text = self.console_path.read_text(errors="replace").replace("\r", "")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>c]", "", text)

    def is_running(self):
        return self.popen is not None and self.popen.poll() is None

    def wait_until(self, condition, what, timeout_s=BOOT_S):
        """The first true value of `condition()`; fails when that takes too long, or the machine ends before."""
        end = time.monotonic() + timeout_s * PATIENCE
        while True:
            was_running = self.is_running()
            value = condition()
            if value:
                return value
            assert was_running, f"{self.name} ended before {what}:\n{self.last_words()}"
            assert time.monotonic() < end, f"waited {timeout_s * PATIENCE:.0f} s for {what}:\n{self.last_words()}"
            time.sleep(0.1)

    def wait_for(self, pattern, timeout_s=BOOT_S):
        """Wait for a text on the console: its match."""
        return self.wait_until(lambda: re.search(pattern, self.console()), f"{pattern!r} on the console", timeout_s)

    def last_words(self):
        log = (self.folder / f"{self.name}.log").read_text(errors="replace")
        return f"{log}\n{self.console()[-4000:]}"

    def press_power_button(self):
        Qmp(self.qmp_path).ask("system_powerdown")

    def wait_off(self, timeout_s=120):
        self.wait_until(lambda: not self.is_running(), "its end", timeout_s)
        return self.popen.returncode

    def stop(self):
        """Pull the plug."""
        if self.is_running():
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(10)
                return
            self.popen.kill()
            self.popen.wait()
