"""Replacing an instance: its power button sends its clients to another one, where they go on."""

import asyncio
import re
import time

import machines

ROOM = "elsewhere"


async def _until_ready_is_503(health):
    begin = time.monotonic()
    while True:
        answer = await asyncio.to_thread(health.get, "/ready")
        if answer is None or answer[0] == 503:
            return answer
        assert time.monotonic() - begin < 60


async def _move(old, new, health, press):
    async with new.chat("bob", ROOM) as bob:
        at = await bob.join(ROOM)
        alice = await old.chat("alice", ROOM).open()
        joined = await alice.join(ROOM)
        await bob.publish(ROOM, "before")
        seen = await alice.next("msg")
        press()
        ready = await _until_ready_is_503(health)
        code, reason = await alice.closed(60)
        await bob.publish(ROOM, "meanwhile")
        resume = {"sess": alice.sess, "pos": {ROOM: [joined["ep"], seen["seq"]]}}
        async with new.chat("alice", ROOM, resume=resume) as again:
            missed = await again.next("msg")
            return {"ready": ready, "close": (code, reason), "missed": missed["d"]["text"],
                    "resumed": again.welcome["resumed"], "at": at}


def test_a_client_lands_on_the_other_machine_and_misses_nothing(bios, uefi):
    old, new = machines.serves(bios), machines.serves(uefi)
    machines.facts(bios)
    outcome = asyncio.run(_move(old, new, machines.Door(bios, "health"), bios.press_power_button))
    assert outcome["ready"] and outcome["ready"][0] == 503
    assert outcome["close"][0] == 1012 and re.fullmatch(r"restart;after=\d+", outcome["close"][1])
    assert outcome["missed"] == "meanwhile" and ROOM in outcome["resumed"]
    assert bios.wait_off() == 0
