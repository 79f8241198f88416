"""The reference pages are what the programs print, and the samples load."""

import pytest

from harness import ROOT, run

PAGES = [
    ("alb", "settings", "settings.md"),
    ("alb", "metrics", "metrics.md"),
    ("alb", "upgrades --reasons", "upgrades.md"),
    ("wsserver", "settings", "settings-wsserver.md"),
    ("wsserver", "metrics", "metrics-wsserver.md"),
]


@pytest.mark.parametrize("program, command, page", PAGES)
def test_a_reference_page_is_up_to_date(program, command, page):
    code, printed, _ = run(program, *command.split())
    assert code == 0
    assert printed == (ROOT / "docs" / page).read_text(), "run `make docs`"


def test_the_samples_pass_their_check(tmp_path):
    alb = (ROOT / "conf/alb.ini").read_text().replace("/etc/postern/edge.d", str(ROOT / "conf/edge.d"))
    (tmp_path / "alb.ini").write_text(alb)
    code, _, errors = run("alb", "check", tmp_path / "alb.ini")
    assert code == 0, errors
    wsserver = (ROOT / "conf/wsserver.ini").read_text().replace("/var/lib/postern-wsserver", str(tmp_path))
    (tmp_path / "wsserver.ini").write_text(wsserver)
    code, _, errors = run("wsserver", "check", tmp_path / "wsserver.ini")
    assert code == 0, errors
