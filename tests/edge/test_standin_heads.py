"""Which fields reach the origin under which policy, and which the viewer: tables, no sockets."""

import re

import pytest

from standin.http1 import CHUNKED, NO_BODY, Head, Malformed
from standin.options import parser
from standin.policy import POLICIES, Distribution, Viewer

VIEWER = Viewer("198.51.100.7", 50123, "https")
UPGRADE = [("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
           ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]

# What the viewer sends; what the origin gets under AllViewer and under none (None: no such field).
FIELDS = [
    ("Origin", "https://a.example", "https://a.example", None),
    ("Authorization", "Basic eA==", "Basic eA==", None),
    ("X-Mine", "1", "1", None),
    ("Cookie", "a=b", "a=b", None),
    ("User-Agent", "curl/8", "curl/8", "Amazon CloudFront"),
    ("Accept", "text/html", "text/html", None),
    ("Accept-Language", "fr", "fr", None),
    ("Referer", "https://b.example/", "https://b.example/", None),
    ("X-HTTP-Method-Override", "PUT", "PUT", None),
    ("Sec-WebSocket-Protocol", "chat", "chat", None),
    ("Cache-Control", "no-cache", "no-cache", "no-cache"),
    ("Content-Type", "text/plain", "text/plain", "text/plain"),
    ("If-None-Match", '"x"', '"x"', '"x"'),
    ("Range", "bytes=0-9", "bytes=0-9", "bytes=0-9"),
    # the edge's own, and what no policy forwards
    ("X-Forwarded-For", "203.0.113.1", "203.0.113.1,198.51.100.7", "203.0.113.1,198.51.100.7"),
    ("Via", "1.1 proxy", "1.1 proxy, 1.1 d1.cloudfront.net (CloudFront)", "1.1 proxy, 1.1 d1.cloudfront.net (CloudFront)"),
    ("X-Amz-Cf-Id", "forged", "id-1", "id-1"),
    ("Connection", "close", "Keep-Alive", "Keep-Alive"),
    ("Upgrade", "h2c", None, None),
    ("TE", "trailers", None, None),
    ("Trailer", "X-Sum", None, None),
    ("Expect", "100-continue", None, None),
    ("Proxy-Authorization", "Basic eA==", None, None),
    ("Proxy-Connection", "keep-alive", None, None),
    ("X-Edge-Location", "AMS", None, None),
    ("X-Real-IP", "203.0.113.1", None, None),
    ("X-Forwarded-Proto", "http", None, None),
]


def distribution(policy="AllViewer", **more):
    return Distribution("d1", POLICIES[policy], "origin.internal", **more)


def sent(policy, *fields, target="/p?q=1", framing=NO_BODY, **more):
    request = Head(["GET", target, "HTTP/1.1"], [("Host", "www.example"), *fields])
    return distribution(policy, **more).origin_request(request, VIEWER, "id-1", framing)


@pytest.mark.parametrize("name, value, all_viewer, none", FIELDS)
def test_a_field_under_each_policy(name, value, all_viewer, none):
    for policy, want in (("AllViewer", all_viewer), ("AllViewerExceptHostHeader", all_viewer), ("none", none)):
        for spelt in (name, name.lower(), name.upper()):
            got = sent(policy, (spelt, value)).values(name)
            assert got == ([] if want is None else [want]), policy


@pytest.mark.parametrize("policy, host, target", [("AllViewer", "www.example", "/p?q=1"),
                                                  ("AllViewerExceptHostHeader", "origin.internal", "/p?q=1"),
                                                  ("none", "origin.internal", "/p")])
def test_host_and_query_under_each_policy(policy, host, target):
    head = sent(policy)
    assert (head.start, head.values("Host")) == (["GET", target, "HTTP/1.1"], [host])


def test_what_the_edge_adds_to_a_bare_request():
    head = sent("none")
    assert head.fields == [("Host", "origin.internal"), ("Connection", "Keep-Alive"), ("X-Forwarded-For", "198.51.100.7"),
                           ("Via", "1.1 d1.cloudfront.net (CloudFront)"), ("X-Amz-Cf-Id", "id-1"),
                           ("User-Agent", "Amazon CloudFront")]


def test_an_upgrade_keeps_its_keys_under_the_right_policies_only():
    for policy in ("AllViewer", "AllViewerExceptHostHeader"):
        head = sent(policy, *UPGRADE)
        assert head.get("Connection") == "Upgrade" and set(UPGRADE[1:]) <= set(head.fields)
    head = sent("none", *UPGRADE)
    assert (head.get("Connection"), head.get("Upgrade")) == ("Upgrade", "websocket")
    assert not [name for name, _ in head.fields if name.startswith("Sec-")]


def test_headers_that_a_policy_adds():
    forged = [("CloudFront-Viewer-Address", "1.2.3.4:5"), ("cloudfront-forwarded-proto", "http")]
    added = ["CloudFront-Viewer-Address", "CloudFront-Forwarded-Proto"]
    head = sent("AllViewer", *forged, added=added)
    assert head.values(added[0]) == ["198.51.100.7:50123"] and head.values(added[1]) == ["https"]
    # Nothing says that a viewer's own are removed where the policy adds none: an origin must expect them.
    assert sent("AllViewer", *forged).values(added[0]) == ["1.2.3.4:5"]
    assert sent("none", *forged).values(added[0]) == []


def test_an_origin_custom_header_overwrites_the_viewers():
    head = sent("AllViewer", ("x-origin-verify", "guess"), custom=[("X-Origin-Verify", "secret")])
    assert head.values("X-Origin-Verify") == ["secret"]


@pytest.mark.parametrize("name", ["Host", "Cookie", "If-Match", "Proxy-Authorization", "Via", "X-Amz-Cf-Id", "X-Real-Ip"])
def test_what_cannot_be_an_origin_custom_header(name, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["--origin", "a:1", "--origin-header", f"{name}: x"])
    assert f"{name} cannot be an origin custom header" in capsys.readouterr().err


def test_framing_is_made_anew():
    fields = [("Content-Length", "7"), ("Transfer-Encoding", "gzip")]
    assert sent("AllViewer", *fields, framing=("length", 5)).values("Content-Length") == ["5"]
    head = sent("none", *fields, framing=CHUNKED)
    assert head.values("Transfer-Encoding") == ["chunked"] and not head.values("Content-Length")


def answered(policy, status, *fields):
    return distribution(policy).viewer_response(Head(["HTTP/1.1", str(status), "X"], fields), "id-1", NO_BODY, True)


def test_what_the_viewer_gets():
    theirs = [("Content-Type", "a/b"), ("Set-Cookie", "AWSALB=x"), ("Set-Cookie", "AWSALBCORS=x"), ("Via", "1.1 alb"),
              ("Upgrade", "h2c"), ("Trailer", "X"), ("Connection", "close"), ("Keep-Alive", "timeout=5")]
    head = answered("AllViewer", 200, *theirs)
    assert head.fields == theirs[:3] + [("X-Cache", "Miss from cloudfront"), ("Via", "1.1 d1.cloudfront.net (CloudFront)"),
                                        ("X-Amz-Cf-Id", "id-1"), ("Connection", "keep-alive")]
    assert answered("none", 200, *theirs).values("Set-Cookie") == []
    assert answered("AllViewer", 404).get("X-Cache") == "Error from cloudfront"
    head = answered("AllViewer", 101, ("Upgrade", "websocket"), ("Connection", "upgrade"), ("Sec-WebSocket-Accept", "x"))
    assert head.get("Upgrade") == "websocket" and head.values("Connection") == ["Upgrade"]


@pytest.mark.parametrize("data", [b"GET /\r\n\r\n", b"\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
                                  b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", b"GET / HTTP/1.1\r\n folded: a\r\n\r\n"])
def test_what_is_not_a_head(data):
    with pytest.raises(Malformed):
        Head.parse(data)


def test_a_head_is_written_as_it_was_read():
    data = b"HTTP/1.1 200 \r\nA: b\r\na: \xe9 c\r\n\r\n"
    assert Head.parse(data).encode() == data
    assert re.fullmatch("b, é c", Head.parse(data).get("A"))
