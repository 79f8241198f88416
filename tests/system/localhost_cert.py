"""One certificate for localhost, made once a build folder, and a client that trusts it."""

import contextlib
import os
import ssl
import subprocess

from harness import ROOT

CERT = ROOT / "build/test-cert.pem"


def make_certificate():
    """A self-signed certificate for localhost, once a build folder."""
    if not CERT.exists():
        CERT.parent.mkdir(parents=True, exist_ok=True)
        key = CERT.with_suffix(f".{os.getpid()}.key")
        crt = CERT.with_suffix(f".{os.getpid()}.crt")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", key, "-out", crt, "-days", "30", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            check=True, capture_output=True)
        both = CERT.with_suffix(f".{os.getpid()}.both")
        both.write_bytes(crt.read_bytes() + key.read_bytes())
        both.chmod(0o600)
        with contextlib.suppress(FileExistsError):  # another worker was first: its own is in use
            os.link(both, CERT)
        for made in (key, crt, both):
            made.unlink()
    return CERT


def trusting_context():
    return ssl.create_default_context(cafile=make_certificate())
