"""The redirect action: its Location, what it keeps of a request, and its limits."""

import shlex

from balancer import forward_config
from http_wire import ask, read_response, request
from sockets import is_closed
from ws_wire import upgrade_request

RULES = {
    "/https/*": "redirect 301 https://#{host}:443/#{path}?#{query}",
    "/port/*": "redirect 302 http://#{host}:8080/#{path}",
    "/all": "redirect 302 \"#{protocol}://new.#{host}:#{port}/at/#{path}?from=#{host}&#{query}\"",
    "/long/*": "redirect 301 https://#{host}:443/#{path}/#{path}",
}


def redirect_config():
    rules = "\n".join(f"""
[rule r{number}]
listener = http
priority = {number}
path-pattern = {path}
action = {action}
""" for number, (path, action) in enumerate(RULES.items(), 1))
    return forward_config("127.0.0.1:1", more=rules)


def location(alb, data):
    got = ask(alb, data)
    return got.status, got.values("Location")


def test_its_location_is_made_of_the_request(start_alb):
    alb = start_alb(redirect_config())
    port = alb.port()

    assert location(alb, request(path="/https/a?b=c", host=b"a.test:80")) == (
        301, ["https://a.test:443/https/a?b=c"])
    assert location(alb, request(path="/https/", host=b"a.test")) == (
        301, ["https://a.test:443/https/"])
    assert location(alb, request(path="/port/x?dropped", host=b"a.test")) == (
        302, ["http://a.test:8080/port/x"])
    assert location(alb, request(path="/all?x", host=b"a.test")) == (
        302, [f"http://new.a.test:{port}/at/all?from=a.test&x"])
    assert alb.metric("alb_redirects_total") == 4
    assert alb.metric('alb_elb_responses_total{code="3xx"}') == 4

    row = shlex.split(alb.access_row("/https/a?b=c"))
    assert (row[8], row[22], row[23]) == ("301", "redirect", "https://a.test:443/https/a?b=c")
    assert row[4] == "-" and row[20] == "1"


def test_it_is_a_whole_response_and_keeps_the_connection(start_alb):
    alb = start_alb(redirect_config())

    with alb.connect() as sock:
        sock.sendall(request("HEAD", "/https/"))
        got = read_response(sock, to_head=True)
        assert got.status == 301 and got.values("Content-Type") == ["text/html"]
        sock.sendall(request(path="/https/"))
        page = read_response(sock)
        assert b"301 Moved Permanently" in page.body
        assert got.values("Content-Length") == [str(len(page.body))]
        assert page.values("Connection") == ["keep-alive"]
        sock.sendall(request("POST", "/https/", body=request(path="/all")))
        got = read_response(sock)
        assert (got.status, got.values("Connection"), got.rest) == (301, ["close"], b"")
        assert is_closed(sock), "the body is not taken for a request"


def test_from_https_it_knows_its_protocol_and_port(start_alb):
    config = redirect_config().replace("http://#{host}", "https://#{host}").replace(
        "protocol = HTTP", "protocol = HTTPS\ncertificate = {cert}")
    alb = start_alb(config)

    status, headers, _ = alb.get("/all", {"Host": "a.test"}, tls=True)
    assert (status, headers["Location"]) == (
        302, f"https://new.a.test:{alb.port()}/at/all?from=a.test&")


def test_an_upgrade_is_redirected_too(start_alb):
    assert location(start_alb(redirect_config()), upgrade_request("/https/ws")) == (
        301, ["https://localhost:443/https/ws"])


def test_nothing_in_a_request_splits_it_or_leads_elsewhere(start_alb):
    alb = start_alb(redirect_config())

    for path in ("/https/%0d%0aX-Evil:1", "/https/..//evil.test", "/https/@evil.test",
                 "/https/http://evil.test"):
        assert location(alb, request(path=path, host=b"a.test")) == (
            301, [f"https://a.test:443{path}"])
    # A CR ends in 400, a tab is encoded; a host is a host.
    assert location(alb, request(path="/https/\rX", host=b"a.test")) == (400, [])
    assert location(alb, request(path="/https/x", host=b"a.test/@evil.test")) == (400, [])
    assert location(alb, request(path="/https/x", host=b"user@evil.test")) == (400, [])
    # No host at all, as HTTP/1.0 may: there is nowhere to go.
    assert location(alb, b"GET /https/x HTTP/1.0\r\n\r\n") == (400, [])


def test_a_location_over_8_kb_is_not_sent(start_alb):
    alb = start_alb(redirect_config())

    assert location(alb, request(path="/long/" + "x" * 3000))[0] == 301
    assert location(alb, request(path="/long/" + "x" * 5000)) == (414, [])
    assert alb.metric("alb_redirect_url_limit_exceeded_total") == 1
    assert alb.metric("alb_redirects_total") == 1
