"""Fixtures: machines of each Debian release in $DEBIAN, clean or with the packages on them."""

import contextlib
import importlib.util
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

_spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
pytest_runtest_makereport = _module.pytest_runtest_makereport

from machine import BOTH, Machine, clean_root, packages  # noqa: E402

SUITES = os.environ.get("DEBIAN", "bookworm trixie").split()


@pytest.fixture(scope="session", params=SUITES)
def suite(request):
    return request.param


@pytest.fixture(scope="session")
def base(suite):
    """A root that machines are copied from."""
    if os.geteuid() != 0 or not shutil.which("systemd-nspawn"):
        pytest.skip("NOT TESTED: a machine in a container needs root and systemd-nspawn")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-base-", dir="/var/tmp"))
    yield clean_root(suite, folder / "root")
    shutil.rmtree(folder)


@contextlib.contextmanager
def running(suite, base):
    machine = Machine(suite, base)
    try:
        yield machine.start()
    finally:
        machine.stop()


@pytest.fixture
def machine(suite, base):
    """Clean, running, and the test's own."""
    with running(suite, base) as machine:
        yield machine


@pytest.fixture(scope="module")
def installed(suite, base):
    """One with both packages as they come, for all tests of a file."""
    with running(suite, base) as machine:
        machine.install(*packages(suite, *BOTH))
        for unit in BOTH:
            machine.wait_until_active(unit)
        yield machine
