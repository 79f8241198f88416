"""The command line, checked."""

import argparse
import pathlib
import ssl

from .policy import ADDABLE, NOT_CUSTOM, POLICIES, matches

DESCRIPTION = "A stand-in for a CDN edge in front of one origin: for tests and demonstration only."


def address(text):
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def custom_header(text):
    """("name", "value") of "NAME: VALUE" or "NAME: @FILE"."""
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not name or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME: VALUE")
    if any(matches(name, pattern) for pattern in NOT_CUSTOM):
        raise argparse.ArgumentTypeError(f"{name} cannot be an origin custom header")
    try:
        return name, pathlib.Path(value[1:]).read_text().split()[0] if value[0] == "@" else value
    except (OSError, IndexError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {value[1:]}: {error}") from error


def seconds(least, most):
    def parse(text):
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not least < value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds up to {most}")
        return value
    return parse


def parser():
    p = argparse.ArgumentParser(prog="edge.py", description=DESCRIPTION,
                                epilog="A tenth of a second is 0.1: ranges begin lower here than those of a CDN.")
    add = p.add_argument
    add("--origin", type=address, required=True, metavar="HOST:PORT", help="where requests go")
    add("--origin-name", metavar="NAME", help="the origin's domain name: its Host, and what its certificate is for (HOST)")
    add("--origin-tls", action="store_true", help="speak TLS to the origin, and verify its certificate")
    add("--origin-ca", metavar="FILE", help="authorities for that, in place of the system's")
    add("--source", metavar="ADDRESS", help="connect from this address")
    add("--listen", type=address, default=("127.0.0.1", 0), metavar="HOST:PORT", help="for viewers, plain (127.0.0.1:0)")
    add("--listen-tls", type=address, metavar="HOST:PORT", help="for viewers, over TLS, beside it; needs --certificate")
    add("--certificate", metavar="FILE", help="PEM, chain and key")
    add("--policy", choices=POLICIES, default="AllViewer", help="origin request policy (AllViewer)")
    add("--add", choices=ADDABLE, action="append", default=[], help="a header that the policy adds; may be repeated")
    add("--origin-header", type=custom_header, action="append", default=[], metavar='"NAME: VALUE"',
        help="an origin custom header, a secret for instance; the value may be @FILE; may be repeated")
    add("--attempts", type=int, choices=(1, 2, 3), default=3, help="connection attempts (3)")
    add("--connect-timeout", type=seconds(0, 10), default=10, metavar="SECONDS", help="for each of them (10)")
    add("--response-timeout", type=seconds(0, 120), default=30, metavar="SECONDS", help="to the response, and between its packets (30)")
    add("--keepalive-timeout", type=seconds(0, 120), default=5, metavar="SECONDS", help="for idle connections to the origin (5)")
    add("--clock", type=seconds(0, 100000), default=1, metavar="TIMES",
        help="run the timers that a CDN does not let one set so many times as fast: at 600 a WebSocket is idle after 1 s (1)")
    add("--cache-errors", action="store_true", help="keep the origin's errors for 10 s, as CDNs do by default")
    add("--id", default="d111111abcdef8", help="of the distribution, in Via (d111111abcdef8)")
    add("--ready-file", metavar="FILE", help="where to write JSON of what was bound, once it serves")
    return p


def parse(arguments):
    p = parser()
    options = p.parse_args(arguments)
    if bool(options.listen_tls) != bool(options.certificate):
        p.error("--listen-tls and --certificate go together")
    options.address = options.origin
    options.name = options.origin_name or options.origin[0]
    try:
        options.tls = ssl.create_default_context(cafile=options.origin_ca) if options.origin_tls else None
        options.viewer_tls = _viewer_tls(options.certificate)
    except (OSError, ssl.SSLError) as error:
        p.error(f"cannot use a certificate file: {error}")
    return options


def _viewer_tls(certificate):
    if not certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context
