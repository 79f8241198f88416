"""What was missed is sent again, or its loss is said; presence does not flap meanwhile."""

import asyncio
import json
import sqlite3

import pytest

from chat import Chat


@pytest.fixture
def node(start_wsserver, tmp_path):
    return start_wsserver(store="sqlite", sqlite_path=tmp_path / "chat.db",
                          sqlite_durability="process", history_messages=512)


def position(ok):
    return [ok["ep"], ok["from"] - 1]


async def resumed(c, ch):
    """The outcome, and the seqs that follow it."""
    outcome = c.welcome["resumed"][ch]
    seqs = []
    for want in range(outcome["from"], outcome["to"] + 1):
        seqs.append((await c.next("msg", ch=ch, seq=want))["seq"])
    return outcome, seqs


def test_what_was_missed_follows_the_welcome(node):
    async def go():
        a = await Chat(node, "alice").open()
        pos = position(await a.join())
        empty = position(await a.join("empty"))
        async with Chat(node, "bob") as b:
            await b.join()
            await b.join("empty")
            await b.publish("lobby", "seen")
            pos[1] = (await a.next("msg"))["seq"]
            a.cut()
            for i in range(20):
                await b.publish("lobby", str(i))
            again = {"sess": a.sess, "pos": {"lobby": pos, "empty": empty}}
            async with Chat(node, "alice", resume=again) as a2:
                outcome, seqs = await resumed(a2, "lobby")
                assert outcome["ok"] and seqs == list(range(2, 22)) and outcome["from"] == 2
                assert (await a2.next("pres", ch="lobby"))["full"]
                assert await resumed(a2, "empty") == (
                    {"ok": True, "ep": empty[0], "from": 1, "to": 0}, [])
                await b.publish("lobby", "live")
                assert (await a2.next("msg"))["seq"] == 22
                assert (await a2.publish("empty", "joined"))["t"] == "ack"
    asyncio.run(go())


def test_nothing_is_missed_while_others_publish(node):
    """Resume in the middle of a stream of messages: no hole, no double."""
    async def go():
        async with Chat(node, "bob") as b:
            pos = position(await b.join())
            stop = False

            async def publish():
                n = 0
                while not stop:
                    await b.publish("lobby", "x")
                    n += 1
                return n
            publisher = asyncio.create_task(publish())
            for i in range(20):
                async with Chat(node, f"u{i}", resume={"pos": {"lobby": pos}}) as c:
                    assert c.welcome["resumed"]["lobby"]["ok"]
                    for want in range(pos[1] + 1, c.welcome["resumed"]["lobby"]["to"] + 5):
                        assert (await c.next("msg"))["seq"] == want
                        pos = [pos[0], want]
            stop = True
            await publisher
    asyncio.run(go())


def test_presence_does_not_flap(node):
    async def go():
        async with Chat(node, "eve") as eve:
            await eve.join(pres=True)
            await eve.next("pres")
            a = await Chat(node, "alice").open()
            pos = position(await a.join())
            await eve.next("pres")
            a.cut()
            async with Chat(node, "alice", resume={"sess": a.sess, "pos": {"lobby": pos}}) as a2:
                assert a2.sess != "" and a2.welcome["resumed"]["lobby"]["ok"]
                await eve.publish("lobby", "still here")
                # Longer than differences are gathered for.
                await asyncio.sleep(0.6)
                assert not [f for f in await eve.quiet() if f["t"] == "pres" and f.get("l")]
            gone = await eve.next("pres", l=["alice"])
            assert gone
    asyncio.run(go())


def test_what_is_gone_is_said(node):
    async def go():
        async with Chat(node, "alice") as a:
            pos = position(await a.join())
            for i in range(600):
                await a.send({"t": "pub", "id": i + 100, "ch": "lobby", "d": i})
            await a.next("ack", id=699)
            asked = {"lobby": pos, "other": ["nope", 3], "bad name": ["e", 1], "worse": "x",
                     "ahead": [pos[0], 5]}
            lost = {**asked, "lobby": [pos[0], 10 ** 6]}
            for positions in (asked, lost):
                async with Chat(node, "bob", resume={"pos": positions}) as b:
                    got = b.welcome["resumed"]
                    assert got["lobby"]["why"] == "gap" and got["lobby"]["have"][1] == 600
                    assert got["lobby"]["have"][0] > 1
                    assert got["other"]["why"] == got["ahead"]["why"] == "epoch"
                    assert got["other"]["have"] == [1, 0] and got["other"]["ep"] != "nope"
                    assert got["bad name"] == got["worse"] == {"ok": False, "why": "bad_ch"}
                    assert (await b.publish("lobby", "x"))["code"] == "not_sub"
                    assert (await b.join(hist=1))["t"] == "ok"
    asyncio.run(go())


def test_too_many_channels_in_a_resume(node):
    async def go():
        pos = {f"c{i}": ["x", 0] for i in range(130)}
        async with Chat(node, "alice", resume={"pos": pos}) as a:
            whys = [r["why"] for r in a.welcome["resumed"].values()]
            assert len(whys) == 130 and whys.count("limit") == 2
    asyncio.run(go())


def test_tokens_of_others_are_not_used(node):
    async def go():
        async with Chat(node, "eve") as eve, Chat(node, "alice") as a:
            await eve.join(pres=True)
            for user, sess in (("mallory", a.sess), ("alice", "s1.x.y"), ("alice", a.sess[:-1])):
                async with Chat(node, user, resume={"sess": sess}) as m:
                    assert m.welcome["resumed"] == {}
                    assert m.sess.split(".")[1] != a.sess.split(".")[1]
            async with Chat(node, "alice", resume={"sess": a.sess}) as again:
                assert again.sess.split(".")[1] == a.sess.split(".")[1]
    asyncio.run(go())


def test_acked_messages_survive_kill_9(start_wsserver, tmp_path):
    async def before(node):
        c = await Chat(node, "alice").open()
        pos = position(await c.join())
        for i in range(10):
            assert (await c.publish("lobby", str(i)))["dur"] == "disk"
        return pos

    async def after(node, pos):
        async with Chat(node, "alice", resume={"pos": {"lobby": pos}}) as c:
            outcome, seqs = await resumed(c, "lobby")
            assert outcome["ok"] and seqs == list(range(1, 11))

    node = start_wsserver(store="sqlite", sqlite_path=tmp_path / "kept.db")
    pos = asyncio.run(before(node))
    node.kill()
    node.start()
    asyncio.run(after(node, pos))


def test_memory_says_so_when_it_forgot(start_wsserver):
    async def before(node):
        async with Chat(node, "alice") as c:
            pos = position(await c.join())
            assert (await c.publish("lobby", "x"))["dur"] == "mem"
            return pos

    async def after(node, pos):
        async with Chat(node, "alice", resume={"pos": {"lobby": pos}}) as c:
            assert c.welcome["resumed"]["lobby"]["why"] == "epoch"

    node = start_wsserver()
    pos = asyncio.run(before(node))
    node.stop()
    node.start()
    asyncio.run(after(node, pos))


def test_two_nodes_of_one_database_are_one_chat(start_wsserver, tmp_path):
    db = {"store": "sqlite", "sqlite_path": tmp_path / "two.db", "sqlite_durability": "process"}
    n1, n2 = start_wsserver("n1", **db), start_wsserver("n2", **db)

    async def go():
        async with Chat(n1, "alice") as a:
            pos = position(await a.join(pres=True))
            b = await Chat(n2, "bob").open()
            await b.join()
            await b.publish("lobby", "from n2", cid="c")
            assert (await a.next("msg"))["from"] == "bob"
            while "bob" not in json.dumps(await a.next("pres")):
                pass
            # A session moves to the other node with its token.
            async with Chat(n1, "bob", resume={"sess": b.sess, "pos": {"lobby": pos}}) as b2:
                assert b2.sess.split(".")[1] == b.sess.split(".")[1]
                assert (await b2.next("msg"))["seq"] == 1
                await b.close(4200)
                ack = await b2.publish("lobby", "again", cid="c")
                assert ack["dup"] and ack["seq"] == 1
    asyncio.run(go())


def test_a_store_that_fails_costs_no_connection(start_wsserver, tmp_path):
    path = tmp_path / "locked.db"
    node = start_wsserver(store="sqlite", sqlite_path=path, sqlite_durability="process")

    async def go():
        async with Chat(node, "alice") as c:
            await c.join()
            with sqlite3.connect(path, isolation_level=None) as db:
                db.execute("BEGIN IMMEDIATE")
                err = await c.publish("lobby", "x", cid="c")
                assert err["code"] == "unavailable" and err["temp"] and err["retry"] > 0
                assert node.get("/ready")[0] == 200
                db.execute("ROLLBACK")
            ack = await c.publish("lobby", "x", cid="c")
            assert ack["t"] == "ack" and not ack["dup"]
    asyncio.run(go())
