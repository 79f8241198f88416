"""A machine that reaches nobody: a private subnet without any way out."""

import machines


def test_it_serves(alone):
    machines.serves(alone)


def test_its_configuration_came_from_the_nocloud_disk(alone):
    alone.wait_for(r"configuration found source=nocloud")
    alone.wait_for(r"configuration in force alb=nocloud")


def test_no_unit_has_failed(alone):
    assert "failed" not in machines.facts(alone)
