"""fake_server.py -- a chat server with faults on demand, for testing clients of wsserver.v1.json.

It speaks docs/protocol.md from one process and one port, and serves the demo page with the strict
content security policy. "Nodes" are only names: a fault changes the name that new connections see.

    python3 fake_server.py [PORT]          prints the port that it listens on, then serves

Faults are plain GET requests:

    /fault/kill?node=n2                    cut every connection without a word; the next node is n2
    /fault/close?code=4001&reason=...      close every connection
    /fault/drain?after=100&node=n2         send drain to all; they are closed 1012 two seconds later
    /fault/refuse?status=503&text=...      refuse upgrades (status 0: accept again)
    /fault/forget?room=R&keep=3            drop all but the last messages of the log
    /fault/epoch?room=R                    start a new log
    /fault/next?how=HOW                    what happens to the next publish:
                                             dup, hole, swap    the msg goes out twice, not at all, after the one behind it
                                             unacked            stored, then every connection is cut before the ack
                                             lost               not stored, then every connection is cut
                                             busy, refused      err unavailable (temp), err too_big
    /fault/mute                            say nothing more on the connections of now
    /say?room=R&from=bob&text=...          publish from outside
    /seen                                  every frame that came from clients, as JSON
"""

import asyncio
import http
import itertools
import json
import pathlib
import re
import sys
import time
from urllib.parse import parse_qs, unquote, urlsplit

import websockets

PAGE = pathlib.Path(__file__).resolve().parents[2] / "wsserver" / "page"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
ROOM = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
GRACE_S = 2
counter = itertools.count(1)


class Room:
    def __init__(self, name):
        self.name = name
        self.ep = f"E{next(counter)}"
        self.log = []  # msg frames
        self.seq = 0
        self.cids = {}  # (user, cid) -> msg frame
        self.members = {}  # sess -> user
        self.shown = {}  # presence as it was last told

    def lowest(self):
        return self.log[0]["seq"] if self.log else self.seq + 1

    def after(self, seq):
        return [m for m in self.log if m["seq"] > seq]

    def store(self, user, cid, d):
        if cid and (user, cid) in self.cids:
            return self.cids[user, cid], True
        self.seq += 1
        m = {"t": "msg", "ch": self.name, "ep": self.ep, "seq": self.seq, "mid": f"m{next(counter)}",
             "from": user, "ts": int(time.time() * 1000), "d": d}
        if cid:
            m["cid"] = cid
            self.cids[user, cid] = m
        self.log.append(m)
        return m, False

    def resumed(self, ep, seq):
        if ep == self.ep and self.lowest() - 1 <= seq <= self.seq:
            return {"ok": True, "ep": ep, "from": seq + 1, "to": self.seq}
        have = [self.lowest(), self.seq] if self.log else [1, 0]
        return {"ok": False, "why": "gap" if ep == self.ep else "epoch", "ep": self.ep, "have": have}

    def counts(self):
        users = {}
        for user in self.members.values():
            users[user] = {"n": users.get(user, {"n": 0})["n"] + 1}
        return users


class Connection:
    def __init__(self, server, ws, node):
        self.server, self.ws, self.node = server, ws, node
        self.user = self.sess = None
        self.joined = {}  # room name -> presence wanted
        self.revs = {}
        self.muted = self.left = False

    async def send(self, frame):
        if not self.muted and self.ws.open:
            await self.ws.send(json.dumps(frame, separators=(",", ":")))

    async def presence(self, room, full=True, **diff):
        if not self.joined.get(room.name):
            return
        rev = self.revs[room.name] = self.revs.get(room.name, 0) + 1
        told = {"full": True, "u": room.counts()} if full else {k: v for k, v in diff.items() if v}
        await self.send({"t": "pres", "ch": room.name, "rev": rev, **told})

    async def serve(self):
        await self.send({"t": "hello", "proto": "wsserver.v1.json", "node": self.node,
                         "conn": f"{self.node}-{next(counter)}", "ping": 25000,
                         "limits": {"msg": 65536, "ch": 128}, "resume_ttl": 120000, "ts": 0})
        async for text in self.ws:
            frame = json.loads(text)
            self.server.seen.append(frame)
            handler = getattr(self, "on_" + frame["t"], None)
            if self.user is None and frame["t"] != "auth":
                await self.ws.close(4000, "auth first")
            elif handler:
                await handler(frame)
            else:
                await self.send({"t": "err", "id": frame.get("id"), "code": "bad_type", "temp": False, "msg": "?"})

    async def on_auth(self, f):
        self.user = f["user"]
        resume = f.get("resume", {})
        self.sess = f"s1.{next(counter)}"
        resumed, missed = {}, []
        for name, (ep, seq) in resume.get("pos", {}).items():
            room = self.server.room(name)
            resumed[name] = room.resumed(ep, seq)
            if resumed[name]["ok"]:
                missed += room.after(seq)
                self.joined[name] = True
        for room in self.server.rooms.values():
            room.members.pop(resume.get("sess"), None)
            if room.name in self.joined:
                room.members[self.sess] = self.user
        await self.send({"t": "welcome", "id": f["id"], "user": self.user, "sess": self.sess,
                         "sess_exp": 120000, "resumed": resumed})
        for m in missed:
            await self.send(m)
        for name in self.joined:
            await self.presence(self.server.room(name))
            await self.server.presence(self.server.room(name))

    async def on_sub(self, f):
        room = self.server.room(f["ch"])
        known = room.name in self.joined
        history = [] if known else room.log[-f["hist"]:] if f.get("hist") else []
        self.joined[room.name] = f.get("pres", False)
        room.members[self.sess] = self.user
        start = history[0]["seq"] if history else room.seq + 1
        await self.send({"t": "ok", "id": f["id"], "ch": room.name, "ep": room.ep, "from": start, "seq": room.seq})
        for m in history:
            await self.send(m)
        await self.presence(room)
        await self.server.presence(room, but=self)

    async def on_unsub(self, f):
        self.joined.pop(f["ch"], None)
        self.server.room(f["ch"]).members.pop(self.sess, None)
        await self.send({"t": "ok", "id": f["id"], "ch": f["ch"]})
        await self.server.presence(self.server.room(f["ch"]))

    async def on_pub(self, f):
        how, self.server.next = self.server.next, ""
        errors = {"busy": ("unavailable", True), "refused": ("too_big", False)}
        if how in errors:
            code, temp = errors[how]
            await self.send({"t": "err", "id": f["id"], "code": code, "temp": temp, "retry": 100, "msg": "as you asked"})
            return
        if how == "lost":
            self.server.cut("n2")
            return
        room = self.server.room(f["ch"])
        m, dup = room.store(self.user, f.get("cid"), f["d"])
        if how == "unacked":
            self.server.cut("n2")
            return
        await self.send({"t": "ack", "id": f["id"], "ch": room.name, "ep": m["ep"], "seq": m["seq"],
                         "mid": m["mid"], "dup": dup, "dur": "mem"})
        if not dup:
            await self.server.fan_out(room, m, how)

    async def on_hist(self, f):
        room = self.server.room(f["ch"])
        older = [m for m in room.log if m["seq"] < (f.get("before") or room.seq + 1)]
        msgs = older[-f.get("n", 50):]
        await self.send({"t": "hist", "id": f["id"], "ch": room.name, "ep": room.ep, "msgs": msgs,
                         "more": len(older) > len(msgs)})

    async def on_ping(self, f):
        await self.send({"t": "pong", "ts": f["ts"]})

    async def on_pong(self, f):
        pass

    async def on_bye(self, _f):
        self.left = True
        await self.ws.close(1000, "bye")

    async def gone(self):
        if not self.left and self.ws.close_code != 1000:
            await asyncio.sleep(GRACE_S)
        for room in self.server.rooms.values():
            if room.members.pop(self.sess, None):
                await self.server.presence(room)


class Server:
    def __init__(self):
        self.rooms = {}
        self.connections = set()
        self.node = "n1"
        self.refusal = (0, "")
        self.next = ""
        self.held = None
        self.seen = []

    def room(self, name):
        return self.rooms.setdefault(name, Room(name))

    async def fan_out(self, room, m, how=""):
        if how == "hole":
            return
        if how == "swap":
            self.held = m
            return
        held, self.held = self.held, None
        for c in [c for c in self.connections if room.name in c.joined]:
            for copy in [m] * (2 if how == "dup" else 1) + ([held] if held else []):
                await c.send(copy)

    async def presence(self, room, but=None):
        before, now = room.shown, room.counts()
        room.shown = now
        joined = {u: n for u, n in now.items() if u not in before}
        left = [u for u in before if u not in now]
        changed = {u: n for u, n in now.items() if u in before and before[u] != n}
        if joined or left or changed:
            for c in self.connections - {but}:
                await c.presence(room, full=False, j=joined, l=left, c=changed)

    def cut(self, node):
        self.node = node
        for c in list(self.connections):
            c.ws.transport.abort()

    async def fault(self, name, q):
        if name == "kill":
            self.cut(q["node"])
        elif name == "close":
            await asyncio.gather(*[c.ws.close(int(q["code"]), q.get("reason", "")) for c in self.connections])
        elif name == "drain":
            self.node = q["node"]
            for c in list(self.connections):
                await c.send({"t": "drain", "after": int(q["after"]), "by": 2000, "why": "restart"})
                asyncio.get_running_loop().call_later(
                    2, lambda ws=c.ws: asyncio.ensure_future(ws.close(1012, "restart")))
        elif name == "refuse":
            self.refusal = (int(q["status"]), q.get("text", ""))
        elif name == "forget":
            room = self.room(q["room"])
            room.log = room.log[-int(q["keep"]):] if int(q["keep"]) else []
        elif name == "epoch":
            self.rooms[q["room"]] = Room(q["room"])
        elif name == "next":
            self.next = q["how"]
        elif name == "mute":
            for c in self.connections:
                c.muted = True
        else:
            return 404, f"no fault {name}"
        return 200, "done"

    async def plain(self, path, headers):
        """Answer what is no WebSocket; None lets the upgrade go on."""
        url = urlsplit(path)
        q = {k: v[0] for k, v in parse_qs(url.query).items()}
        where = unquote(url.path)
        if where.startswith("/ws/"):
            if self.refusal[0]:
                return self.text(*self.refusal)
            if not ROOM.fullmatch(where[4:]):
                return self.text(400, "not a channel name\nuse [A-Za-z0-9_.:-], 1 to 64 of them")
            if "websocket" not in headers.get("Upgrade", "").lower():
                return self.text(426, "this path speaks WebSocket and no Upgrade header came\n"
                                      "let whatever stands in front forward Upgrade and Connection")
            return None
        if where.startswith("/fault/"):
            return self.text(*await self.fault(where[7:], q))
        if where == "/say":
            room = self.room(q["room"])
            m, _ = room.store(q["from"], None, {"text": q["text"]})
            await self.fan_out(room, m)
            return self.text(200, str(m["seq"]))
        if where == "/seen":
            return self.text(200, json.dumps(self.seen))
        return self.page(where)

    def page(self, where):
        file = PAGE / (where.lstrip("/") or "index.html")
        if file.parent != PAGE or not file.is_file():
            return self.text(404, "no such page")
        return http.HTTPStatus.OK, [("Content-Type", TYPES[file.suffix]), ("Content-Security-Policy", "default-src 'self'"),
                     ("Cache-Control", "no-store")], file.read_bytes()

    @staticmethod
    def text(status, body):
        return http.HTTPStatus(status), [("Content-Type", "text/plain; charset=utf-8")], body.encode() + b"\n"

    async def websocket(self, ws, _path):
        connection = Connection(self, ws, self.node)
        self.connections.add(connection)
        try:
            await connection.serve()
        except websockets.ConnectionClosed:
            pass
        finally:
            self.connections.discard(connection)
            await connection.gone()


async def main():
    server = Server()
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    async with websockets.serve(server.websocket, "127.0.0.1", port, subprotocols=["wsserver.v1.json"],
                                process_request=server.plain, ping_interval=None) as listener:
        print(listener.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main())
