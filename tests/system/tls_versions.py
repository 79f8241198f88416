"""Which versions of TLS the alb under test has: mbedTLS 3.6 has 1.3, 2.28 has not."""

import functools
import pathlib
import ssl
import tempfile

import pytest

import harness
import localhost_cert

PARAMS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@functools.cache
def has_1_3():
    """Of a policy that is TLS 1.3 alone nothing is left without it."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "alb.ini"
        path.write_text("[target_group app]\ntarget = 127.0.0.1:1\n[edge]\nallow = any\n"
                        "[listener https]\nbind = 127.0.0.1:0\nprotocol = HTTPS\n"
                        f"certificate = {localhost_cert.make_certificate()}\n"
                        "ssl_policy = ELBSecurityPolicy-TLS13-1-3-2021-06\n"
                        "default_action = forward app\n")
        code, _, errors = harness.run("alb", "check", path)
    assert code == 0 or "which this mbedTLS has not" in errors, errors
    return code == 0


def need_1_3():
    if not has_1_3():
        pytest.skip("this mbedTLS has no TLS 1.3")


def speak(context, version):
    """The context, for this version alone."""
    if version == ssl.TLSVersion.TLSv1_3:
        need_1_3()
    context.minimum_version = context.maximum_version = version
    return context


# A test that takes `version` runs in each; in 1.3 where there is one.
each_version = pytest.mark.parametrize("version", PARAMS, ids=lambda v: v.name)
