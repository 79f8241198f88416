"""A machine at its first boot, as postern-configure sees it: folders, and a metadata service."""

import hashlib
import itertools
import os
import subprocess

from harness import BIN, PATIENCE, ROOT, WRAP

DEFAULTS = ROOT / "image/default"
PROGRAMS = ("alb", "wsserver")

GOOD = """\
; both programs in one text
[alb]
name = app/first/0000000000000001
idle_timeout.timeout_seconds = 300

[edge]
allow = 10.0.1.37/32

[wsserver]
node = first

[sqlite]
path = /var/lib/postern-wsserver/chat.db

[listener http]
bind = 0.0.0.0:80
default_action = fixed-response 404 text/plain "nothing here"
"""


class Outcome:
    def __init__(self, machine, code, log):
        self.code, self.log = code, log
        self.files = {name: (machine.out / f"{name}.ini").read_text() for name in PROGRAMS}

    def is_default(self, program):
        return self.files[program] == (DEFAULTS / f"{program}.ini").read_text()

    def accepts_nobody(self):
        return all(map(self.is_default, PROGRAMS))

    def line(self, words):
        """The one line of the log with these words in it."""
        lines = [line for line in self.log.splitlines() if words in line]
        assert len(lines) == 1, (words, self.log)
        return lines[0]


class Machine:
    """Nothing in it says anything at first; `metadata` are addresses."""

    def __init__(self, folder):
        self.credentials, self.nocloud, self.dmi, self.out = (
            folder / name for name in ("credentials", "nocloud", "dmi", "out"))
        for made in (self.credentials, self.nocloud, self.dmi, self.out):
            made.mkdir()
        self.programs, self.metadata, self.wait = BIN, [], "300ms"

    def be_on_ec2(self, *addresses, wait="10s"):
        (self.dmi / "sys_vendor").write_text("Amazon EC2\n")
        self.metadata, self.wait = list(addresses), wait

    def give_credential(self, text):
        write(self.credentials / "postern.ini", text)

    def give_disk(self, text):
        write(self.nocloud / "user-data", text)

    def boot(self):
        options = {"credentials": self.credentials, "nocloud": self.nocloud, "dmi": self.dmi,
                   "out": self.out, "programs": self.programs, "defaults": DEFAULTS,
                   "metadata-wait": self.wait}
        pairs = [(f"--{name}", str(value)) for name, value in options.items()]
        pairs += [("--metadata", address) for address in self.metadata]
        done = subprocess.run(
            WRAP + [str(BIN / "postern-configure"), *itertools.chain(*pairs)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60 * PATIENCE,
            check=False, env=dict(os.environ, CREDENTIALS_DIRECTORY="/nonexistent"))
        assert "Sanitizer" not in done.stdout, done.stdout
        return Outcome(self, done.returncode, done.stdout)


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Metadata:
    """A script for scripted_target: the metadata service, version 2 only."""

    def __init__(self, text=None, token="AQAEAHkl==", answers=()):
        self.text, self.token = text, token
        self.first = list(answers)  # raw responses to the first requests, whatever they are

    def __call__(self, sock, head, _rest):
        sock.sendall(self.first.pop(0) if self.first else self.answer(head))

    def answer(self, head):
        lines = head.decode().split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in
                  (line.partition(":") for line in lines[1:])}
        if lines[0] == "PUT /latest/api/token HTTP/1.1":
            ttl = int(fields["x-aws-ec2-metadata-token-ttl-seconds"])
            return response("200 OK" if 1 <= ttl <= 21600 else "400 Bad Request", self.token)
        if fields.get("x-aws-ec2-metadata-token") != self.token:
            return response("401 Unauthorized")
        if lines[0] == "GET /latest/user-data HTTP/1.1" and self.text is not None:
            return response("200 OK", self.text)
        return response("404 Not Found", "<html>not here</html>")


def response(status, body=""):
    body = body if isinstance(body, bytes) else body.encode()
    return (f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nServer: EC2ws\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
