"""What the edge answers without asking the origin."""

from .http1 import NO_BODY, HeadTooLong, request_framing

URL_MAX = 8192
METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}


def url_of(head, scheme):
    return f"{scheme}://{head.get('Host')}{head.target}"


# The first that is true counts. Sources as in policy.py; the guide names no status for other methods (I).
REFUSALS = [
    (413, "A URL of over 8,192 bytes", lambda head, scheme: len(url_of(head, scheme)) > URL_MAX),
    (403, "A method that the edge does not accept", lambda head, scheme: head.method not in METHODS),
    (403, "A GET with a body", lambda head, scheme: head.method == "GET" and request_framing(head) != NO_BODY),
]


def refusal(head, scheme):
    """(status, reason), or None when the origin is to be asked."""
    return next(((status, why) for status, why, is_so in REFUSALS if is_so(head, scheme)), None)


def of_malformed(error):
    """(status, reason) for a head that could not be read."""
    return 413 if isinstance(error, HeadTooLong) else 400, str(error)
