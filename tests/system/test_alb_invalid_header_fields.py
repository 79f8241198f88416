"""routing.http.drop_invalid_header_fields.enabled: names that are not letters, digits and hyphens."""

from balancer import forward_config
from http_wire import ask, request, values

FIELDS = (b"X_Plain: a\r\nX.Dot: b\r\nX!: c\r\nX-Good-1: d\r\nX Y: e\r\n"
          b"X_Forwarded_For: 6.6.6.6\r\n")
DROP = "routing.http.drop_invalid_header_fields.enabled = true"


def sent(alb, target, fields):
    target.seen.clear()
    assert ask(alb, request(fields=fields)).status == 200
    return target.seen[0]


def counted(alb):
    return [alb.metric(f"alb_{what}_invalid_header_requests_total")
            for what in ("dropped", "forwarded")]


def test_off_they_are_forwarded_if_they_are_tokens(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    head = sent(alb, target, FIELDS)
    assert values(head, "X_Plain") == ["a"] and values(head, "X.Dot") == ["b"]
    assert values(head, "X!") == ["c"] and values(head, "X-Good-1") == ["d"]
    assert b"X Y" not in head and b"6.6.6.6" not in head
    sent(alb, target, b"X-Good: a\r\n")
    assert counted(alb) == [0, 1]


def test_on_they_are_dropped(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target, alb=DROP))

    head = sent(alb, target, FIELDS)
    assert b"X_" not in head and b"X." not in head and b"X!" not in head and b"X Y" not in head
    assert values(head, "X-Good-1") == ["d"] and b"6.6.6.6" not in head
    sent(alb, target, b"X-Good: a\r\n")
    assert counted(alb) == [1, 0]


def test_rules_do_not_see_what_is_dropped(start_alb, start_target):
    target = start_target()
    rule = ("[rule r]\nlistener = http\npriority = 1\nhttp-header = X_Plain a\n"
            "action = fixed-response 404")
    alb = start_alb(forward_config(target, alb=DROP, more=rule))

    assert ask(alb, request(fields=b"X_Plain: a\r\n")).status == 200
