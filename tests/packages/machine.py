"""A machine to install packages on: a clean Debian under its own systemd, in a container (systemd-nspawn) on
a network of its own.

    machine = Machine("bookworm", base).start()   # fixtures do: machine, installed
    machine.install(*packages("bookworm", "postern-alb"))
    machine.ok("systemctl", "is-active", "postern-alb.service")
    with machine.edge: ...                        # a neighbour, as machine.stranger is (netns.py)

Its root is a copy, which goes with it. What the packages depend on was downloaded before (see `clean_root`),
since this network leads nowhere.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import netns
from cgroups import in_one_tree
from harness import PATIENCE, ROOT, wait_until

CHROOT = ROOT / "image/chroot.sh"
DEBS = ROOT / "build/deb"
BOTH = ("postern-alb", "postern-wsserver")
EDGE, STRANGER = "10.77.0.10", "10.77.0.66"
BOOT_S = 90
# systemd 257 wants the unified hierarchy.
NSPAWN = in_one_tree("systemd-nspawn", "--quiet", "--register=no", "--keep-unit")


def command(*args, timeout=300, **how):
    """A program to its end; its output, if it succeeded."""
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=timeout * PATIENCE, **how)
    assert done.returncode == 0, f"{args} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def packages(suite, *names, folder=None):
    """Files of packages as built last."""
    folder = folder or DEBS / suite
    found = [sorted(folder.glob(f"{name}_*.deb")) for name in names]
    assert all(found), f"{names} are not all in {folder}: run `make deb`"
    return [files[-1] for files in found]


def clean_root(suite, into):
    """A clean root with the packages' dependencies in apt's cache, but not installed."""
    made = command(CHROOT, "make", suite, "deb-root", timeout=580).splitlines()[-1]
    command("cp", "-a", made, into)
    debs = into / "var/cache/postern"
    debs.mkdir()
    names = []
    for deb in packages(suite, *BOTH):
        shutil.copy(deb, debs)
        names.append(f"/var/cache/postern/{deb.name}")
    command(*NSPAWN, "--pipe", f"--directory={into}",
            "--bind-ro=/etc/resolv.conf", "sh", "-ec",
            f"apt-get -qq update && apt-get -qq --download-only install {' '.join(names)}")
    shutil.rmtree(debs)
    return into


class Machine:
    """A root that has booted."""

    def __init__(self, suite, base):
        self.suite, self.net = suite, netns.Net()
        self.edge = self.net.host("edge", EDGE)
        self.stranger = self.net.host("stranger", STRANGER)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-machine-", dir="/var/tmp"))
        self.root = self.folder / "root"
        self.nspawn = self.leader = None
        command("cp", "-a", base, self.root)

    def start(self):
        notify = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(str(notify))
            sock.settimeout(BOOT_S * PATIENCE)
            with open(self.folder / "console", "wb") as console:
                self.nspawn = subprocess.Popen(
                    [*NSPAWN, "--boot", "--notify-ready=yes", "--console=pipe", f"--directory={self.root}",
                     f"--network-namespace-path=/run/netns/{self.net.appliance.name}",
                     # What a machine's own init has for the filter of the edge, and a container's has not.
                     "--capability=CAP_BPF,CAP_NET_ADMIN", "--system-call-filter=bpf",
                     "systemd.log_target=console"],
                    stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                    env=dict(os.environ, NOTIFY_SOCKET=str(notify)))
            self.leader = self._booted(sock)
        return self

    def _booted(self, sock):
        leader, is_ready = None, False
        while not (leader and is_ready):
            try:
                text = sock.recv(4096).decode()
            except TimeoutError:
                raise AssertionError(f"no boot within {BOOT_S * PATIENCE:.0f} s:\n{self.console()}") from None
            found = re.search(r"^X_NSPAWN_LEADER_PID=(\d+)", text, re.M)
            leader = int(found[1]) if found else leader
            is_ready = is_ready or "READY=1" in text.split("\n")
        return leader

    def console(self):
        return (self.folder / "console").read_text(errors="replace")[-4000:]

    def run(self, *args, timeout=120):
        """A program in the machine, to its end: (exit code, output)."""
        done = subprocess.run(
            ["nsenter", f"--target={self.leader}", "--all", "env", "-i", "LANG=C.UTF-8", "HOME=/root",
             "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", *map(str, args)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=timeout * PATIENCE)
        return done.returncode, done.stdout

    def ok(self, *args, timeout=120):
        code, text = self.run(*args, timeout=timeout)
        assert code == 0, f"{args} ended with {code}:\n{text}"
        return text

    def path(self, name):
        """A file of the machine's root, seen from here."""
        return self.root / name.lstrip("/")

    def install(self, *debs, options=()):
        """As `apt-get install ./FILE...` does; its output."""
        where = self.path("/root/debs")
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir()
        for deb in debs:
            shutil.copy(deb, where)
        return self.ok("apt-get", "install", "-y", "--no-install-recommends", *options,
                       *[f"/root/debs/{deb.name}" for deb in debs], timeout=240)

    def property(self, unit, name):
        return self.ok("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def journal(self, unit):
        return self.ok("journalctl", "--no-pager", "-o", "cat", "-u", unit)

    def stop(self):
        """Off, within a time; nothing is left of it."""
        if self.nspawn and self.nspawn.poll() is None:
            if self.leader:
                os.kill(self.leader, signal.SIGRTMIN + 4)  # systemd: power off
            try:
                self.nspawn.wait(30 * PATIENCE)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
        shutil.rmtree(self.folder)
        self.net.close()

    def wait_until_active(self, unit):
        wait_until(lambda: self.property(unit, "ActiveState") == "active", f"{unit} to be active", 30)
