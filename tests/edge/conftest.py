"""The fixtures of tests/system, and the stand-in for an edge."""

import importlib.util
import pathlib
import sys

import pytest

SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

_spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
started, start_alb, start_target = _module.started, _module.start_alb, _module.start_target
start_wsserver, target, targets = _module.start_wsserver, _module.target, _module.targets
certificates, start_tls_target = _module.certificates, _module.start_tls_target
make_net = _module.make_net
pytest_configure = _module.pytest_configure
pytest_runtest_makereport = _module.pytest_runtest_makereport

from chain import Chain  # noqa: E402
from edge_standin import EdgeStandin  # noqa: E402


@pytest.fixture
def start_edge(started, tmp_path):
    """start_edge(origin, *arguments, name="edge") -> edge_standin.EdgeStandin in front of a target or an alb"""
    def start(origin, *arguments, name="edge"):
        edge = EdgeStandin(tmp_path, origin, *arguments, name=name)
        started.append(edge)
        return edge.start()
    return start


@pytest.fixture
def make_chain(make_net, started, tmp_path):
    """make_chain() -> chain.Chain, or the test is skipped"""
    return lambda: Chain(make_net(), tmp_path, started)
