"""The counters add up, to the byte."""

import pytest

from balancer import forward_config
from harness import free_port, wait_until
from http_wire import ask, read_head, read_response, request
from scripted_target import answer
from ws_wire import echo_script, frame, upgrade_request


def test_they_add_up(start_alb, start_target):
    answers = {b"/ok": "200 OK", b"/gone": "410 Gone", b"/moved": "301 Moved", b"/bad": "500 Bad"}

    def script(sock, head, rest):
        return answer(b"hello", answers[head.split(b" ")[1]])(sock, head, rest)
    good = start_target(script)
    group = "health_check.enabled = false\nretry.max = 0"
    alb = start_alb(forward_config(good, f"127.0.0.1:{free_port()}", group=group).replace(
        "workers = 1", "workers = 2"))
    sent = received = answered = refused = 0

    for i in range(40):
        data = request(path=["/ok", "/gone", "/moved", "/bad"][i // 2 % 4])
        with alb.connect() as sock:
            sock.sendall(data)
            got = read_response(sock)
        sent += len(data)
        received += len(got.head) + len(got.body)
        answered += got.status != 502
        refused += got.status == 502
    data = b"nonsense\r\n\r\n"
    got = ask(alb, data)
    sent, received = sent + len(data), received + len(got.head) + len(got.body)

    wait_until(lambda: alb.metric("alb_connections_open") == 0, "all connections to end")
    m = alb.metrics()
    assert (answered, refused) == (20, 20)
    assert m["alb_connections_total"] == 41
    assert m["alb_requests_total"] == 40
    assert m["alb_client_received_bytes_total"] == sent
    assert m["alb_client_sent_bytes_total"] == received
    assert m['alb_elb_responses_total{code="5xx"}'] == refused
    assert m['alb_elb_responses_total{code="4xx"}'] == 1

    def of_target(name, target, **labels):
        return sum(v for k, v in m.items()
                   if k.startswith(name + "{") and f'target="{target.address}"' in k and
                   all(f'{a}="{b}"' in k for a, b in labels.items()))
    assert of_target("alb_target_requests_total", good) == answered
    by_class = {c: of_target("alb_target_responses_total", good, code=c)
                for c in ("2xx", "3xx", "4xx", "5xx")}
    assert sum(by_class.values()) == answered and min(by_class.values()) > 0
    assert of_target("alb_target_connections_total", good) == good.connections
    assert of_target("alb_target_response_time_seconds_count", good) == answered
    assert alb.metric("alb_target_connection_errors_total") == refused


@pytest.mark.parametrize("listener", ["http", "six"])
def test_bytes_of_a_tunnel_are_counted_while_it_lives(start_alb, start_target, listener):
    """Each byte once, also those that come with the request, and of both ends of the tunnel."""
    six = "[listener six]\nbind = [::1]:0\ndefault_action = forward app\n"
    alb = start_alb(forward_config(start_target(echo_script), edge="allow = 127.0.0.0/8 ::1/128", more=six))
    first, second = frame(1, b"early"), frame(2, b"x" * 70000)
    relayed = 2 * (len(first) + len(second)) - 8  # the echo has no masks

    def bytes_of(name):
        return sum(v for k, v in alb.metrics().items() if k.split("{")[0] == name)
    with alb.connect(listener) as sock:
        sock.sendall(upgrade_request("/ws") + first)
        head, rest = read_head(sock)
        sent, back = len(upgrade_request("/ws") + first), len(head) + len(first) - 4
        while len(rest) < len(first) - 4:
            rest += sock.recv(65536)
        wait_until(lambda: bytes_of("alb_client_sent_bytes_total") == back, "the first")
        assert bytes_of("alb_client_received_bytes_total") == sent
        sock.sendall(second)
        rest = b""
        while len(rest) < len(second) - 4:
            rest += sock.recv(65536)
        sent, back = sent + len(second), back + len(second) - 4
        wait_until(lambda: bytes_of("alb_client_sent_bytes_total") == back, "the second")
        assert bytes_of("alb_client_received_bytes_total") == sent
        assert bytes_of("alb_ipv6_bytes_total") == (sent + back if listener == "six" else 0)
        assert bytes_of("alb_target_tunnel_bytes_total") == relayed
        assert alb.metric("alb_websocket_tunnels_open") == 1
    wait_until(lambda: alb.metric("alb_websocket_tunnels_open") == 0, "its end")
    assert bytes_of("alb_client_received_bytes_total") == sent


def test_rows_of_the_log_are_counted(start_alb, start_target):
    alb = start_alb(forward_config(start_target()))

    for i in range(7):
        alb.get(f"/{i}")
    alb.access_row("/6")
    wait_until(lambda: alb.metric('alb_access_log_rows_total{outcome="written"}') == 7,
               "them to be counted, a moment after they can be read")
    assert alb.metric('alb_access_log_rows_total{outcome="dropped"}') == 0


def test_counters_of_a_target_live_on_over_a_reload(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    alb.get()
    alb.reload()
    alb.get()
    assert alb.metric("alb_target_requests_total") == 2
