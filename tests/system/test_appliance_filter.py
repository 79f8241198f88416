"""image/overlay/usr/lib/postern/postern-filter: the packet filter of the appliance follows its configuration."""

import os
import re

import pytest

from harness import BIN, ROOT

PROGRAM = ROOT / "image/overlay/usr/lib/postern/postern-filter"
STRANGER = "10.77.0.66"
# nft is asked to take the old table away and to make another, which cannot be.
BROKEN = """#!/bin/sh
echo 'table inet postern {}
delete table inet postern
table inet postern { chain input { nonsense } }'
"""


class Filter:
    """The program in a namespace, with its files in a folder."""

    def __init__(self, host, folder):
        self.host, self.folder = host, folder
        self.config, self.state, self.instead = folder / "alb.ini", folder / "alb.state", folder / "instead"
        self.instead.mkdir()
        (folder / "run").mkdir()

    def configure(self, allow, port=8080):
        self.config.write_text(f"[edge]\nallow = {allow}\n[listener a]\nbind = 0.0.0.0:{port}\n"
                               "default_action = fixed-response 200 text/plain \"x\"\n")

    def add(self, block, end=2**33):
        self.state.write_text(f"postern-alb-state 1\nedge {block} until={end}\nend 1\n")

    def run(self):
        """(exit code, stdout, stderr)"""
        return self.host.run("env", f"PATH={self.instead}:{BIN}:{os.environ['PATH']}",
                             f"POSTERN_CONFIGURATION={self.config}", f"POSTERN_STATE={self.state}",
                             f"RUNTIME_DIRECTORY={self.folder}/run", PROGRAM)

    def in_force(self):
        """As nft lists it, with the numbers of rules: those loaded anew have others."""
        return self.host.run("nft", "-a", "list", "table", "inet", "postern")[1]


@pytest.fixture
def filter_(make_net, tmp_path):
    made = Filter(make_net().appliance, tmp_path)
    made.configure("10.77.0.10/32")
    code, out, err = made.run()
    assert (code, err) == (0, "") and "<5>postern-filter: in force, 0 of its rules for a while" in out
    return made


def test_it_is_loaded_only_when_it_is_another_one(filter_):
    before = filter_.in_force()
    assert "10.77.0.10" in before
    assert filter_.run() == (0, "", "") and filter_.in_force() == before


def test_another_configuration_and_additions_are_taken(filter_):
    filter_.configure("10.77.0.11/32", port=8081)
    assert filter_.run()[0] == 0
    assert "10.77.0.11" in filter_.in_force() and "8081" in filter_.in_force()
    filter_.add("10.77.0.12/32")
    assert "in force, 1 of its rules for a while" in filter_.run()[1]
    assert "10.77.0.12" in filter_.in_force()


def test_warnings_are_said_once(filter_):
    filter_.configure("any")
    assert re.search(r"^<4>postern-filter: .*alb.ini:\d+: ", filter_.run()[1], re.M)
    assert filter_.run() == (0, "", "")


@pytest.mark.parametrize("spoil,said", [
    (lambda f: f.config.write_text("[edge]\nallow = 10.0.0.1/8\n"), r"alb\.ini:2: allow: "),
    (lambda f: f.state.write_text("postern-alb-state 1\nedge 10.0.9.0/24 until=1\n"), r"alb\.state:"),
    (lambda f: f.config.unlink(), "No such file")])
def test_what_cannot_be_made_leaves_the_old_one_and_says_so(filter_, spoil, said):
    before = filter_.in_force()
    spoil(filter_)
    code, _, err = filter_.run()
    assert code == 1 and filter_.in_force() == before
    assert re.search(rf"^<3>postern-filter: .*{said}", err, re.M)
    assert "<3>postern-filter: alb nft gives no rules: the packet filter that was in force stays" in err


def test_what_nft_does_not_take_leaves_the_old_one_and_is_tried_again(filter_):
    before = filter_.in_force()
    alb = filter_.instead / "alb"
    alb.write_text(BROKEN)
    alb.chmod(0o755)
    for _ in range(2):
        code, _, err = filter_.run()
        assert code == 1 and filter_.in_force() == before
        assert re.search(r"^<3>postern-filter: .*nonsense", err, re.M)
        assert "nft does not take the rules: the packet filter that was in force stays" in err


def test_a_change_while_it_works_is_not_missed(filter_):
    """`alb nft` has read the files; the next moment there are others."""
    alb = filter_.instead / "alb"
    alb.write_text(f"#!/bin/sh\n{BIN}/alb \"$@\"\nmv {filter_.folder}/next {filter_.state} 2>/dev/null\ntrue\n")
    alb.chmod(0o755)
    filter_.add(STRANGER + "/32")
    filter_.state.rename(filter_.folder / "next")
    assert filter_.run()[0] == 0
    assert STRANGER in filter_.in_force()
