"""Starts the stand-in, says where it listens, and serves until SIGTERM or SIGINT."""

import asyncio
import json
import os
import pathlib
import signal
import sys
import time

from . import options as command_line
from .clock import Clock
from .errors import ErrorCache
from .http1 import HEAD_MAX
from .origin import Origin
from .policy import POLICIES, Distribution
from .viewer import Edge


def log(what, **fields):
    print(what, *[f"{key}={value}" for key, value in fields.items()], file=sys.stderr, flush=True)


def make_edge(options):
    distribution = Distribution(options.id, POLICIES[options.policy], options.name, options.add,
                                options.origin_header)
    clock = Clock(options.clock)
    cached = ErrorCache(options.cache_errors, clock, time.monotonic)
    return Edge(distribution, Origin(options, log), cached, clock, log)


async def listen(edge, options):
    """{"http": server, "https": server}"""
    servers = {"http": await asyncio.start_server(edge.serve, *options.listen, limit=HEAD_MAX)}
    if options.listen_tls:
        servers["https"] = await asyncio.start_server(edge.serve, *options.listen_tls, limit=HEAD_MAX,
                                                      ssl=options.viewer_tls)
    return servers


def text_of(name):
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


def say_ready(servers, path):
    """Written aside and renamed: who waits for the file finds all of it."""
    bound = {name: text_of(server.sockets[0].getsockname()) for name, server in servers.items()}
    log("edge stand-in serves", **bound)
    if path:
        path = pathlib.Path(path)
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps({"pid": os.getpid(), "listeners": bound}))
        aside.rename(path)


async def run(options):
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    servers = await listen(make_edge(options), options)
    say_ready(servers, options.ready_file)
    await stopped.wait()
    for server in servers.values():
        server.close()


def main():
    options = command_line.parse(sys.argv[1:])
    try:
        asyncio.run(run(options))
    except OSError as error:
        sys.exit(f"edge stand-in: {error}")
