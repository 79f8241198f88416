"""The fixtures of tests/system, for real applications."""

import importlib.util
import pathlib
import sys

SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

_spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
started, start_alb, start_target = _module.started, _module.start_alb, _module.start_target
pytest_runtest_makereport = _module.pytest_runtest_makereport
