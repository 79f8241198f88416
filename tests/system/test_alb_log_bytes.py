"""Fields 11 and 12 of the access log are what crossed the socket, to the byte."""

from balancer import forward_config
from http_wire import read_head, request, values
from scripted_target import answer
from ws_wire import echo_script, frame, upgrade_request

CHUNKED = (b"POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: t\r\n\r\n")
LAST = b"Connection: close\r\n"

CASES = {
    "get": request(fields=LAST),
    "head": request("HEAD", fields=LAST),
    "post": request("POST", fields=LAST, body=b"x" * 100000),
    "chunked": CHUNKED.replace(b"Host", LAST + b"Host"),
    "chunked answer": request(path="/chunks", fields=LAST),
    "100-continue": request("POST", fields=LAST + b"Expect: 100-continue\r\n", body=b"12345"),
    "fixed response": request(path="/fixed", fields=LAST),
    "fixed response to a body": request("POST", "/fixed", fields=LAST, body=b"x" * 100),
    "redirect": request(path="/moved", fields=LAST),
    "refused": b"nonsense\r\n\r\n",
    "refused behind a body": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n12345",
    "no target": request(path="/nobody"),
    "upgrade refused": upgrade_request().replace(b"Version: 13", b"Version: 7"),
    "two at once": request(path="/one") + request(path="/two", fields=LAST),
    "three, the last malformed": request(path="/one") + request(path="/fixed") + b"\x01\r\n\r\n",
    "large answer": request(path="/large", fields=LAST),
}

MORE = """
[target_group none]
target = 127.0.0.1:1 weight=0
health_check.enabled = false
""" + "".join(f"[rule {name}]\nlistener = http\npriority = {i + 1}\npath-pattern = /{name}\n"
              f"action = {action}\n" for i, (name, action) in enumerate([
                  ("fixed", 'fixed-response 200 text/plain "fixed"'),
                  ("moved", "redirect 302 https://#{host}:443/"), ("nobody", "forward none")]))


def script(sock, head, rest):
    path = head.split(b" ")[1]
    if values(head, "Upgrade"):
        return echo_script(sock, head, rest)
    if path == b"/chunks" and head.startswith(b"GET"):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"4;e=f\r\nabcd\r\n0\r\nT: t\r\n\r\n")
        return True
    length = values(head, "Content-Length")
    need = int(length[0]) if length else 0
    while len(rest) < need:
        rest += sock.recv(65536)
    if values(head, "Transfer-Encoding"):
        while b"0\r\n\r\n" not in rest:
            rest += sock.recv(65536)
    body = b"z" * 3_000_000 if path == b"/large" else b"ok"
    return answer(b"" if head.startswith(b"HEAD") else body)(sock, head, b"")


def exchange(alb, data):
    """How many bytes came back until the end."""
    with alb.connect() as sock:
        sock.sendall(data)
        n = 0
        while chunk := sock.recv(1 << 18):
            n += len(chunk)
        return n


def test_http(start_alb, start_target):
    alb = start_alb(forward_config(start_target(script), more=MORE))
    crossed, logged = {}, {}
    for name, data in CASES.items():
        crossed[name] = len(data), exchange(alb, data)
        alb.get("/mark")  # behind the rows of this case
    alb.get("/last")
    alb.access_row("/last")
    names, sums = iter(CASES), (0, 0)
    for row in alb.access_rows()[:-1]:
        fields = row.split(" ")
        if "/mark" in row:
            logged[next(names)], sums = sums, (0, 0)
        else:
            sums = sums[0] + int(fields[10]), sums[1] + int(fields[11])
    assert logged == crossed


def test_tunnel(start_alb, start_target):
    alb = start_alb(forward_config(start_target(script), alb="idle_timeout.timeout_seconds = 1"))
    sent = upgrade_request("/ws") + frame(1, b"hello") + frame(2, b"x" * 70000)

    with alb.connect() as sock:
        sock.sendall(sent)
        head, rest = read_head(sock)
        back = len(head) + len(rest)
        while chunk := sock.recv(65536):  # the last is our own Close, for it is idle
            back += len(chunk)
    row = alb.access_row("/ws").split(" ")
    assert (int(row[10]), int(row[11])) == (len(sent), back)
