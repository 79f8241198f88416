"""Authorities that sign clients' certificates, made with the openssl command."""

import subprocess

PAST = ("20200101000000Z", "20210101000000Z")
FUTURE = ("20900101000000Z", "20910101000000Z")
NOW = ("20200101000000Z", "20900101000000Z")

KEYS = {
    "P-256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "P-384": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "P-521": ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "RSA-2048": ["rsa:2048"],
    "RSA-1024": ["rsa:1024"],
    "Ed25519": ["ed25519"],
}

AUTHORITY = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
CLIENT = "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n"


def openssl(*args):
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Certificate:
    """NAME.pem has the chain as it is shown, leaf first, and the key."""

    def __init__(self, folder, name, issuer):
        self.folder, self.name, self.issuer = folder, name, issuer
        self.crt, self.key, self.pem = (folder / f"{name}.{kind}" for kind in ("crt", "key", "pem"))

    def above(self):
        """The certificates above it, without the root."""
        at, found = self.issuer, []
        while at is not None and at.issuer is not None:
            found.append(at)
            at = at.issuer
        return found

    def said(self, *what):
        """What openssl says of it: said("-subject") is "CN=rudi"."""
        text = openssl("x509", "-in", self.crt, "-noout", "-nameopt", "RFC2253", *what)
        return text.strip().split("=", 1)[1]


class Authority(Certificate):
    """Signs; an issuer of None makes it a root."""

    def __init__(self, folder, name, issuer=None, dates=NOW):
        super().__init__(folder, name, issuer)
        (folder / f"{name}.db").touch()
        (folder / f"{name}.crlnumber").write_text("01\n")
        (folder / f"{name}.cnf").write_text(
            f"[ca]\ndefault_ca=it\n[it]\ndatabase={folder}/{name}.db\nnew_certs_dir={folder}\n"
            f"crlnumber={folder}/{name}.crlnumber\nrand_serial=yes\nunique_subject=no\n"
            "default_md=sha256\npolicy=any\ndefault_crl_days=30\npreserve=yes\nstring_mask=utf8only\n"
            "[any]\nDC=optional\nC=optional\nST=optional\nL=optional\nO=optional\nOU=optional\n"
            "CN=optional\nUID=optional\nemailAddress=optional\n")
        self.request(self, f"/O=Postern/CN={name}", "P-256")
        (issuer or self).sign(self, AUTHORITY, dates)

    def request(self, cert, subject, key):
        openssl("req", "-new", "-utf8", "-newkey", *KEYS[key], "-nodes", "-keyout", cert.key,
                "-out", cert.crt.with_suffix(".csr"), "-subj", subject, "-multivalue-rdn")

    def sign(self, cert, extensions, dates):
        asked = cert.crt.with_suffix(".ext")
        asked.write_text(extensions)
        openssl("ca", "-batch", "-notext", "-utf8", "-config", self.folder / f"{self.name}.cnf",
                *(["-selfsign"] if cert is self else ["-cert", self.crt]), "-keyfile", self.key,
                "-in", cert.crt.with_suffix(".csr"), "-out", cert.crt, "-extfile", asked,
                "-startdate", dates[0], "-enddate", dates[1])
        shown = [cert, *cert.above()]
        cert.pem.write_text("".join(c.crt.read_text() for c in shown) + cert.key.read_text())

    def client(self, name, subject=None, key="P-256", extensions=CLIENT, dates=NOW):
        cert = Certificate(self.folder, name, self)
        self.request(cert, subject or f"/O=Postern/OU=Clients/CN={name}", key)
        self.sign(cert, extensions, dates)
        return cert

    def revoke(self, cert):
        openssl("ca", "-config", self.folder / f"{self.name}.cnf", "-cert", self.crt, "-keyfile",
                self.key, "-revoke", cert.crt)

    def revocations(self, name, dates=None):
        """A list of what was revoked so far: its path."""
        path = self.folder / f"{name}.crl"
        when = ["-crl_lastupdate", dates[0], "-crl_nextupdate", dates[1]] if dates else []
        openssl("ca", "-config", self.folder / f"{self.name}.cnf", "-cert", self.crt, "-keyfile",
                self.key, "-gencrl", "-out", path, *when)
        return path
