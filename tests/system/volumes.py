"""Volumes for postern-volume: files as loop devices, in a mount namespace with a /run of its own."""

import contextlib
import os
import signal
import subprocess

import pytest

from harness import PATIENCE, ROOT, wait_until

SCRIPT = ROOT / "image/units/bin/postern-volume"
GROUPS = {"secrets": 64001, "nocloud": 64002}  # as the units have it
SET_UP = """\
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs tmpfs /var/lib
touch {ready}
exec sleep infinity
"""


def needs_loop_devices():
    """Skip, loudly, where there are none."""
    with open("/proc/filesystems", encoding="ascii") as f:
        has_ext4 = "ext4" in f.read()
    if os.geteuid() != 0 or not os.path.exists("/dev/loop-control") or not has_ext4:
        pytest.skip("NOT TESTED: volumes need root, loop devices and ext4")
    if subprocess.run(["losetup", "-f"], capture_output=True, check=False).returncode != 0:
        pytest.skip("NOT TESTED: no loop device can be had here")


class Volumes:
    """What a machine has; `run` what it does with it. Nothing of it is seen outside."""

    def __init__(self, folder):
        self.folder, self.devices, self.files = folder, [], {}
        self.credentials = folder / "credentials"
        self.credentials.mkdir()
        self.calls = folder / "systemctl.calls"
        self._make_stubs()
        ready = folder / "ready"
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             SET_UP.format(ready=ready)], stderr=subprocess.PIPE)
        wait_until(lambda: ready.exists() or self.holder.poll() is not None, "a mount namespace")
        assert self.holder.poll() is None, self.holder.stderr.read()

    def _make_stubs(self):
        """systemd is not here."""
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        for name, text in (("udevadm", ""), ("systemctl", f'echo "$@" >>{self.calls}\n')):
            (self.bin / name).write_text("#!/bin/sh\n" + text)
            (self.bin / name).chmod(0o755)

    def add(self, label=None, files=None, megabytes=80, fill=b"", at=0,
            readonly=False):
        """A device: with an ext4 of that label and these files, else with `fill` at `at`."""
        image = self.folder / f"disk{len(self.files)}"
        with open(image, "wb") as f:
            f.truncate(megabytes << 20)
            f.seek(at)
            f.write(fill)
        if label is not None:
            self._format(image, label, files or {})
        options = ["--read-only"] if readonly else []
        device = subprocess.run(["losetup", *options, "-f", "--show", image], check=True,
                                capture_output=True, text=True).stdout.strip()
        self.devices.append(device)
        self.files[device] = image
        return device

    def _format(self, image, label, files):
        content = self.folder / f"{image.name}.files"
        content.mkdir(exist_ok=True)
        for name, text in files.items():
            path = content / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, bytes):
                path.write_bytes(text)
            else:
                path.symlink_to(text)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-L", label, "-d", content, image], check=True)

    def bytes_of(self, device):
        return self.files[device].read_bytes()

    def remove(self, device):
        self.devices.remove(device)
        subprocess.run(["losetup", "-d", device], check=True)

    def inside(self, *command, **options):
        return subprocess.run(["nsenter", "-t", str(self.holder.pid), "-m", *command],
                              capture_output=True, text=True, timeout=60 * PATIENCE, check=False,
                              **options)

    def run(self, command):
        """(exit code, what it says)"""
        env = dict(os.environ, PATH=f"{self.bin}:{os.environ['PATH']}",
                   POSTERN_VOLUME_DEVICES=" ".join(self.devices),
                   CREDENTIALS_DIRECTORY=str(self.credentials))
        # As its unit has it: mounts are its own, but for the data disk's.
        own = [] if command == "data" else ["unshare", "--mount"]
        group = [] if command == "data" else ["setpriv", f"--regid={GROUPS[command]}",
                                              "--clear-groups"]
        done = self.inside(*own, *group, str(SCRIPT), command, env=env)
        return done.returncode, done.stdout + done.stderr

    def read(self, path):
        done = self.inside("cat", path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def has(self, path):
        return self.inside("test", "-e", path).returncode == 0

    def modes(self, folder):
        """{name: "mode owner group"} of the files."""
        done = self.inside("find", folder + "/", "-type", "f", "-printf", "%P=%m %U %G\n")
        return dict(line.split("=") for line in done.stdout.splitlines())

    def close(self):
        self.inside("umount", "/var/lib/postern-wsserver")
        self.holder.send_signal(signal.SIGKILL)
        self.holder.wait()
        self.holder.stderr.close()
        for device in list(self.devices):
            with contextlib.suppress(subprocess.CalledProcessError):
                self.remove(device)
