"""The admin port shows; it changes nothing and listens to no foreign name."""

import json

import pytest

from balancer import forward_config
from harness import split_address
from http_wire import read_response, request

import socket


def ask_admin(alb, data):
    with socket.create_connection(split_address(alb.ready["admin"]), 10) as sock:
        sock.sendall(data)
        return read_response(sock)


def host(alb):
    return alb.ready["admin"].encode()


def test_its_pages(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    assert ask_admin(alb, request(path="/health", host=host(alb))).body == b"ok\n"
    metrics = ask_admin(alb, request(path="/metrics", host=host(alb)))
    assert metrics.values("Content-Type")[0].startswith("text/plain; version=0.0.4")
    status = json.loads(ask_admin(alb, request(path="/status", host=host(alb))).body)
    assert status["state"] == "serving"
    assert status["target_groups"][0]["name"] == "app"
    assert ask_admin(alb, request(path="/nothing", host=host(alb))).status == 404


@pytest.mark.parametrize("name, ok", [(b"localhost", True), (b"127.0.0.1", True),
                                      (b"evil.example", False), (b"localhost.evil.example", False),
                                      (b"127.0.0.1:1", False), (b"", False)])
def test_only_its_own_names_are_answered(start_alb, start_target, name, ok):
    alb = start_alb(forward_config(start_target()))

    status = ask_admin(alb, request(path="/metrics", host=name)).status
    assert status == 200 if ok else status in (400, 403, 421), status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_takes_no_orders(start_alb, start_target, method):
    alb = start_alb(forward_config(start_target()))

    for path in ("/metrics", "/reload"):
        got = ask_admin(alb, request(method, path, host=host(alb)))
        assert got.status in (404, 405), path
    assert alb.status()["reloads"] == 0


def test_a_slow_asker_holds_up_nobody(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    with socket.create_connection(split_address(alb.ready["admin"]), 10) as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert alb.metrics()
        assert alb.status()


def test_a_command_without_a_balancer_says_so(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    alb.stop()
    code, text = alb.command("status")
    assert code == 1 and str(alb.socket_path) in text
