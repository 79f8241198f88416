"""The machines that the tests look at. Each is started when the first test asks for it: five in all.

* `bios`: BIOS, virtio, configuration by credential, secrets on a volume, logs by journal upload and by syslog over TCP,
  a blank data disk, a stranger's network, and operators who change what is in force
* `uefi`: UEFI, NVMe, configuration by the instance metadata service, secrets by credential, syslog over UDP, a late
  clock
* `alone`: configuration on a NoCloud CD (ISO 9660), secrets by credential of the firmware, and a network without any way
  out
* `wrong`: a NoCloud disk (vfat) whose configuration has mistakes; then none
* `tampered`: one byte of the root is another
"""

import os
import pathlib
import shutil
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests/system"), str(HERE)]

import machines  # noqa: E402
import vm  # noqa: E402

IMAGE = pathlib.Path(os.environ.get("IMAGE", ROOT / "build/image"))
TOOLS = ("qemu-system-x86_64", "qemu-img", "mkfs.vfat", "mcopy", "mkfs.ext4", "openssl", "xorriso", "cc")


def _missing():
    """What this cannot do without, as a text."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if not vm.FIRMWARE.exists():
        missing.append(str(vm.FIRMWARE))
    if missing:
        return f"{' '.join(missing)} missing: make deps-image-test"
    if len(list(IMAGE.glob("postern-*.raw"))) != 1:
        return f"no image in {IMAGE}: make image"
    return ""


def pytest_collection_modifyitems(items):
    why = _missing()
    for item in items if why else []:
        item.add_marker(pytest.mark.skip(reason=f"NOT TESTED: {why}"))


@pytest.fixture(scope="session")
def image():
    """The folder of `make image`."""
    return IMAGE


@pytest.fixture(scope="session")
def disk(image):
    """The raw disk."""
    return next(image.glob("postern-*.raw"))


@pytest.fixture(scope="session")
def room(tmp_path_factory):
    return tmp_path_factory.mktemp("image")


@pytest.fixture(scope="session")
def origin(room):
    """A chat server of this machine, that all virtual ones can reach."""
    server = machines.start_origin(room)
    yield server
    server.stop()


def _run(machine):
    """Start one, and pull its plug at the end."""
    machine.start()
    yield machine
    machine.stop()


@pytest.fixture(scope="session")
def logs(tmp_path_factory):
    """Receivers of logs."""
    return machines.Logs(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="session")
def bios(room, disk, origin, logs):
    yield from _run(machines.bios(room, disk, origin, logs))


@pytest.fixture(scope="session")
def uefi(room, disk, origin, logs):
    yield from _run(machines.uefi(room, disk, origin, logs))


@pytest.fixture(scope="module")
def alone(room, disk):
    yield from _run(machines.alone(room, disk))


@pytest.fixture(scope="module")
def wrong(room, disk):
    yield from _run(machines.wrong(room, disk))


@pytest.fixture(scope="module")
def tampered(room, disk):
    yield from _run(machines.tampered(room, disk))
