"""docs/protocol.md against the server: what the page shows is sent as it stands, and what the server says is as shown."""

import asyncio
import json
import re
import signal
import sqlite3

from chat import Chat
from harness import ROOT

# Fields whose value is a map: its keys are names, its values all have one of the forms shown.
MAPS = ("resumed", "u", "j", "c")
# A difference of presence leaves out what is empty, a message the cid that it was not given.
MAY_BE_ABSENT = ("j", "l", "c", "cid")


def examples(mark):
    """The frames of one direction, in the order of the page."""
    page = (ROOT / "docs/protocol.md").read_text()
    frames = re.findall(rf"^{mark} (\{{.*(?:\n   .*)*)", page, re.M)
    assert len(frames) > 7
    return [json.loads(text) for text in frames]


SENT, SHOWN = examples(">"), examples("<")
MESSAGE = next(f for f in SHOWN if f["t"] == "msg")


def is_as_shown(got, shown, key=None):
    """The same fields in the same order, of the same types."""
    if type(got) is not type(shown):
        return False
    if key in MAPS:
        return all(any(is_as_shown(g, s) for s in shown.values()) for g in got.values())
    if key == "msgs":
        return all(is_as_shown(g, MESSAGE) for g in got)
    if isinstance(got, dict) and key != "d":
        wanted = [k for k in shown if k in got or k not in MAY_BE_ABSENT]
        return list(got) == wanted and all(is_as_shown(got[k], shown[k], k) for k in got)
    return True


class Walker(Chat):
    """Keeps what it hears, all connections together, and minds what holds for each frame."""

    heard = []

    async def open(self):
        self.mine, self.places = [], {}
        return await super().open()

    async def find(self, is_it):
        def hear(frame):
            if not any(frame is known for known in self.mine):
                self.note(frame)
            return is_it(frame)
        return await super().find(hear)

    def note(self, frame):
        self.mine.append(frame)
        self.heard.append(frame)
        if frame["t"] in ("pres", "msg"):
            place = (frame["t"], frame["ch"])
            now = frame["rev" if frame["t"] == "pres" else "seq"]
            assert frame.get("full") or self.places.get(place, now - 1) == now - 1, frame
            self.places[place] = now

    async def say(self, kind, which=0, **changes):
        """Send a frame of the page; its reply, if it has one."""
        frame = [f for f in SENT if f["t"] == kind][which]
        await self.send({**frame, **changes})
        if "id" in frame:
            return await self.find(lambda f: f.get("id") == frame["id"])


async def fill(node, ch):
    """More messages than the server keeps."""
    async with Chat(node, "filler") as c:
        ok = await c.join(ch)
        for i in range(600):
            await c.send({"t": "pub", "id": i + 100, "ch": ch, "d": i})
        await c.next("ack", id=699)
        return ok["ep"]


async def change_presence(node, alice):
    """Eve comes, carl goes, bob has one window less."""
    bob, bob2, carl, eve = [Chat(node, user) for user in ("bob", "bob", "carl", "eve")]
    for c in (bob, bob2, carl):
        await c.open()
        await c.join()
    await alice.find(lambda f: f["t"] == "pres" and "carl" in f.get("j", {}))
    await eve.open()
    await asyncio.gather(eve.join(), carl.close(), bob2.close())
    changes = {"j", "l", "c"}
    while changes:
        changes -= (await alice.next("pres")).keys()
    await asyncio.gather(bob.close(), eve.close())


async def first_life(node, path):
    """Everything but resume and drain; alice as she was when her cable was pulled."""
    alice = await Walker(node, "alice", auth=False).open()
    welcome = await alice.say("auth")
    assert (await alice.say("pub"))["code"] == "not_sub"
    ok = await alice.say("sub")
    assert (ok["from"], ok["seq"]) == (1, 0)
    await alice.next("pres", full=True)
    ack = await alice.say("pub")
    assert (await alice.next("msg"))["seq"] == ack["seq"] == 1
    assert (await alice.say("pub"))["dup"]
    await change_presence(node, alice)
    assert len((await alice.say("hist"))["msgs"]) == 1
    ping = await alice.next("ping")
    await alice.say("pong", ts=ping["ts"])
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        assert (await alice.say("pub", cid="another"))["code"] == "unavailable"
        db.execute("ROLLBACK")
    alice.cut()
    return welcome["sess"], ok["ep"]


async def second_life(node, sess, pos):
    async with Walker(node, "alice", auth=False) as alice:
        welcome = await alice.say("auth", 1, resume={"sess": sess, "pos": pos})
        lobby, dev = welcome["resumed"]["lobby"], welcome["resumed"]["dev"]
        assert (lobby["ok"], lobby["from"], lobby["to"]) == (True, 1, 1)
        assert (dev["ok"], dev["why"]) == (False, "gap")
        assert (await alice.next("msg"))["seq"] == 1
        await alice.next("pres", full=True)
        assert (await alice.say("unsub"))["t"] == "ok"
        node.signal(signal.SIGTERM)
        await alice.next("drain")
        await alice.say("bye")
        assert (await alice.closed())[0] == 1000


def test_the_page_tells_the_truth(start_wsserver, tmp_path):
    path = tmp_path / "chat.db"
    node = start_wsserver(store="sqlite", sqlite_path=path, history_messages=512,
                          ping_interval="200ms")
    Walker.heard = []

    async def go():
        dev = await fill(node, "dev")
        sess, ep = await first_life(node, path)
        async with Walker(node, "alice", auth=False) as other:
            welcome = await other.say("auth", 1)  # positions and token of the page are of no log here
            assert {r["why"] for r in welcome["resumed"].values()} == {"epoch"}
        await second_life(node, sess, {"lobby": [ep, 0], "dev": [dev, 0]})
    asyncio.run(go())
    for frame in Walker.heard:
        assert any(is_as_shown(frame, shown) for shown in SHOWN if shown["t"] == frame["t"]), frame
    for shown in SHOWN:
        assert any(is_as_shown(frame, shown) for frame in Walker.heard
                   if shown["t"] == frame["t"]), shown
    assert node.wait() == 0
