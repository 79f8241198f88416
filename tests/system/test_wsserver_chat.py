"""wsserver.v1.json over real sockets: every frame type, every limit, every close code of its own."""

import asyncio
import json

import pytest
import websockets

from chat import PROTOCOL, Chat, within


@pytest.fixture(params=["memory", "sqlite"])
def node(request, start_wsserver, tmp_path):
    return start_wsserver(store=request.param, sqlite_path=tmp_path / "chat.db",
                          sqlite_durability="process")


@pytest.fixture
def memory_node(start_wsserver):
    return start_wsserver()


def test_hello_and_welcome(memory_node):
    async def go():
        async with Chat(memory_node, "alice") as c:
            assert c.ws.subprotocol == PROTOCOL
            assert c.hello["node"] == "n1" and c.hello["conn"].startswith("n1-")
            assert c.hello["ping"] == 25000 and c.hello["limits"] == {"msg": 65536, "ch": 128}
            assert c.welcome["user"] == "alice" and c.welcome["resumed"] == {}
            assert c.welcome["sess"].startswith("s1.") and c.welcome["sess_exp"] == 120000
    asyncio.run(go())


def test_a_message_reaches_all_members_as_the_same_bytes(node):
    async def go():
        async with Chat(node, "alice") as a, Chat(node, "bob") as b:
            first = await a.join()
            assert first["from"] == first["seq"] + 1 == 1
            await b.join()
            ack = await a.publish("lobby", "hi", cid="c-1")
            assert (ack["seq"], ack["dup"]) == (1, False) and ack["ep"] == first["ep"]
            to_a, to_b = await a.next("msg"), await b.next("msg")
            assert to_a == to_b and to_a["d"] == {"text": "hi"} and to_a["cid"] == "c-1"
            assert to_a["from"] == "alice" and to_a["mid"] == ack["mid"]
            await b.publish("lobby", "no cid")
            assert "cid" not in await a.next("msg", seq=2)
    asyncio.run(go())


@pytest.mark.parametrize("value", ['1', '-1.50', '"x\\u0041"', 'null', '[1, 2 ,{"d": 3}]', '{}',
                                   '{"a":"}\\"]","b":{"d":[{}]}}'])
def test_data_comes_as_it_was_written(memory_node, value):
    async def go():
        async with Chat(memory_node, "alice") as c:
            await c.join()
            await c.send('{"t":"pub","ch":"lobby","x":{"d":0}, "d" : %s , "id":9}' % value)
            await c.next("ack", id=9)
            async with websockets.connect(memory_node.url("/ws/lobby"), subprotocols=[PROTOCOL]) as ws:
                await ws.recv()
                await ws.send('{"t":"auth","id":1,"user":"b"}')
                await ws.recv()
                await ws.send('{"t":"sub","id":2,"ch":"lobby","hist":1}')
                await ws.recv()
                assert (await within(ws.recv())).endswith('"d":%s}' % value)
    asyncio.run(go())


def test_a_cid_is_one_message(node):
    async def go():
        async with Chat(node, "alice") as c:
            await c.join()
            first = await c.publish("lobby", "once", cid="same")
            again = await c.publish("lobby", "once", cid="same")
            assert again["dup"] and (again["seq"], again["mid"]) == (first["seq"], first["mid"])
            seen = await c.quiet()
            assert sum(f["t"] == "msg" for f in seen) == 1
    asyncio.run(go())


def test_history_on_joining_and_on_asking(node):
    async def go():
        async with Chat(node, "alice") as a:
            await a.join()
            for i in range(30):
                await a.publish("lobby", str(i))
            async with Chat(node, "bob") as b:
                ok = await b.join(hist=10)
                assert (ok["from"], ok["seq"]) == (21, 30)
                got = [(await b.next("msg"))["seq"] for _ in range(10)]
                assert got == list(range(21, 31))
                page = await b.ask({"t": "hist", "ch": "lobby", "before": 21, "n": 15})
                assert [m["seq"] for m in page["msgs"]] == list(range(6, 21)) and page["more"]
                page = await b.ask({"t": "hist", "ch": "lobby", "before": 6})
                assert [m["seq"] for m in page["msgs"]] == list(range(1, 6)) and not page["more"]
                page = await b.ask({"t": "hist", "ch": "lobby", "n": 1})
                assert [m["seq"] for m in page["msgs"]] == [30]
                again = await b.join(hist=10, pres=True)
                assert again["from"] == again["seq"] + 1
                assert (await b.next("pres"))["full"]
                assert not [f for f in await b.quiet() if f["t"] == "msg"]
    asyncio.run(go())


def test_a_page_of_history_fits_in_a_frame(start_wsserver):
    node = start_wsserver(max_message_bytes=4096)

    async def go():
        async with Chat(node, "alice") as c:
            await c.join()
            for i in range(10):
                await c.publish("lobby", "x" * 1000)
            seen, before = [], 0
            while True:
                page = await c.ask({"t": "hist", "ch": "lobby", "before": before, "n": 100})
                assert len(json.dumps(page, separators=(",", ":"))) <= 4096
                seen = [m["seq"] for m in page["msgs"]] + seen
                before = seen[0]
                if not page["more"]:
                    break
            assert seen == list(range(1, 11))
    asyncio.run(go())


def test_leaving_is_quiet_at_once(memory_node):
    async def go():
        async with Chat(memory_node, "alice") as a, Chat(memory_node, "bob") as b:
            await a.join()
            await b.join()
            assert (await b.ask({"t": "unsub", "ch": "lobby"}))["t"] == "ok"
            assert (await b.ask({"t": "unsub", "ch": "never"}))["t"] == "ok"
            await a.publish("lobby", "gone?")
            assert not [f for f in await b.quiet() if f["t"] == "msg"]
            assert (await b.publish("lobby", "x"))["code"] == "not_sub"
    asyncio.run(go())


def test_requests_may_come_all_at_once(memory_node):
    """What changes where a connection is takes effect for what it sent behind that."""
    async def go():
        async with Chat(memory_node, "alice", auth=False) as c:
            for frame in [{"t": "auth", "id": 1, "user": "alice"},
                          {"t": "sub", "id": 2, "ch": "a", "pres": True},
                          {"t": "pub", "id": 3, "ch": "a", "d": 1},
                          {"t": "unsub", "id": 4, "ch": "a"},
                          {"t": "pub", "id": 5, "ch": "a", "d": 2},
                          {"t": "sub", "id": 6, "ch": "a", "hist": 5}]:
                await c.send(frame)
            assert (await c.next("welcome"))["id"] == 1
            assert (await c.next("ok", id=2))["seq"] == 0
            assert (await c.next("ok", id=4))["ch"] == "a"
            assert (await c.next("err", id=5))["code"] == "not_sub"
            assert (await c.next("ok", id=6))["seq"] in (0, 1)  # stored before or behind it
            assert (await c.next("msg"))["seq"] == 1
    asyncio.run(go())


@pytest.mark.parametrize("frame, code", [
    ("nonsense", "bad_json"), ("[1]", "bad_json"), ('{"t":"sub","t":"sub"}', "bad_json"),
    ('{"id":1}', "bad_type"), ('{"t":"nix","id":1}', "bad_type"), ('{"t":5}', "bad_type"),
    ('{"t":"sub","ch":"a"}', "bad_field"), ('{"t":"sub","id":0,"ch":"a"}', "bad_field"),
    ('{"t":"sub","id":1}', "bad_field"), ('{"t":"sub","id":1,"ch":"a b"}', "bad_ch"),
    ('{"t":"sub","id":1,"ch":"' + "x" * 65 + '"}', "bad_ch"),
    ('{"t":"sub","id":1,"ch":"a","hist":101}', "bad_field"),
    ('{"t":"sub","id":1,"ch":"a","pres":1}', "bad_field"),
    ('{"t":"pub","id":1,"ch":"lobby"}', "bad_field"),
    ('{"t":"pub","id":1,"ch":"lobby","cid":"","d":1}', "bad_field"),
    ('{"t":"pub","id":1,"ch":"nowhere","d":1}', "not_sub"),
    ('{"t":"hist","id":1,"ch":"nowhere"}', "not_sub"),
    ('{"t":"pub","id":1,"ch":"lobby","d":"' + "x" * 65450 + '"}', "too_big"),
    ('{"t":"ping"}', "bad_field"),
])
def test_errors_leave_the_connection(memory_node, frame, code):
    async def go():
        async with Chat(memory_node, "alice") as c:
            await c.join()
            await c.send(frame)
            err = await c.next("err")
            assert err["code"] == code and err["temp"] is False and err["msg"]
            assert (err.get("id") == 1) == ('"id":1' in frame)
            assert (await c.publish("lobby", "still here"))["t"] == "ack"
    asyncio.run(go())


def test_too_many_channels(memory_node):
    async def go():
        async with Chat(memory_node, "alice") as c:
            for i in range(128):
                assert (await c.join(f"c{i}"))["t"] == "ok"
            assert (await c.join("one-more"))["code"] == "limit"
            assert (await c.join("c5"))["t"] == "ok"
            await c.ask({"t": "unsub", "ch": "c0"})
            assert (await c.join("one-more"))["t"] == "ok"
    asyncio.run(go())


@pytest.mark.parametrize("frame, code", [
    ('{"t":"sub","id":1,"ch":"a"}', 4000), ("garbage", 4000), ('{"t":"ping","ts":1}', 4000),
    ('{"t":"auth","id":1,"user":""}', 4001), ('{"t":"auth","id":1}', 4001),
    ('{"t":"auth","id":1,"user":"a\\nb"}', 4001),
    ('{"t":"auth","id":1,"user":"' + "x" * 65 + '"}', 4001),
    (b"binary", 1003), ("x" * 65537, 1009),
])
def test_closes_before_auth(memory_node, frame, code):
    async def go():
        async with Chat(memory_node, "alice", auth=False) as c:
            await c.ws.send(frame)
            assert (await c.closed())[0] == code
    asyncio.run(go())


def test_a_second_auth_is_fatal(memory_node):
    async def go():
        async with Chat(memory_node, "alice") as c:
            await c.send({"t": "auth", "id": 2, "user": "alice"})
            assert (await c.closed())[0] == 4000
    asyncio.run(go())


def test_bye(memory_node):
    async def go():
        async with Chat(memory_node, "alice") as c:
            await c.send({"t": "bye"})
            assert (await c.closed())[0] == 1000
    asyncio.run(go())


async def users(c, want):
    """Wait until the presence list of the lobby is this, adding differences up."""
    have, rev = {}, None
    while have != want:
        f = await c.next("pres", ch="lobby")
        if f.get("full"):
            have = {u: v["n"] for u, v in f["u"].items()}
        else:
            assert rev is None or f["rev"] == rev + 1
            have.update({u: v["n"] for u, v in {**f.get("j", {}), **f.get("c", {})}.items()})
            for gone in f.get("l", []):
                del have[gone]
        rev = f["rev"]


def test_presence(node):
    async def go():
        async with Chat(node, "alice") as a:
            await a.join(pres=True)
            await users(a, {"alice": 1})
            b = await Chat(node, "bob").open()
            await b.join()
            await users_from(a, {"alice": 1}, {"alice": 1, "bob": 1})
            b2 = await Chat(node, "bob").open()
            await b2.join()
            await users_from(a, {"alice": 1, "bob": 1}, {"alice": 1, "bob": 2})
            await b.close()
            await users_from(a, {"alice": 1, "bob": 2}, {"alice": 1, "bob": 1})
            await b2.ask({"t": "unsub", "ch": "lobby"})
            await users_from(a, {"alice": 1, "bob": 1}, {"alice": 1})
            await b2.close()
    asyncio.run(go())


async def users_from(c, have, want):
    while have != want:
        f = await c.next("pres", ch="lobby")
        have.update({u: v["n"] for u, v in {**f.get("j", {}), **f.get("c", {})}.items()})
        for gone in f.get("l", []):
            del have[gone]


def test_bare_text(memory_node):
    async def go():
        async with Chat(memory_node, "alice") as a:
            await a.join(pres=True)
            url = memory_node.url("/ws/lobby?name=b%C3%B6b")
            async with websockets.connect(url) as bob, \
                    websockets.connect(memory_node.url("/ws/lobby")) as guest:
                await bob.send('hello "all"')
                assert await within(bob.recv()) == 'böb: hello "all"'
                assert await within(guest.recv()) == 'böb: hello "all"'
                message = await a.next("msg")
                assert (message["from"], message["d"]) == ("böb", {"text": 'hello "all"'})
                await users(a, {"alice": 1, "böb": 1, "guest": 1})
                await a.send({"t": "pub", "id": 50, "ch": "lobby", "d": [1, {"x": "y"}]})
                assert await within(bob.recv()) == 'alice: [1,{"x":"y"}]'
                await bob.send("x" * 65536)
                assert (await within(bob.recv())).startswith("! ")
                await bob.send(b"binary")
                with pytest.raises(websockets.ConnectionClosed):
                    await within(bob.recv())
                assert bob.close_code == 1003
            with pytest.raises(websockets.ConnectionClosed):
                async with websockets.connect(memory_node.url("/ws/lobby?name=a%00b")) as bad:
                    await within(bad.recv())
            assert bad.close_code == 4001
    asyncio.run(go())


def test_hundreds_in_one_room(start_wsserver):
    node = start_wsserver()

    async def go():
        clients = await asyncio.gather(*[Chat(node, f"u{i}").open() for i in range(300)])
        await asyncio.gather(*[c.join() for c in clients])
        acks = await asyncio.gather(*[c.publish("lobby", "all at once") for c in clients[:50]])
        assert sorted(a["seq"] for a in acks) == list(range(1, 51))
        for c in clients:
            assert [(await c.next("msg"))["seq"] for _ in range(50)] == list(range(1, 51))
        await asyncio.gather(*[c.close() for c in clients])
    asyncio.run(go())
    assert node.metric("wsserver_deliveries_total") == 300 * 50
