"""Fixtures: things that are started for a test and stopped after it."""

import ctypes
import os
import signal
import subprocess

import pytest

import balancer
import chat
import harness
import localhost_cert
import netns
import scripted_target
import tls_targets
import ws_peers

# How a program ends that aborted, or that valgrind (--error-exitcode=9) has complained of: no
# test may overlook it.
CRASHES = (9, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS)


CLONE_NEWNET = 0x40000000


def pytest_configure():
    """A worker of several (pytest -n) has a loopback of its own where it may: no port that one
    has left free, or found free, is taken by another."""
    if "PYTEST_XDIST_WORKER" not in os.environ or os.geteuid() != 0:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) == 0:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    item.failed = outcome.get_result().failed or getattr(item, "failed", False)


@pytest.fixture
def started(request, tmp_path):
    """Append what has stop() or close(); it is called after the test, last first. Logs of
    processes are shown when the test failed."""
    things = []
    yield things
    errors = []
    for thing in reversed(things):
        try:
            code = (getattr(thing, "stop", None) or thing.close)()
            assert code not in CRASHES, f"{thing.name} ended with {code}"
        except Exception as error:  # the others are to be stopped all the same
            errors.append(error)
    if getattr(request.node, "failed", False) or errors:
        for thing in things:
            if isinstance(thing, harness.Process):
                print(f"--- {thing.name} ---\n{thing.log()[-8000:]}")
    assert not errors, errors


@pytest.fixture
def start_alb(started, tmp_path):
    """start_alb(config, name="alb", wait=True) -> balancer.Alb"""
    def start(config, name="alb", wait=True):
        localhost_cert.make_certificate()
        alb = balancer.Alb(tmp_path, config, name)
        started.append(alb)
        return alb.start(wait)
    return start


@pytest.fixture
def make_net(started):
    """make_net() -> netns.Net, or the test is skipped"""
    def make():
        netns.needs_namespaces()
        net = netns.Net()
        started.append(net)
        return net
    return make


@pytest.fixture
def start_alb_in(started, tmp_path):
    """start_alb_in(host, config, name="alb", wait=True, before=()) -> netns.AlbIn"""
    def start(host, config, name="alb", wait=True, before=()):
        localhost_cert.make_certificate()
        alb = netns.AlbIn(host, tmp_path, config, name, before)
        started.append(alb)
        return alb.start(wait)
    return start


@pytest.fixture
def start_target(started):
    """start_target(script=answer()) -> scripted_target.Target"""
    def start(script=None):
        target = scripted_target.Target(script or scripted_target.answer())
        started.append(target)
        return target
    return start


def asks_for_grown_old(item):
    return "grown_old" in item.function.__code__.co_varnames


def pytest_collection_modifyitems(items):
    """What waits for something to grow old comes last: it is old by then."""
    items.sort(key=asks_for_grown_old)


@pytest.fixture(scope="session", autouse=True)
def all_grown_old(request, tmp_path_factory):
    """What was begun before the first test: the Old of each module in which a test asks for it."""
    modules = {item.module for item in request.session.items if asks_for_grown_old(item)}
    grown = {module: module.Old(tmp_path_factory.mktemp("old")) for module in modules}
    yield grown
    for old in grown.values():
        old.close()


@pytest.fixture
def grown_old(request, all_grown_old):
    """The Old of the test's module: connections from the session's beginning."""
    return all_grown_old[request.module]


@pytest.fixture
def start_wsserver(started, tmp_path):
    """start_wsserver(name="n1", wait=True, **settings) -> chat.Wsserver"""
    def start(name="n1", wait=True, **settings):
        node = chat.Wsserver(tmp_path, name, **settings)
        started.append(node)
        return node.start(wait)
    return start


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return tls_targets.Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def target(start_target):
    """Takes upgrades; the test has the other end by target.script.take()."""
    return start_target(ws_peers.Upgraded())


@pytest.fixture
def targets(start_target):
    """Two such."""
    return start_target(ws_peers.Upgraded()), start_target(ws_peers.Upgraded())


@pytest.fixture
def start_tls_target(started, certificates):
    """start_tls_target(script=answer(), cert="good", **versions) -> tls_targets.TlsTarget"""
    def start(script=None, cert="good", **versions):
        context = tls_targets.server_context(certificates.path(cert), **versions)
        target = tls_targets.TlsTarget(script or scripted_target.answer(), context)
        started.append(target)
        return target
    return start


@pytest.fixture
def start_raw_target(started):
    """start_raw_target(script) -> tls_targets.RawTarget"""
    def start(script):
        target = tls_targets.RawTarget(script)
        started.append(target)
        return target
    return start
