"""The attributes that change headers: each from the file to the wire, and back off by a reload."""

import socket

from balancer import forward_config
from http_wire import ask, read_head, read_response, request, values
from localhost_cert import trusting_context
from scripted_target import answer
from ws_wire import ACCEPT, accept_upgrade, upgrade_request

XFF = "routing.http.xff_header_processing.mode = "
PORT = "routing.http.xff_client_port.enabled = "
HOST = "routing.http.preserve_host_header.enabled = "
DESYNC = "routing.http.desync_mitigation_mode = "
OLD = b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\n"


def configure(alb, target, *lines, more=""):
    alb.configure(forward_config(target, alb="\n".join(lines), more=more))
    alb.reload()


def ask_from(alb, data, listener=None):
    """(our own port, the response)"""
    with alb.connect(listener) as sock:
        sock.sendall(data)
        return sock.getsockname()[1], read_response(sock)


def test_forwarded_for_in_each_mode(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))

    configure(alb, target, XFF + "append", PORT + "true")
    port, _ = ask_from(alb, request(fields=OLD))
    assert values(target.seen[-1], "X-Forwarded-For") == [f"10.0.0.1, 10.0.0.2, 127.0.0.1:{port}"]
    configure(alb, target, XFF + "preserve", PORT + "true")
    ask(alb, request(fields=OLD))
    assert values(target.seen[-1], "X-Forwarded-For") == ["10.0.0.1", "10.0.0.2"]
    ask(alb, request())
    assert values(target.seen[-1], "X-Forwarded-For") == []
    configure(alb, target, XFF + "remove")
    ask(alb, request(fields=OLD))
    assert values(target.seen[-1], "X-Forwarded-For") == []
    for mode in ("append", "preserve", "remove"):
        configure(alb, target, XFF + mode)
        many = b"X-Forwarded-For: " + b"10.0.0.1," * 30
        assert ask(alb, request(fields=many + b"\r\n")).status == 200, mode
        assert ask(alb, request(fields=many + b"10.0.0.1\r\n")).status == 463, mode


def test_forwarded_for_of_an_ipv6_client(start_alb, start_target):
    target = start_target()
    config = forward_config(target, edge="allow = ::1", alb=PORT + "true")
    alb = start_alb(config.replace("bind = 127.0.0.1:0", "bind = [::1]:0"))

    port, _ = ask_from(alb, request(host=b"[::1]"))
    assert values(target.seen[-1], "X-Forwarded-For") == [f"[::1]:{port}"]
    assert values(target.seen[-1], "Host") == [f"[::1]:{alb.port()}"]


def test_the_host_that_a_target_sees(start_alb, start_target):
    target = start_target()
    alb = start_alb(forward_config(target))
    two = b"GET / HTTP/1.1\r\nHost: a.example\r\nhost: b.example:1\r\n\r\n"
    absolute = b"GET http://uri.example/ HTTP/1.1\r\nHost: field.example\r\n\r\n"
    without = b"GET / HTTP/1.0\r\n\r\n"

    def hosts(data):
        assert ask(alb, data).status == 200
        return values(target.seen[-1], "Host")

    assert hosts(two) == [f"a.example:{alb.port()}"]
    assert hosts(absolute) == [f"uri.example:{alb.port()}"]
    assert hosts(without) == [target.address]
    configure(alb, target, HOST + "true")
    assert hosts(two) == ["a.example", "b.example:1"]
    assert hosts(absolute) == ["field.example"]
    assert hosts(without) == [target.address]
    configure(alb, target, HOST + "true", DESYNC + "strictest")
    assert ask(alb, two).status == 400
    assert ask(alb, absolute).status == 400


def test_the_rules_see_the_host_that_is_sent(start_alb, start_target):
    target = start_target()
    rule = ("[rule r]\nlistener = http\npriority = 1\nhost-header = field.example\n"
            "action = fixed-response 200 text/plain field\n")
    alb = start_alb(forward_config(target, more=rule))
    absolute = b"GET http://uri.example/ HTTP/1.1\r\nHost: field.example\r\n\r\n"

    assert ask(alb, absolute).body == b"ok"
    configure(alb, target, HOST + "true", more=rule)
    assert ask(alb, absolute).body == b"field"


RESPONSES = {
    "strict_transport_security": "max-age=31536000; includeSubDomains",
    "access_control_allow_origin": "https://shop.example",
    "access_control_allow_methods": "GET, POST",
    "access_control_allow_headers": "X-One, X-Two",
    "access_control_allow_credentials": "true",
    "access_control_expose_headers": "X-Three",
    "access_control_max_age": "600",
    "content_security_policy": "default-src 'self'; img-src *",
    "x_content_type_options": "nosniff",
    "x_frame_options": "DENY",
}
LISTENER = "\n".join(f"routing.http.response.{k}.header_value = {v}" for k, v in RESPONSES.items())
LISTENER += "\nrouting.http.response.server.enabled = no"
RULES = """
[rule fixed]
listener = http
priority = 1
path-pattern = /fixed
action = fixed-response 200 text/plain fixed
[rule redirect]
listener = http
priority = 2
path-pattern = /redirect
action = redirect 301 https://#{host}:443/#{path}
"""


def test_every_response_gets_what_the_listener_puts_in(start_alb, start_target):
    own = b"".join(k.encode().replace(b"_", b"-") + b": theirs\r\n" for k in RESPONSES)

    def script(sock, head, rest):
        if b"Upgrade: websocket" in head and b"/ws " in head:
            accept_upgrade(sock, head, b"Server: theirs\r\nX-Frame-Options: theirs\r\n")
            return False
        return answer(fields=b"Server: theirs\r\n" + own + b"X-Stays: 1\r\n")(sock, head, rest)
    config = forward_config(start_target(script), more=RULES)
    alb = start_alb(config.replace("protocol = HTTP\n", f"protocol = HTTP\n{LISTENER}\n"))

    for data, status in ((request(), 200), (request(path="/fixed"), 200),
                         (request(path="/redirect"), 301), (request(method="TRACE"), 405),
                         (b"nonsense\r\n\r\n", 400),
                         (upgrade_request(path="/no"), 200),
                         (upgrade_request(path="/no").replace(b"13", b"12"), 426)):
        got = ask(alb, data)
        assert got.status == status
        assert got.values("Server") == [], data
        for key, value in RESPONSES.items():
            assert got.values(key.replace("_", "-")) == [value], (data, key)
    with alb.connect() as sock:
        sock.sendall(upgrade_request())
        head, _ = read_head(sock)
        assert head == (b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + ACCEPT +
                        b"\r\nX-Frame-Options: theirs\r\nUpgrade: websocket\r\n"
                        b"Connection: Upgrade\r\n\r\n")


def test_targets_learn_of_tls_under_the_names_that_were_chosen(start_alb, start_target):
    target = start_target()
    listener = ("[listener tls]\nbind = 127.0.0.1:0\nprotocol = HTTPS\ncertificate = {cert}\n"
                "default_action = forward app\n")
    rename = "routing.http.request.x_amzn_tls_version.header_name = Client-Tls\n"
    facts = "routing.http.x_amzn_tls_version_and_cipher_suite.enabled = true"
    forged = (b"x-amzn-tls-version: forged\r\nX-Amzn-Tls-Cipher-Suite: forged\r\n"
              b"Client_Tls: forged\r\nX-Amzn-Mtls-Clientcert-Subject: forged\r\n")
    alb = start_alb(forward_config(target, alb=facts, more=listener))

    def sent():
        with (alb.connect("tls") as raw,
              trusting_context().wrap_socket(raw, server_hostname="localhost") as sock):
            sock.sendall(request(fields=forged))
            assert read_response(sock).status == 200
            return target.seen[-1], sock.version(), sock.cipher()[0]

    head, version, cipher = sent()
    assert values(head, "x-amzn-tls-version") == [version]
    assert values(head, "x-amzn-tls-cipher-suite") == [cipher], "as OpenSSL calls it"
    assert values(head, "X-Forwarded-Proto") == ["https"]
    assert values(head, "Client_Tls") == ["forged"], "nothing to us yet"
    assert values(head, "X-Amzn-Mtls-Clientcert-Subject") == []
    configure(alb, target, facts, more=listener + rename)
    head, version, cipher = sent()
    assert values(head, "Client-Tls") == [version] and values(head, "Client_Tls") == []
    assert values(head, "x-amzn-tls-version") == []
    assert values(head, "x-amzn-tls-cipher-suite") == [cipher]
    ask(alb, request(fields=forged), "http")
    assert b"forged\r\nX-Amzn" not in target.seen[-1] and b"Tls-Version" not in target.seen[-1]
    configure(alb, target, more=listener)
    ask(alb, request(fields=forged), "http")
    assert values(target.seen[-1], "X-Amzn-Tls-Version") == ["forged"], "off: a header like others"


def test_an_upgrade_carries_the_same_headers(start_alb, start_target):
    target = start_target(lambda sock, head, _rest: accept_upgrade(sock, head))
    alb = start_alb(forward_config(target))

    with alb.connect() as sock:
        sock.sendall(upgrade_request(fields=b"X-Amzn-Trace-Id: Root=1-2-3\r\n"))
        assert read_head(sock)[0].startswith(b"HTTP/1.1 101 ")
        sock.shutdown(socket.SHUT_WR)
    head = target.seen[0]
    assert values(head, "X-Forwarded-Proto") == ["http"], "not ws"
    assert values(head, "Host") == [f"localhost:{alb.port()}"]
    trace = values(head, "X-Amzn-Trace-Id")[0]
    assert trace.startswith("Self=1-") and trace.endswith(";Root=1-2-3")
    assert f'"{trace}"' in alb.access_row("/ws")
