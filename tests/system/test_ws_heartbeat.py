"""An application whose heartbeat is nearly as long as the idle time-out is warned of, once."""

import re
import time

from harness import wait_until
from ws_peers import TEXT, Upgraded, all_closed, open_tunnel, ws_config

QUIET = 'alb_group_websocket_quiet_seconds_count{target_group="app"}'


def beat(pairs, seconds):
    """A quiet spell in each, and a word."""
    time.sleep(seconds)
    for client, origin in pairs:
        client.send(TEXT, b"beat")
        assert origin.receive() == (TEXT, True, b"beat")


def test_one_close_to_the_time_out_is_told_once_in_the_log(start_alb, start_target):
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target, alb="idle_timeout.timeout_seconds = 3\n"))
    pairs = [open_tunnel(alb, target) for _ in range(25)]
    with all_closed([peer for pair in pairs for peer in pair]):
        beat(pairs, 0)  # the first have been quiet while the others were opened
        beat(pairs, 2.55)

        def told():
            beat(pairs, 0.05)  # no spell, and the time-out begins anew
            return "heartbeat close to" in alb.log()
        wait_until(told, "the warning")
        assert alb.metric(QUIET) == 25
        beat(pairs, 2.55)
        time.sleep(1.2)  # past the next look
    told = [line for line in alb.log().splitlines() if "heartbeat close to" in line]
    assert len(told) == 1
    told = re.search('group=app heartbeat="(.*) s" idle_timeout="3 s"', told[0])
    assert told and 2.4 <= float(told[1]) < 3


def test_one_well_within_it_is_not_and_words_without_a_pause_are_no_spells(start_alb,
                                                                           start_target):
    target = start_target(Upgraded())
    alb = start_alb(ws_config(target, alb="idle_timeout.timeout_seconds = 9\n"))
    pairs = [open_tunnel(alb, target) for _ in range(25)]
    with all_closed([peer for pair in pairs for peer in pair]):
        beat(pairs, 1.2)
        assert alb.metric(QUIET) == 25
        beat(pairs, 0.1)
        assert alb.metric(QUIET) == 25
        time.sleep(1.2)
    assert "heartbeat close to" not in alb.log()
