"""What targets may say that is no response, or hardly one: what alb makes of each.

Three tables, by what the client gets. Everything is sent at once, and the target then keeps its
connection open: it is alb that has to know, and to close it. The lists that these rows come from
are those of http-parser's leniencies and of the checks that peers have had to learn (RFC 9112,
llhttp, http-garden).
"""

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 2\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
PLAIN = OK + LENGTH + b"\r\nok"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

LINE = "the status line is malformed"
STATUS = "the status is not three digits"
NAME = "a response field has no proper name"
CONTROLS = "a response field has control characters"
BAD_LENGTH = "the response's Content-Length is malformed or repeated"
CODING = "the response's Transfer-Encoding is not chunked"
GOES_ON = "a response field's name goes on after Transfer-Encoding"
BOTH = "the response has Content-Length and Transfer-Encoding"
BARE = "a line of the response head ends in LF without CR"
TOO_LONG = "the response head is too long"
INTERIM = "too many interim responses"
NOT_ASKED = "target answered 101 to a plain request"
LENGTH_ON_101 = "a 101 response cannot have a length"
CHUNK = "malformed chunk in the response body"

# (what the target says, why it is refused): the client gets a 502 and nothing of it.
STATUS_LINES = [
    (b"hello\r\n\r\n", LINE),
    (b"\0\1\2\3\r\n\r\n", LINE),
    (b"SSH-2.0-OpenSSH_9.2\r\n", LINE),
    (b"220 ready\r\n", LINE),
    (b"\x15\x03\x01\x00\x02\x02\x28", LINE),
    (b"<html>no head at all</html>", LINE),
    (b"\r\n" + PLAIN, LINE),
    (b" " + PLAIN, LINE),
    (b"x" + PLAIN, LINE),
    (b"\xef\xbb\xbf" + PLAIN, LINE),
    (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", LINE),
    (b"http/1.1 200 OK\r\n\r\n", LINE),
    (b"ICY 200 OK\r\n\r\n", LINE),
    (b"HTTP/1.1\r\n\r\n", LINE),
    (b"HTTP/1.1\t200 OK\r\n\r\n", LINE),
    (b"HTTP/0.9 200 OK\r\n\r\n", LINE),
    (b"HTTP/1.2 200 OK\r\n\r\n", LINE),
    (b"HTTP/1.10 200 OK\r\n\r\n", LINE),
    (b"HTTP/2 200\r\n\r\n", LINE),
    (b"HTTP/2.0 200 OK\r\n\r\n", LINE),
    (b"HTTP /1.1 200 OK\r\n\r\n", LINE),
    (b"HTTP/1.1 OK\r\n\r\n", LINE),
    (b"HTTP/1.1 OKAY\r\n\r\n", STATUS),
    (b"HTTP/1.1  200 OK\r\n\r\n", STATUS),
    (b"HTTP/1.1 2 OK !\r\n\r\n", STATUS),
    (b"HTTP/1.1 20 OK\r\n\r\n", STATUS),
    (b"HTTP/1.1 2000 OK\r\n\r\n", STATUS),
    (b"HTTP/1.1 +20 OK\r\n\r\n", STATUS),
    (b"HTTP/1.1 -20 OK\r\n\r\n", STATUS),
    (b"HTTP/1.1 0x2 OK\r\n\r\n", STATUS),
    (b"HTTP/1.1 000 OK\r\n\r\n", STATUS),
    (b"HTTP/1.1 099 OK\r\n\r\n", STATUS),
    (b"HTTP/1.1 200OK\r\n\r\n", STATUS),
    (b"HTTP/1.1 200\tOK\r\n\r\n", STATUS),
    (b"HTTP/1.1 200 O\0K\r\n\r\n", "the reason phrase has control characters"),
    (b"HTTP/1.1 200 O\rK\r\n\r\n", "the reason phrase has control characters"),
    (b"HTTP/1.1 200 \x7f\r\n\r\n", "the reason phrase has control characters"),
]

FIELDS = [
    (OK + b"nonsense\r\n\r\n", NAME),
    (OK + b": a\r\n\r\n", NAME),
    (OK + b" \r\n\r\n", NAME),
    (OK + b"X : a\r\n" + LENGTH + b"\r\nok", NAME),
    (OK + b"X\t: a\r\n" + LENGTH + b"\r\nok", NAME),
    (OK + b"X Y: a\r\n" + LENGTH + b"\r\nok", NAME),
    (OK + b"X(: a\r\n" + LENGTH + b"\r\nok", NAME),
    (OK + b"X\0: a\r\n" + LENGTH + b"\r\nok", NAME),
    (OK + b"X\x80: a\r\n" + LENGTH + b"\r\nok", NAME),
    (OK + b" X: a\r\n" + LENGTH + b"\r\nok", NAME),
    (OK + b"X: a\r\n b\r\n" + LENGTH + b"\r\nok", NAME),
    (OK + b"X: a\r\n\tb: c\r\n" + LENGTH + b"\r\nok", NAME),
    (OK + b"Content-Length:\r\n 2\r\n\r\nok", BAD_LENGTH),
    (OK + b"X: a\0b\r\n" + LENGTH + b"\r\nok", CONTROLS),
    (OK + b"X: a\rb\r\n" + LENGTH + b"\r\nok", CONTROLS),
    (OK + b"X: \rTransfer-Encoding: chunked\r\n" + LENGTH + b"\r\nok", CONTROLS),
    (OK + b"X: a\x01b\r\n" + LENGTH + b"\r\nok", CONTROLS),
    (OK + b"X: a\x7fb\r\n" + LENGTH + b"\r\nok", CONTROLS),
    (OK + b"X: a\x0bb\r\n" + LENGTH + b"\r\nok", CONTROLS),
    (OK + b"X: a\n" + LENGTH + b"\r\nok", BARE),
    (b"HTTP/1.1 200 OK\n" + LENGTH + b"\r\nok", BARE),
    (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", BARE),
    (OK + LENGTH + b"\nok", BARE),
    (OK + LENGTH + b"\r\r\nok" + b"\r\n\r\n", NAME),
    (OK + b"X: " + b"x" * 40000 + b"\r\n\r\n", TOO_LONG),
    (OK + b"X: " + b"x" * 100000, TOO_LONG),
    (OK + b"X: abcdefgh\r\n" * 4000 + b"\r\n", TOO_LONG),
    (OK + b"X: a\r\n" * 300 + b"\r\n", "the response has too many fields"),
]

FRAMING = [
    (OK + LENGTH + b"Content-Length: 3\r\n\r\nok!", BAD_LENGTH),
    (OK + LENGTH + LENGTH + b"\r\nok", BAD_LENGTH),
    (OK + b"Content-Length: 2, 2\r\n\r\nok", BAD_LENGTH),
    (OK + b"Content-Length: 2 3\r\n\r\nok", BAD_LENGTH),
    (OK + b"Content-Length: +2\r\n\r\nok", BAD_LENGTH),
    (OK + b"Content-Length: -2\r\n\r\nok", BAD_LENGTH),
    (OK + b"Content-Length: 0x2\r\n\r\nok", BAD_LENGTH),
    (OK + b"Content-Length: 2.0\r\n\r\nok", BAD_LENGTH),
    (OK + b"Content-Length: two\r\n\r\nok", BAD_LENGTH),
    (OK + b"Content-Length:\r\n\r\nok", BAD_LENGTH),
    (OK + b"Content-Length: 99999999999999999999\r\n\r\nok", BAD_LENGTH),
    (OK + b"Content-Length: 18446744073709551616\r\n\r\nok", BAD_LENGTH),
    (OK + b"Content-Length : 2\r\n\r\nok", NAME),
    (OK + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", BOTH),
    (OK + b"Transfer-Encoding: chunked\r\n" + LENGTH + b"\r\n2\r\nok\r\n0\r\n\r\n", BOTH),
    (OK + b"Transfer-Encoding: gzip\r\n\r\nok", CODING),
    (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", CODING),
    (OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", CODING),
    (OK + b"Transfer-Encoding: identity\r\n\r\nok", CODING),
    (OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", CODING),
    (OK + b"Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", CODING),
    (OK + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", CODING),
    (OK + b"Transfer-Encoding: \r\n" + LENGTH + b"\r\nok", CODING),
    (OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", CODING),
    (OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: eee\r\n\r\n0\r\n\r\n", CODING),
    (OK + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", NAME),
    (OK + b"Transfer-Encodings: chunked\r\n" + LENGTH + b"\r\nok", GOES_ON),
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "the response is HTTP/1.0 with Transfer-Encoding"),
]

SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
INTERIMS = [
    (CONTINUE * 9 + PLAIN, INTERIM),
    (CONTINUE * 10000, INTERIM),
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 9, INTERIM),
    (b"HTTP/1.1 103 Early Hints\r\n" + LENGTH + b"\r\nok" + PLAIN, LINE),
    (b"HTTP/1.1 103 Early Hints\r\nnonsense\r\n\r\n" + PLAIN, NAME),
    (CONTINUE + b"hello\r\n\r\n", LINE),
    (SWITCHING + b"\r\n", NOT_ASKED),
    (SWITCHING + b"\r\n" + PLAIN, NOT_ASKED),
    (b"HTTP/1.1 101 x\r\n\r\n", NOT_ASKED),
    (CONTINUE + SWITCHING + b"\r\n", NOT_ASKED),
    (SWITCHING + LENGTH + b"\r\nok", LENGTH_ON_101),
    (SWITCHING + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", LENGTH_ON_101),
]

REFUSED = STATUS_LINES + FIELDS + FRAMING + INTERIMS

# (what the target says, what the client gets of the body, why it ends there). The head has gone
# out by then, and the client can tell that the body is not whole.
CUT_SHORT = [(CHUNKED + b"3\r\nabc\r\n" + bad, b"abc", CHUNK) for bad in (
    b"zz\r\n", b"\r\n", b";a\r\n", b"-1\r\nd\r\n0\r\n\r\n", b"+1\r\nd\r\n0\r\n\r\n", b"0x1\r\nd\r\n0\r\n\r\n",
    b" 1\r\nd\r\n0\r\n\r\n", b"1 \r\nd\r\n0\r\n\r\n", b"1 junk\r\nd\r\n0\r\n\r\n", b"1\t\r\nd\r\n0\r\n\r\n",
    b"10000000000000000\r\n", b"00000000000000001\r\nd\r\n0\r\n\r\n", b"fffffffffffffffffffff\r\n",
    b"\x80\r\n\r\n", b"1\xff\r\nd\r\n0\r\n\r\n", b"0\r\nX:\0y\r\n\r\n",
    b"1\nd\r\n0\r\n\r\n", b"1\rXd\r\n0\r\n\r\n", b"1;a\nb\r\nd\r\n0\r\n\r\n", b"1;a\0\r\nd\r\n0\r\n\r\n",
    b"1;a=b\r\rXXX\r\nd\r\n0\r\n\r\n", b"1;" + b"a" * 300 + b"\r\nd\r\n0\r\n\r\n",
    b"0\n\n", b"0\r\n\n", b"0\r\n\rX", b"0\r\nnonsense\r\n\r\n", b"0\r\n: a\r\n\r\n", b"0\r\nX : a\r\n\r\n",
    b"0\r\nX: a\r\n b\r\n\r\n", b"0\r\n X: a\r\n\r\n", b"0\r\nX: a\n\r\n", b"0\r\nX: a\rb\r\n\r\n",
    b"0\r\nX: \0\r\n\r\n", b"0\r\n" + b"X: aaaaaaaa\r\n" * 2000 + b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
)] + [(CHUNKED + b"4\r\nabcd" + bad, b"abcd", CHUNK) for bad in (
    b"XX0\r\n\r\n", b"0\r\n\r\n", b"\n0\r\n\r\n", b"\r0\r\n\r\n", b"e\r\n0\r\n\r\n",
)]

# (what the target says before it closes, what the client gets: a status, or the body so far)
ENDED = [
    (b"", 502),
    (b"H", 502),
    (b"HTTP/1.1 200", 502),
    (OK + b"Content-", 502),
    (OK + LENGTH + b"\r", 502),
    (CONTINUE, 502),
    (CONTINUE + OK, 502),
    (OK + b"Content-Length: 100\r\n\r\npart", b"part"),
    (CHUNKED, b""),
    (CHUNKED + b"64", b""),
    (CHUNKED + b"64\r\npart", b"part"),
    (CHUNKED + b"4\r\npart", b"part"),
    (CHUNKED + b"4\r\npart\r\n", b"part"),
    (CHUNKED + b"4\r\npart\r\n0", b"part"),
    (CHUNKED + b"4\r\npart\r\n0\r\n", b"part"),
    (CHUNKED + b"4\r\npart\r\n0\r\nX: a\r\n", b"part"),
    (CHUNKED + b"4\r\npart\r\n0\r\n\r", b"part"),
]

# (method, what the target says, status, body, is its connection kept?). Odd, and yet of one meaning.
PASSED = [
    ("GET", PLAIN, 200, b"ok", True),
    ("GET", CONTINUE * 8 + PLAIN, 200, b"ok", True),
    ("GET", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + PLAIN, 200, b"ok", True),
    ("GET", b"HTTP/1.1 200\r\n" + LENGTH + b"\r\nok", 200, b"ok", True),
    ("GET", b"HTTP/1.1 999 Odd\r\n" + LENGTH + b"\r\nok", 999, b"ok", True),
    ("GET", OK + b"Content-Length: 0002 \r\n\r\nok", 200, b"ok", True),
    ("GET", OK + b"Transfer_Encoding: chunked\r\n" + LENGTH + b"\r\nok", 200, b"ok", True),
    ("GET", OK + b"Content_Length: 9\r\n" + LENGTH + b"\r\nok", 200, b"ok", True),
    ("GET", CHUNKED + b"2;a=b\r\nok\r\n0;c\r\nContent-Length: 9\r\nX: y\r\n\r\n", 200, b"ok", True),
    ("GET", PLAIN + b"X", 200, b"ok", False),
    ("GET", PLAIN + b"\r\n", 200, b"ok", False),
    ("GET", PLAIN + EVIL, 200, b"ok", False),
    ("GET", PLAIN + CONTINUE, 200, b"ok", False),
    ("GET", CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + EVIL, 200, b"ok", False),
    ("GET", CHUNKED + b"2\r\nok\r\n0\r\n\r\n0\r\n\r\n", 200, b"ok", False),
    ("GET", OK + b"Content-Length: 0\r\n\r\n" + EVIL, 200, b"", False),
    ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    ("GET", b"HTTP/1.1 204 No Content\r\n" + LENGTH + b"\r\nok", 204, b"", False),
    ("GET", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204, b"", False),
    ("GET", b"HTTP/1.1 204 No Content\r\n\r\n" + EVIL, 204, b"", False),
    ("GET", b"HTTP/1.1 304 Not Modified\r\n" + LENGTH + b"\r\n", 304, b"", True),
    ("GET", b"HTTP/1.1 304 Not Modified\r\n" + LENGTH + b"\r\nok", 304, b"", False),
    ("GET", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 304, b"", False),
    ("HEAD", OK + LENGTH + b"\r\n", 200, b"", True),
    ("HEAD", PLAIN, 200, b"", False),
    ("HEAD", OK + b"Content-Length: %d\r\n\r\n" % len(EVIL) + EVIL, 200, b"", False),
    ("HEAD", CHUNKED + b"2\r\nok\r\n0\r\n\r\n", 200, b"", False),
]
