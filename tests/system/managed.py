"""[management] of a running alb: a configuration with it, and its callers."""

import contextlib
import http.client
import json
import secrets
import socket
import ssl
import subprocess

from balancer import forward_config
from harness import BIN, PATIENCE, split_address
from localhost_cert import CERT, trusting_context

OPERATOR = "127.0.0.2"


class Tokens:
    """A token file, with `ops` who may change things and `watch` who may not."""

    def __init__(self, folder, name="tokens"):
        self.path = folder / name
        self.ops, self.watch = secrets.token_hex(32), secrets.token_hex(32)
        self.write(f"# who may log in\nops {self.ops}\nwatch {self.watch} read\n")

    def write(self, text):
        self.path.touch(mode=0o600)
        self.path.write_text(text)


def bearer(token):
    """The field of a request."""
    return f"Authorization: Bearer {token}\r\n".encode()


def management(login, bind="127.0.0.1:0", allow=f"{OPERATOR}/32", more=""):
    return (f"[management]\nbind = {bind}\nallow = {allow}\ncertificate_file = {{cert}}\n{login}\n"
            f"{more}")


def config(target, login, more="", **how):
    return forward_config(target, more=management(login, more=more), **how)


class Caller:
    """Somebody at [management]; `context` has his certificate."""

    def __init__(self, alb, token=None, source=OPERATOR, context=None):
        self.alb, self.token, self.source = alb, token, source
        self.context = context or trusting_context()

    def address(self):
        return split_address(self.alb.ready["management"][0])

    def plain(self, timeout=10):
        return socket.create_connection(self.address(), timeout * PATIENCE, (self.source, 0))

    @contextlib.contextmanager
    def connect(self, timeout=10):
        with self.plain(timeout) as sock:
            with self.context.wrap_socket(sock, server_hostname="localhost") as tls:
                yield tls

    def ask(self, path, method="GET", body=None, headers=None):
        """(status, headers, body)"""
        with self.connect(30) as tls:
            conn = http.client.HTTPConnection("localhost")
            conn.sock = tls
            login = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            conn.request(method, path, body=body, headers={**login, **(headers or {})})
            response = conn.getresponse()
            return response.status, response.headers, response.read()

    def status(self, path, method="GET", **how):
        return self.ask(path, method, **how)[0]

    def order(self, path, **fields):
        """(status, JSON) of a command."""
        status, _, body = self.ask(path, "POST", json.dumps(fields).encode() if fields else None)
        return status, json.loads(body)


def client_context(pem, version=None):
    context = trusting_context()
    context.load_cert_chain(pem)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def remote(alb, *args, token_file=None, host="localhost", ca=CERT, env=None):
    """`alb --remote`: (exit code, stdout, stderr). It goes to where OPERATOR may come from only
    if that is 127.0.0.1."""
    port = split_address(alb.ready["management"][0])[1]
    login = ["--token-file", token_file] if token_file else []
    trust = ["--ca", ca] if ca else []
    done = subprocess.run([BIN / "alb", "--remote", f"https://{host}:{port}", *login, *trust,
                           *map(str, args)], capture_output=True, text=True,
                          timeout=60 * PATIENCE, env=env)
    return done.returncode, done.stdout, done.stderr


def needs_alert(call):
    """The server refuses within the handshake, or (1.3) as soon as something is read."""
    try:
        call()
    except (ssl.SSLError, ConnectionError):
        return True
    return False
