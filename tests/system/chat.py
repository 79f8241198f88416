"""A client of wsserver.v1.json for tests, and a chat server to talk to.

    async with Chat(node, "alice") as alice:
        await alice.join("lobby")
        ack = await alice.publish("lobby", "hi", cid="c1")
        message = await alice.next("msg")
"""

import asyncio
import contextlib
import itertools
import json
import pathlib
import urllib.error
import urllib.request

import websockets

from harness import BIN, PATIENCE, Process

PROTOCOL = "wsserver.v1.json"


class Wsserver(Process):
    """A running node. Settings are keywords; `sqlite_path` and `test_enabled` name a section."""

    def __init__(self, folder, name="n1", **settings):
        folder = pathlib.Path(folder)
        self.path = folder / f"{name}.ini"
        known = {"bind": "127.0.0.1:0", "node": name, "workers": 2, "store": "memory",
                 "shutdown_timeout": "2s", "test_enabled": "yes", **settings}
        sections = {"wsserver": [], "sqlite": [], "test": []}
        for key, value in known.items():
            section, _, rest = key.partition("_")
            named = section in ("sqlite", "test")
            sections[section if named else "wsserver"].append(f"{rest if named else key} = {value}")
        self.path.write_text("".join(f"[{s}]\n" + "\n".join(rows) + "\n"
                                     for s, rows in sections.items()))
        super().__init__(folder, name, BIN / "wsserver", "run", self.path, "--ready-file",
                         folder / f"{name}.ready")

    @property
    def address(self):
        return self.ready["listen"]

    def url(self, path, scheme="ws"):
        return f"{scheme}://{self.address}{path}"

    def get(self, path, method="GET", headers=None):
        """(status, headers, text)"""
        request = urllib.request.Request(self.url(path, "http"), method=method,
                                         headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=10 * PATIENCE) as r:
                return r.status, r.headers, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read().decode()

    def metric(self, name):
        text = self.get("/metrics")[2]
        values = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith(name)]
        return sum(float(v) for n, v in values if n == name or n.startswith(name + "{"))


def within(awaitable, seconds=10):
    return asyncio.wait_for(awaitable, seconds * PATIENCE)


class Chat:
    """One connection. Frames that nobody has asked for yet wait, in order."""

    def __init__(self, node, user, room="lobby", resume=None, auth=True, **options):
        self.node, self.user, self.room, self.resume, self.auth = node, user, room, resume, auth
        self.options = {"ping_interval": None, "max_size": None, **options}
        self.ids = itertools.count(1)
        self.waiting = []

    async def open(self):
        self.ws = await within(websockets.connect(self.node.url(f"/ws/{self.room}"),
                                                  subprotocols=[PROTOCOL], **self.options))
        self.hello = await self.next("hello")
        if self.auth:
            resume = {"resume": self.resume} if self.resume is not None else {}
            self.welcome = await self.ask({"t": "auth", "user": self.user, **resume})
            self.sess = self.welcome["sess"]
        return self

    async def __aenter__(self):
        return await self.open()

    async def __aexit__(self, *_):
        await self.close()

    async def close(self, code=1000):
        await within(self.ws.close(code))

    def cut(self):
        """As a cable that is pulled: no Close, nothing."""
        self.ws.transport.abort()

    async def send(self, frame):
        await within(self.ws.send(frame if isinstance(frame, str) else json.dumps(frame)))

    async def find(self, is_it):
        for i, frame in enumerate(self.waiting):
            if is_it(frame):
                return self.waiting.pop(i)
        while True:
            frame = json.loads(await within(self.ws.recv()))
            if is_it(frame):
                return frame
            self.waiting.append(frame)

    async def next(self, kind, **fields):
        """The next frame of that type (and with these fields)."""
        return await self.find(lambda f: f["t"] == kind and
                               all(f.get(k) == v for k, v in fields.items()))

    async def ask(self, frame):
        """Send a request; its one reply."""
        number = next(self.ids)
        await self.send({**frame, "id": number})
        return await self.find(lambda f: f.get("id") == number)

    async def join(self, ch="lobby", **fields):
        return await self.ask({"t": "sub", "ch": ch, **fields})

    async def publish(self, ch, text, **fields):
        return await self.ask({"t": "pub", "ch": ch, "d": {"text": text}, **fields})

    async def quiet(self):
        """Everything that is on the way has arrived: a ping goes around behind it."""
        await self.send({"t": "ping", "ts": 1})
        await self.next("pong", ts=1)
        seen, self.waiting = self.waiting, []
        return seen

    async def closed(self, seconds=10):
        """(code, reason) of the server's Close."""
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                self.waiting.append(json.loads(await within(self.ws.recv(), seconds)))
        return self.ws.close_code, self.ws.close_reason
