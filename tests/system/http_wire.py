"""HTTP/1.1 by hand: requests and responses as bytes."""

from sockets import read_until_close


def read_head(sock):
    """(head, what came behind it)"""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            break
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def request(method="GET", path="/", fields=b"", body=b"", host=b"localhost"):
    """A request as bytes; with a Content-Length when there is a body."""
    if body:
        fields += f"Content-Length: {len(body)}\r\n".encode()
    return (f"{method} {path} HTTP/1.1\r\n".encode() + b"Host: " + host + b"\r\n" + fields +
            b"\r\n" + body)


def values(head, name):
    """The values of a field in a head, in order."""
    lines = (line.split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    return [v.strip().decode("latin-1") for n, v in lines if n.lower() == name.lower().encode()]


def read_more(sock, have):
    chunk = sock.recv(65536)
    if not chunk:
        raise EOFError(f"closed behind {have[-200:]!r}")
    return have + chunk


def read_chunks(sock, rest):
    """(body, what came behind it); EOFError when it was cut."""
    body = bytearray()
    while True:
        while b"\r\n" not in rest:
            rest = read_more(sock, rest)
        size, _, rest = rest.partition(b"\r\n")
        n = int(size.split(b";")[0], 16)
        while len(rest) < n + 2:
            rest = read_more(sock, rest)
        assert rest[n:n + 2] == b"\r\n", rest[n:n + 10]
        body += rest[:n]
        rest = rest[n + 2:]
        if n == 0:
            return bytes(body), rest


def read_length(sock, n, rest):
    parts, have = [rest], len(rest)
    while have < n:
        chunk = sock.recv(65536)
        if not chunk:
            raise EOFError(f"closed after {have} of {n} bytes")
        parts.append(chunk)
        have += len(chunk)
    data = b"".join(parts)
    return data[:n], data[n:]


def read_body(sock, head, rest):
    """A request's body: (payload, what came behind it)."""
    if values(head, "Transfer-Encoding"):
        return read_chunks(sock, rest)
    length = values(head, "Content-Length")
    return read_length(sock, int(length[0]), rest) if length else (b"", rest)


class Response:
    def __init__(self, head, body, rest):
        self.head, self.body, self.rest = head, body, rest
        self.status = int(head.split(b" ", 2)[1])

    def values(self, name):
        return values(self.head, name)


def read_response(sock, rest=b"", to_head=False):
    """A whole response; EOFError when it was cut, or nothing came."""
    while b"\r\n\r\n" not in rest:
        rest = read_more(sock, rest)
    head, _, rest = rest.partition(b"\r\n\r\n")
    head += b"\r\n\r\n"
    status = int(head.split(b" ", 2)[1])
    if to_head or status < 200 or status in (204, 304):
        return Response(head, b"", rest)
    if values(head, "Transfer-Encoding") or values(head, "Content-Length"):
        return Response(head, *read_body(sock, head, rest))
    return Response(head, rest + read_until_close(sock), b"")


def ask(alb, data, listener=None, to_head=False):
    """Send these bytes on a connection of their own, and read the response."""
    with alb.connect(listener) as sock:
        sock.sendall(data)
        return read_response(sock, to_head=to_head)
