#!/usr/bin/env python3
"""metadata.py USER_DATA -- an instance metadata service, version 2 only, for one connection on stdin and stdout:
QEMU starts one for each that a machine makes to 169.254.169.254."""

import os
import sys

TOKEN = "AQAAAExampleToken=="


def read_head():
    """The lines of a request, lower case."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = os.read(0, 4096)
        if not more:
            sys.exit()
        head += more
    return head.decode().lower().split("\r\n")


def answer(lines, user_data):
    """(status, body)"""
    if lines[0].startswith("put /latest/api/token ") and any(
            line.startswith("x-aws-ec2-metadata-token-ttl-seconds:") for line in lines):
        return "200 OK", TOKEN
    if f"x-aws-ec2-metadata-token: {TOKEN.lower()}" not in lines:
        return "401 Unauthorized", ""
    if lines[0].startswith("get /latest/user-data "):
        return "200 OK", user_data
    return "404 Not Found", ""


def main(path):
    """One answer."""
    with open(path, encoding="utf-8") as f:
        status, body = answer(read_head(), f.read())
    os.write(1, f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body.encode())}\r\n"
                f"Connection: close\r\n\r\n{body}".encode())


if __name__ == "__main__":
    main(sys.argv[1])
