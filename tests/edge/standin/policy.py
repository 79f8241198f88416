"""What goes to the origin of a viewer's request, and to the viewer of the origin's response.

Pure: heads in, heads out. Sources: D = CloudFront's developer guide, "Request and response behavior for custom
origins"; I = inference, nothing says so.
"""

import dataclasses
import fnmatch

from .http1 import CHUNKED, Head


@dataclasses.dataclass(frozen=True)
class Policy:
    """An origin request policy: what of the viewer's is sent on beside path and body."""
    headers: bool
    host: bool
    cookies: bool
    query: bool


POLICIES = {
    "AllViewer": Policy(headers=True, host=True, cookies=True, query=True),
    "AllViewerExceptHostHeader": Policy(headers=True, host=False, cookies=True, query=True),
    "none": Policy(headers=False, host=False, cookies=False, query=False),
}

# Fields of requests that are not simply "sent on if the policy sends headers on". The first match counts.
REMOVED, KEPT, COOKIES, OURS = "removed", "kept", "by cookies", "ours"
REQUEST_FIELDS = [
    ("Connection", OURS),           # D
    ("Upgrade", OURS),              # D: removed unless it is a WebSocket
    ("Transfer-Encoding", OURS),    # D says forwarded: framed anew here, which is the same
    ("Content-Length", OURS),
    ("Host", OURS),                 # D: the origin's name unless forwarded
    ("X-Forwarded-For", OURS),      # D: appended to
    ("Via", OURS),                  # D for responses, I for requests: appended to
    ("X-Amz-Cf-Id", OURS),          # D
    ("Cookie", COOKIES),            # D
    ("TE", REMOVED),                # D, and no policy forwards them:
    ("Trailer", REMOVED),
    ("Keep-Alive", REMOVED),
    ("Proxy-*", REMOVED),
    ("X-Edge-*", REMOVED),
    ("X-Real-IP", REMOVED),
    ("X-Forwarded-Proto", REMOVED),
    ("Expect", REMOVED),            # D: unless forwarded; here the edge itself says 100 (I)
    ("Cache-Control", KEPT),        # D: forwarded whatever the policy is
    ("Content-*", KEPT),
    ("Date", KEPT),
    ("From", KEPT),
    ("If-*", KEPT),
    ("Max-Forwards", KEPT),
    ("Pragma", KEPT),
    ("Range", KEPT),
    ("Request-Range", KEPT),
    ("Warning", KEPT),
    # Left to the policy, D: Accept*, Authorization, Origin, Referer, User-Agent, X-HTTP-Method-Override and all
    # others. "none" forwards none of these; that Sec-WebSocket-* are among them is what users report.
]

RESPONSE_REMOVED = {"connection", "keep-alive", "trailer", "transfer-encoding", "via"}  # D; Upgrade below

# Origin custom headers cannot be these (D).
NOT_CUSTOM = ["Cache-Control", "Connection", "Content-Length", "Cookie", "Host", "If-*", "Max-Forwards", "Pragma",
              "Proxy-*", "Range", "Request-Range", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Via", "X-Amz-*",
              "X-Edge-*", "X-Real-IP"]


def matches(name, pattern):
    return fnmatch.fnmatchcase(name.lower(), pattern.lower())


def treatment(name):
    return next((what for pattern, what in REQUEST_FIELDS if matches(name, pattern)), "by headers")


@dataclasses.dataclass
class Viewer:
    """What the edge knows of the other end of a viewer's connection."""
    address: str
    port: int
    scheme: str


class Distribution:
    """The settings of one distribution that heads depend on.

    `added` are names of ADDABLE; `custom` the origin's custom headers, [(name, value)]; `origin_name` is what Host
    is when the viewer's is not forwarded.
    """

    def __init__(self, name, policy, origin_name, added=(), custom=()):
        self.name, self.policy, self.origin_name = name, policy, origin_name
        self.added, self.custom = added, custom

    @property
    def via(self):
        return f"1.1 {self.name}.cloudfront.net (CloudFront)"

    def origin_request(self, request, viewer, request_id, framing):
        """The head that goes to the origin."""
        keeps = {KEPT} | ({COOKIES} if self.policy.cookies else set()) | ({"by headers"} if self.policy.headers else set())
        own = self._own_fields(request, viewer, request_id, framing)
        overwritten = {name.lower() for name, _ in own}
        fields = [(n, v) for n, v in request.fields
                  if treatment(n) in keeps and n.lower() not in overwritten]
        target = request.target if self.policy.query else request.target.partition("?")[0]
        return Head([request.method, target, "HTTP/1.1"], own + fields)

    def _own_fields(self, request, viewer, request_id, framing):
        host = self.policy.host and request.get("Host") or self.origin_name
        forwarded = request.get("X-Forwarded-For")
        via = request.get("Via")
        fields = [
            ("Host", host),
            *self._connection(request),
            # "," and no blank: so it is in the guide's example.
            ("X-Forwarded-For", f"{forwarded},{viewer.address}" if forwarded else viewer.address),
            ("Via", f"{via}, {self.via}" if via else self.via),
            ("X-Amz-Cf-Id", request_id),
            *[(name, ADDABLE[name](viewer)) for name in self.added],
            *_framing_field(framing),
            *self.custom,
        ]
        return fields if self.policy.headers else [*fields, ("User-Agent", "Amazon CloudFront")]

    @staticmethod
    def _connection(request):
        if request.is_upgrade():
            return [("Connection", "Upgrade"), ("Upgrade", request.get("Upgrade"))]
        return [("Connection", "Keep-Alive")]

    def viewer_response(self, response, request_id, framing, keep_alive):
        """The head that goes to the viewer."""
        switching = response.status == 101
        removed = set(RESPONSE_REMOVED)
        if not switching:
            removed.add("upgrade")
        if not self.policy.cookies:
            removed.add("set-cookie")
        fields = [(n, v) for n, v in response.fields if n.lower() not in removed]
        what = "Error" if response.status >= 400 else "Miss"
        fields += [("X-Cache", f"{what} from cloudfront"), ("Via", self.via), ("X-Amz-Cf-Id", request_id),
                   ("Connection", "Upgrade" if switching else "keep-alive" if keep_alive else "close")]
        fields += [("Transfer-Encoding", "chunked")] if framing == CHUNKED else []
        return Head(["HTTP/1.1", *response.start[1:]], fields)


def _framing_field(framing):
    kind, length = framing
    return {"chunked": [("Transfer-Encoding", "chunked")], "length": [("Content-Length", str(length))]}.get(kind, [])


# Headers that a policy can add (D has more: country, city, TLS, JA3 and so on).
ADDABLE = {
    "CloudFront-Viewer-Address": lambda viewer: f"{viewer.address}:{viewer.port}",
    "CloudFront-Forwarded-Proto": lambda viewer: viewer.scheme,
}
