"""For all suites: a test that failed while the machine stood still is run again, and the end of
the run says which and why. One that fails without that has failed, and so has one that fails
three times."""

import os
import tempfile
import time

import stalls
from _pytest.runner import runtestprotocol

FILE = "POSTERN_STALLS"  # the environment's: all workers of pytest -n read one file
TRIES = 3
AGAIN = "ran again"
_watchers = []
_again = []


def pytest_configure():
    if FILE in os.environ:
        return
    handle, os.environ[FILE] = tempfile.mkstemp(prefix="stalls-")
    os.close(handle)
    _watchers.extend(stalls.start(os.environ[FILE]))


def pytest_unconfigure():
    if _watchers:
        stalls.stop(_watchers)
        os.unlink(os.environ.pop(FILE))


def _try(item, nextitem):
    """Its reports, and for how long the machine stood still meanwhile."""
    begin = time.monotonic()
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    return reports, stalls.longest(os.environ[FILE], begin, time.monotonic())


def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for left in reversed(range(TRIES)):
        reports, still = _try(item, nextitem)
        if left == 0 or still == 0 or not any(report.failed for report in reports):
            break
        item.user_properties.append((AGAIN, f"{still:.2f} s"))
        item.failed = False
        item._initrequest()
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_runtest_logreport(report):
    if report.when == "call":
        _again.extend((report.nodeid, said) for name, said in report.user_properties if name == AGAIN)


def pytest_terminal_summary(terminalreporter):
    if not _watchers:
        return
    gaps = stalls.gaps(os.environ[FILE])
    if gaps:
        terminalreporter.write_line(f"the machine stood still {len(gaps)} times, for "
                                    f"{max(end - begin for begin, end in gaps):.2f} s at most")
    for test, still in _again:
        terminalreporter.write_line(f"RAN AGAIN {test}: the machine stood still for {still} while it failed")
