"""Paths that a target may read otherwise than the rules did: sent as they came, but in strictest refused
when the other reading is another rule's."""

import pytest

from balancer import forward_config
from http_wire import ask, request
from scripted_target import answer

RULES = """
[rule admin]
listener = http
priority = 1
path-pattern = /admin/*
action = fixed-response 403
[rule css]
listener = http
priority = 2
path-pattern-regex = \\.css$
action = fixed-response 410
"""

# path, the status in monitor and defensive, that in strictest
PATHS = [
    ("/admin/x", 403, 403),
    ("/admin//x", 403, 403),
    ("/admin/%78", 403, 403),
    ("/a//b", 200, 200),
    ("/a%20b/./", 200, 200),
    ("//admin/x", 200, 400),
    ("/./admin/x", 200, 400),
    ("/%2e/admin/x", 200, 400),
    ("/%61dmin/x", 200, 400),
    ("/admin%2fx", 200, 400),
    ("/admin%5Cx", 200, 400),
    ("/admin", 200, 200),
    ("/%2561dmin/x", 200, 200),
    ("/a.css", 410, 410),
    ("/a%2ecss", 200, 400),
    ("/a.css/.", 200, 200),
    ("/admin/x?//b", 403, 403),
    ("/x?/admin/x", 200, 200),
]


@pytest.mark.parametrize("mode", ("monitor", "defensive", "strictest"))
def test_each_path(mode, start_alb, start_target):
    target = start_target(answer())
    alb = start_alb(forward_config(target, alb=f"routing.http.desync_mitigation_mode = {mode}",
                                   more=RULES))

    for path, status, strictest in PATHS:
        target.seen.clear()
        want = strictest if mode == "strictest" else status
        assert ask(alb, request(path=path)).status == want, path
        assert [head.split(b" ")[1] for head in target.seen] == \
            ([path.encode()] if want == 200 else []), path
        if want == 400:
            row = alb.access_row(f"{path} HTTP")
            assert row.endswith('end="another rule answers the path in its normal form"'), row
