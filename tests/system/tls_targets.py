"""Targets that speak TLS, with certificates of every kind, and some that only pretend to.

    target = start_tls_target(script, cert="good")     # fixture of test_alb_https_targets*.py
    alb = start_alb(groups_config({"good": [target], ...}, more={"good": VERIFY}))
    alb.get("/good")                                    # each group has the path of its name
"""

import contextlib
import socket
import ssl
import subprocess
import threading

import balancer
import harness
import scripted_target
import sockets

# What each is: its subjectAltName, its dates, and who signed it.
KINDS = {
    "good": ("IP:127.0.0.1,DNS:app.internal", "20200101000000Z", "20491231235959Z", "ca"),
    "other_name": ("DNS:other.internal", "20200101000000Z", "20491231235959Z", "ca"),
    "expired": ("IP:127.0.0.1", "20200101000000Z", "20200102000000Z", "ca"),
    "early": ("IP:127.0.0.1", "20480101000000Z", "20491231235959Z", "ca"),
    "stranger": ("IP:127.0.0.1", "20200101000000Z", "20491231235959Z", "other_ca"),
}

CA_CONFIG = """
[ca]
default_ca = it
[it]
database = {dir}/index.txt
rand_serial = yes
new_certs_dir = {dir}
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


class Certificates:
    """An authority, another one, and a certificate of each kind; `folder/KIND.pem` has both."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "index.txt").touch()
        for name in ("ca", "other_ca"):
            self._make_key(name)
            self._sign(name, name, "authority", "", "20200101000000Z", "20491231235959Z")
        for kind, (names, begin, end, by) in KINDS.items():
            self._make_key(kind)
            self._sign(kind, by, "leaf", names, begin, end)
            both = (folder / f"{kind}.crt").read_text() + (folder / f"{kind}.key").read_text()
            (folder / f"{kind}.pem").write_text(both)

    def path(self, kind):
        return self.folder / f"{kind}.pem"

    @property
    def authority(self):
        return self.folder / "ca.crt"

    def _openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=self.folder)

    def _make_key(self, name):
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj",
                      f"/CN={name}")

    def _sign(self, name, by, section, names, begin, end):
        config = self.folder / "ca.cnf"
        config.write_text(CA_CONFIG.format(dir=self.folder, names=names or "DNS:none"))
        signer = ["-selfsign"] if name == by else ["-cert", f"{by}.crt"]
        self._openssl("ca", "-batch", "-notext", "-config", config, "-extensions", section,
                      *signer, "-keyfile", f"{by}.key", "-in", f"{name}.csr", "-out",
                      f"{name}.crt", "-startdate", begin, "-enddate", end)


def server_context(cert, **versions):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for key, value in versions.items():
        setattr(context, key, value)
    context.load_cert_chain(cert)
    return context


class TlsTarget(scripted_target.Target):
    """A scripted target behind TLS. `sni` has the names that it was asked for, `resumed` whether
    each handshake was a short one, `versions` what was spoken."""

    def __init__(self, script, context):
        self.context = context
        self.sni, self.resumed, self.versions, self.failed = [], [], [], []
        context.sni_callback = lambda _sock, name, _context: self.sni.append(name)
        super().__init__(script)

    def _serve(self, sock):
        sock.settimeout(30 * harness.PATIENCE)
        try:
            tls = self.context.wrap_socket(sock, server_side=True)
        except (OSError, ssl.SSLError) as error:
            self.failed.append(error)
            sock.close()
            return
        self.resumed.append(tls.session_reused)
        self.versions.append(tls.version())
        with contextlib.suppress(ssl.SSLError):
            super()._serve(tls)


class RawTarget:
    """No TLS at all: `script(sock, hello)` has the balancer's first bytes."""

    def __init__(self, script):
        self.script = script
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.held = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.connections += 1
                self.held.append(sock)
                with contextlib.suppress(OSError):
                    sock.settimeout(10 * harness.PATIENCE)
                    self.script(sock, sock.recv(65536))

    def close(self):
        sockets.stop_listening(self.listener)
        for sock in self.held:
            sock.close()


def groups_config(groups, alb="", group="", more=None, tls=True):
    """One listener, and for each group a rule for the paths below its name."""
    spoken = "protocol = HTTPS\n" if tls else ""
    sections = []
    for at, (name, targets) in enumerate(groups.items()):
        addresses = "\n".join(f"target = {t.address}" for t in targets)
        sections.append(f"""
[target_group {name}]
{addresses}
{spoken}{group or "health_check.enabled = false"}
{(more or {}).get(name, "")}
[rule {name}]
listener = http
priority = {at + 1}
path-pattern = /{name}*
action = forward {name}
""")
    return balancer.alb_section(alb) + f"""
[edge]
allow = 127.0.0.0/8
[listener http]
bind = 127.0.0.1:0
default_action = fixed-response 404
[listener https]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {{cert}}
default_action = forward {next(iter(groups))}
""" + "".join(sections)
