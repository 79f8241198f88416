"""Requests go to the targets of a group in turn."""

from balancer import forward_config
from scripted_target import answer


def start_named(start_target, *names):
    return [start_target(answer(name.encode())) for name in names]


def test_each_target_gets_its_share_in_turn(start_alb, start_target):
    targets = start_named(start_target, "a", "b", "c")
    alb = start_alb(forward_config(*targets))

    bodies = [alb.get()[2] for _ in range(12)]
    assert bodies[:3] * 4 == bodies
    assert sorted(bodies[:3]) == [b"a", b"b", b"c"]


def test_the_turn_is_shared_by_all_loops(start_alb, start_target):
    targets = start_named(start_target, "a", "b")
    alb = start_alb(forward_config(*targets).replace("workers = 1", "workers = 4"))

    for _ in range(40):
        alb.get()
    assert [len(t.seen) for t in targets] == [20, 20]


def test_a_group_without_targets_answers_503(start_alb):
    alb = start_alb(forward_config())

    assert alb.get()[0] == 503
    assert " 503 - " in alb.access_row('end="no target"')


def test_a_target_of_weight_zero_gets_nothing(start_alb, start_target):
    a, b = start_named(start_target, "a", "b")
    alb = start_alb(forward_config(a.address + " weight=0", b))

    assert {alb.get()[2] for _ in range(6)} == {b"b"}


def test_shares_follow_the_weights(start_alb, start_target):
    a, b = start_named(start_target, "a", "b")
    alb = start_alb(forward_config(a.address + " weight=300", b))

    bodies = [alb.get()[2] for _ in range(40)]
    assert bodies.count(b"a") == 30
