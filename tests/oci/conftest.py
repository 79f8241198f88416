"""Fixtures: the archive as `make oci` has made it, and containers of it."""

import importlib.util
import pathlib
import shutil
import subprocess
import sys

import pytest

SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

_spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
pytest_runtest_makereport = _module.pytest_runtest_makereport
started = _module.started

from cgroups import in_one_tree  # noqa: E402
from container import Archive, Container, archive_path  # noqa: E402
import netns  # noqa: E402


def needs(*tools):
    """Skip, loudly, without one of them."""
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"NOT TESTED: {tool} is missing: run `make deps-oci-test`")


@pytest.fixture(scope="session")
def archive():
    return Archive(archive_path())


@pytest.fixture(scope="session")
def bundle(archive, tmp_path_factory):
    """What a container is started of: its configuration and its root, unpacked."""
    netns.needs_namespaces()
    needs("umoci", "crun", "unshare")
    tried = subprocess.run(in_one_tree("unshare", "--pid", "--net", "--fork", "true"), capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"NOT TESTED: no container starts here: {tried.stderr}")
    return archive.unpack(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def net():
    net = netns.Net()
    yield net
    net.close()


@pytest.fixture
def client(net):
    """A neighbour of the container, outside of it."""
    return net.host("client", "10.77.0.10")


@pytest.fixture
def container(bundle, net, client, tmp_path):
    """container("alb", "quick", ..., env={...}): a running one."""
    made = []

    def make(*args, **how):
        made.append(Container(tmp_path, f"c{len(made)}", bundle, net.appliance.name, *args, **how))
        return made[-1].start(wait=False)

    yield make
    for one in made:
        one.remove()
