"""A client that keeps cookies as a browser does, and the fields that set them, taken apart."""

import calendar
import re
import time

from http_wire import ask, request

DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d "
                  r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT")
SEALED = re.compile(r"[A-Za-z0-9_-]{87}")
SEVEN_DAYS = 7 * 86400


class SetCookie:
    """One Set-Cookie field: its name, its value, and the attributes in their order."""

    def __init__(self, field):
        pair, *self.attributes = field.split("; ")
        self.name, self.value = pair.split("=", 1)

    def expires(self):
        """Seconds since 1970."""
        text = next(a for a in self.attributes if a.startswith("Expires="))[len("Expires="):]
        assert DATE.fullmatch(text), text
        return calendar.timegm(time.strptime(text, "%a, %d %b %Y %H:%M:%S GMT"))

    def names_of_attributes(self):
        return [a.split("=")[0] for a in self.attributes]


def set_cookies(response):
    return [SetCookie(v) for v in response.values("Set-Cookie")]


class Client:
    """Sends the cookies that it was given, each request on a connection of its own."""

    def __init__(self, alb, fields=b""):
        self.alb, self.fields = alb, fields
        self.cookies = {}

    def header(self):
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return f"Cookie: {pairs}\r\n".encode() if pairs else b""

    def visit(self, path="/", method="GET", fields=b"", status=200):
        got = ask(self.alb, request(method, path, self.fields + fields + self.header()),
                  to_head=method == "HEAD")
        assert got.status == status, got.head
        self.cookies.update({c.name: c.value for c in set_cookies(got)})
        return got

    def bodies(self, times=6, path="/"):
        return {self.visit(path).body for _ in range(times)}


def is_like_the_reference(cookie, twin=False):
    """Order of attributes, date and path, as the managed balancer has them."""
    assert cookie.attributes[1:] == ["Path=/"] + (["SameSite=None", "Secure"] if twin else [])
    assert abs(cookie.expires() - (time.time() + SEVEN_DAYS)) < 60
    return True
