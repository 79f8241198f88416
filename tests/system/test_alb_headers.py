"""What alb adds to a request, what it takes out, and what a client cannot make it do."""

import re

from balancer import forward_config
from harness import PATIENCE
from http_wire import ask, request, values

TRACE = r"1-[0-9a-f]{8}-[0-9a-f]{24}"


def sent(alb, target, fields=b"", **more):
    """The head that the target gets for a request with these fields."""
    ask(alb, request(fields=fields, **more))
    return target.seen[-1]


def test_the_canonical_head_is_exact(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    head = sent(alb, target, b"X-One:   1  \r\nx-two: 2\r\n", path="/a?b=c", host=b"Shop.example")
    assert re.fullmatch(
        rb"GET /a\?b=c HTTP/1.1\r\nHost: Shop.example:%d\r\nX-One: 1\r\nx-two: 2\r\n"
        rb"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: %d\r\n"
        rb"X-Amzn-Trace-Id: Root=%s\r\n\r\n" % (alb.port(), alb.port(), TRACE.encode()), head), head


def test_forwarded_for_is_appended_to_and_the_rest_overwritten(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    head = sent(alb, target, b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2, 10.0.0.3\r\n"
                             b"X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\n")
    assert values(head, "X-Forwarded-For") == ["10.0.0.1, 10.0.0.2, 10.0.0.3, 127.0.0.1"]
    assert values(head, "X-Forwarded-Proto") == ["http"]
    assert values(head, "X-Forwarded-Port") == [str(alb.port())]


def test_every_form_of_a_trace_id(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))
    root = "Root=1-67891233-abcdef012345678912345678"
    cases = [
        ("", f"Root={TRACE}"),
        (root, f"Self={TRACE};{root}"),
        (f"Self=1-1-1;{root}", f"Self={TRACE};{root}"),
        (f"{root};CalledFrom=app", f"Self={TRACE};{root};CalledFrom=app"),
        ("CalledFrom=app", f"Root={TRACE};CalledFrom=app"),
        (f"{root};Self=1-1-1;A=b", f"{root};Self={TRACE};A=b"),
        ("Self=1-1-1", f"Self={TRACE}"),
        ("x" * 2000, f"Root={TRACE};{'x' * 2000}"),
        ("x" * 7200, f"Root={TRACE}"),
    ]

    for given, want in cases:
        fields = f"X-Amzn-Trace-Id: {given}\r\n".encode() if given else b""
        got = values(sent(alb, target, fields), "X-Amzn-Trace-Id")
        assert len(got) == 1 and re.fullmatch(want, got[0]), (given, got)
    assert alb.access_row(f'"{got[0]}"')


def test_hop_by_hop_fields_go_no_further(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
                     b"Keep-Alive: timeout=5\r\nProxy-Authenticate: x\r\nX-Stay: 1\r\n"
                     b"Content-Length: 0\r\n\r\n")
        return True
    target = start_target(script)
    alb = start_alb(forward_config(target))

    got = ask(alb, request(fields=b"Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers"
                                  b"\r\nTrailer: X\r\nProxy-Connection: x\r\nUpgrade: h2c\r\n"
                                  b"HTTP2-Settings: AAA\r\nProxy-Authorization: x\r\n"))
    allowed = {b"Host", b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Port",
               b"X-Amzn-Trace-Id"}
    assert {line.split(b":")[0] for line in target.seen[0].split(b"\r\n")[1:-2]} == allowed
    assert got.head == (b"HTTP/1.1 200 OK\r\nX-Stay: 1\r\nContent-Length: 0\r\n\r\n")


def test_a_client_cannot_have_the_proxys_fields_taken_out(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    head = sent(alb, target, b"Connection: x-forwarded-for, X-Forwarded-Proto, host, cookie, "
                             b"authorization, content-length, x-amzn-trace-id, via\r\n"
                             b"X-Forwarded-For: 10.0.0.1\r\nCookie: a=b\r\nVia: 1.1 edge\r\n"
                             b"Authorization: Basic x\r\n", method="POST", body=b"1234")
    assert values(head, "X-Forwarded-For") == ["10.0.0.1, 127.0.0.1"]
    for name in ("Host", "X-Forwarded-Proto", "Cookie", "Authorization", "Content-Length",
                 "X-Amzn-Trace-Id", "Via"):
        assert len(values(head, name)) == 1, name


def test_a_list_of_thousands_of_options_costs_no_more_than_its_bytes(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))
    fields = ((b"Connection: " + b"y," * 8000 + b"\r\n") * 3 + b"Connection: x-7\r\n" +
              b"".join(b"X-%d: 1\r\n" % i for i in range(240)))

    before = alb.cpu_s()
    for _ in range(20):
        head = sent(alb, target, fields)
    assert alb.cpu_s() - before < 0.3 * PATIENCE, "20 of them; 40 ms each when asked by field"
    assert b"\r\nX-6: 1\r\nX-8: 1\r\n" in head and b"Connection" not in head


def test_disguised_names_do_not_get_through(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    head = sent(alb, target, b"X_Forwarded_For: 6.6.6.6\r\nX.Forwarded.Proto: https\r\n"
                             b"x-forwarded_port: 1\r\nX_Plain: stays\r\n")
    assert b"6.6.6.6" not in head and b"X.F" not in head and b"_port" not in head
    assert values(head, "X_Plain") == ["stays"]


def test_response_fields_pass_as_they_are_in_order(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 299 Very Fine\r\nServer: mine\r\nSet-Cookie: a=1\r\n"
                     b"set-cookie: b=2\r\nContent-Length: 0\r\n\r\n")
        return True
    alb = start_alb(forward_config(start_target(script)))

    assert ask(alb, request()).head == (
        b"HTTP/1.1 299 Very Fine\r\nServer: mine\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n"
        b"Content-Length: 0\r\n\r\n")


def test_a_response_cannot_smuggle_a_line(start_alb, start_target):
    def script(sock, _head, _rest):
        sock.sendall(b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n")
        return True
    alb = start_alb(forward_config(start_target(script)))

    assert ask(alb, request()).status == 502
