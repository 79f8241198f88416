#!/usr/bin/env python3
"""manifest.py PACKAGES VERSION ROOTHASH -- the bill of materials of an image, in CycloneDX 1.5 (JSON).

PACKAGES has a line for each package: name, version, architecture, source package and version, and the SHA-256 of
the file that it was installed from. The same input gives the same text.
"""

import datetime
import json
import os
import sys


def component(line):
    """One package."""
    name, version, arch, source, source_version, sha256 = line.rstrip("\n").split("\t")
    return {
        "type": "library",
        "bom-ref": f"{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:deb/debian/{name}@{version.replace('+', '%2B')}?arch={arch}&distro=trixie",
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        "properties": [{"name": "debian:source", "value": f"{source} {source_version}"}],
    }


def manifest(lines, version, roothash):
    """The whole, with the image itself on top."""
    when = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": when.isoformat().replace("+00:00", "Z"),
            "component": {
                "type": "operating-system",
                "name": "postern",
                "version": version,
                "properties": [{"name": "dm-verity:roothash", "value": roothash}],
            },
        },
        "components": [component(line) for line in lines],
    }


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as packages:
        json.dump(manifest(packages, sys.argv[2], sys.argv[3]), sys.stdout, indent=1)
    print()
