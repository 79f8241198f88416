"""A wrong configuration, and a disk that is not as it was built: nobody gets in."""

import machines


def test_the_console_names_the_line(wrong):
    wrong.wait_for(r"nocloud:5: .*forwrd")
    wrong.wait_for(r"configuration refused source=nocloud: nobody is accepted")


def test_a_wrong_configuration_accepts_nobody(wrong):
    facts = machines.facts(wrong)  # all that would start has started
    assert machines.Door(wrong, "http").get("/", timeout_s=5) is None
    assert [s for s in facts["tcp"] if s.split()[0].endswith(":0050")] == []


def test_a_wrong_configuration_fails_one_unit_and_no_other(wrong):
    assert [line.split()[0] for line in machines.facts(wrong)["failed"]] == ["postern-configure.service"]


def test_a_machine_that_is_given_nothing_accepts_nobody(wrong):
    wrong.wait_for(r"no source has one, and nobody is accepted")
    wrong.wait_for(r"FACT default=yes")
    assert machines.Door(wrong, "http").get("/", timeout_s=5) is None


def test_a_tampered_root_never_serves(tampered):
    tampered.wait_off(240)  # it restarts, which ends a machine that may not
    assert "verity" in tampered.console() and "corrupted" in tampered.console()
    assert "postern-alb" not in tampered.console()
