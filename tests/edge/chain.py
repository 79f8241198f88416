"""The whole chain, each part in a network namespace of its own.

    198.51.100.7      198.51.100.1  10.77.0.10       10.77.0.1          10.77.0.20, 10.77.0.21
    viewer ---------- edge (the stand-in) ---------- alb -------------- targets
                                                      |
                                                      stranger 10.77.0.66, in the same private subnet

    chain = make_chain()                               # a fixture
    alb = chain.start_alb(groups, rules)
    edge = chain.start_edge("--policy", "none")
    Client(edge)                                       # as the viewer
"""

import types

import chat
import netns
import scripted_target
from edge_standin import EdgeStandin

VIEWER, EDGE_OUTSIDE, EDGE, STRANGER = "198.51.100.7", "198.51.100.1", "10.77.0.10", "10.77.0.66"
TARGETS = ["10.77.0.20", "10.77.0.21"]
ALB = f"{netns.APPLIANCE}:80"

CONFIG = """
[alb]
workers = 2
admin = 127.0.0.1:0
control = {socket}
access_logs.enabled = true
access_logs.file = {access}
shutdown_timeout = 1s
%(alb)s
[edge]
%(edge)s
[listener http]
bind = %(bind)s
protocol = HTTP
default_action = fixed-response 404 text/plain "nothing here"
%(groups)s
"""
GROUP = """
[target_group %(name)s]
health_check.enabled = false
deregistration_delay.timeout_seconds = 1
%(targets)s
[rule %(name)s]
listener = http
priority = %(priority)s
path-pattern = %(paths)s
action = forward %(name)s
"""


def config(groups, alb="", edge=f"allow = {EDGE}/32"):
    """`groups`: {name: (paths, [addresses])}; the first rule is asked first."""
    text = "".join(GROUP % {"name": name, "paths": paths, "priority": number,
                            "targets": "\n".join(f"target = {a}" for a in addresses)}
                   for number, (name, (paths, addresses)) in enumerate(groups.items(), 1))
    return CONFIG % {"alb": alb, "edge": edge, "bind": ALB, "groups": text}


class EdgeIn(EdgeStandin):
    """A stand-in in the edge's namespace; the connections that its methods make are the viewer's."""

    def __init__(self, chain, folder, *arguments, name="edge"):
        super().__init__(folder, ALB, "--listen", f"{EDGE_OUTSIDE}:0", *arguments, name=name)
        self.viewer = chain.viewer
        self.args = chain.edge.command(*self.args)

    def connect(self, *args, **kwargs):
        with self.viewer:
            return super().connect(*args, **kwargs)

    def door(self):
        """For chat.Chat, within `with chain.viewer`."""
        return types.SimpleNamespace(url=lambda path: self.url(path, scheme="ws"))


class WsserverIn(chat.Wsserver):
    def __init__(self, host, address, folder, name, **settings):
        super().__init__(folder, name, bind=f"{address}:0", **settings)
        self.args = host.command(*self.args)


class Chain:
    def __init__(self, net, folder, started):
        self.net, self.folder, self.started = net, folder, started
        self.edge = net.host("edge", EDGE)
        self.stranger = net.host("stranger", STRANGER)
        self.targets = [net.host(f"target{n}", address) for n, address in enumerate(TARGETS)]
        self.viewer = self._viewer_behind(self.edge)

    def _viewer_behind(self, edge):
        """On a network of its own: there is no way from there to the private one but through the edge."""
        viewer = netns.Host("viewer")
        self.net.hosts.append(viewer)
        edge.ip("link", "add", "outside", "type", "veth", "peer", "name", "eth0", "netns", viewer.name)
        for host, device, address in ((edge, "outside", EDGE_OUTSIDE), (viewer, "eth0", VIEWER)):
            host.add_address(address, device)
            host.ip("link", "set", device, "up")
        return viewer

    def _start(self, thing):
        self.started.append(thing)
        return thing.start()

    def start_alb(self, groups, **settings):
        return self._start(netns.AlbIn(self.net.appliance, self.folder, config(groups, **settings)))

    def start_edge(self, *arguments, name="edge"):
        return self._start(EdgeIn(self, self.folder, *arguments, name=name))

    def start_node(self, number=0, **settings):
        """wsserver on the host of that number; all share one database file."""
        settings = {"store": "sqlite", "sqlite_path": self.folder / "chat.db", "sqlite_durability": "process", **settings}
        return self._start(WsserverIn(self.targets[number], TARGETS[number], self.folder, f"n{number}", **settings))

    def start_target(self, script=None, number=0):
        """A scripted target on that host."""
        with self.targets[number]:
            target = scripted_target.Target(script or scripted_target.answer(), TARGETS[number])
        self.started.append(target)
        return target
