"""A machine that reaches nobody: a private subnet without any way out."""

import machines


def test_it_serves(alone):
    machines.serves(alone)


# Which a client takes for this certificate alone.
def test_it_has_the_certificate_of_a_credential_of_the_firmware(alone):
    machines.serves(alone, "https")


def test_its_configuration_came_from_the_nocloud_cd(alone):
    alone.wait_for(r"configuration found source=nocloud")
    alone.wait_for(r"configuration in force alb=nocloud")


def test_no_unit_has_failed(alone):
    assert "failed" not in machines.facts(alone)


def test_nothing_is_sent_anywhere_unless_the_secrets_say_so(alone):
    assert machines.facts(alone)["sends"] == ["inactive", "inactive"]
