"""The volume of secrets that docs/deploy.md names, as a folder."""

from localhost_cert import make_certificate

PLACE = "/run/postern-secrets"


def with_secrets(folder, text):
    """Writes the files, and gives the configuration with `folder` in their place."""
    certificate = make_certificate().read_text()
    files = {"origin-secret": "0123456789abcdef0123456789abcdef\n", "seal.keys": "0f" * 32 + "\n",
             "tls.pem": certificate, "management.pem": certificate,
             "management.tokens": f"operator {'0f' * 32}\n"}
    for name, content in files.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    return text.replace(PLACE, str(folder))
