#!/usr/bin/env python3
"""vmdk_id.py DISK -- give a sparse VMDK the same content identifier each time.

qemu-img writes a random one (CID), for snapshots, without leading zeros: the text after it begins earlier for one in
sixteen, and the end of a longer text that stood there before may be left behind its NUL. The descriptor has a place of
its own in the file, filled up with NUL (VMware's "Virtual Disk Format 5.0", "Hosted Sparse Extent"), and is written
anew there: nothing behind it moves.
"""

import re
import struct
import sys

SECTOR = 512
CID = b"706f7374"
HEADER = struct.Struct("<4sIIQQQQ")  # magic, version, flags, capacity, grain size, descriptor's offset and size


def with_cid(descriptor):
    """The descriptor, as long as before, with our identifier."""
    text, found = re.subn(rb"(?m)^CID=[0-9a-f]{1,8}$", b"CID=" + CID, descriptor.partition(b"\0")[0])
    if found != 1 or len(text) > len(descriptor):
        sys.exit(f"vmdk_id.py: the descriptor has {found} lines CID=, not one, or no room for it")
    return text.ljust(len(descriptor), b"\0")


def main(path):
    with open(path, "r+b") as disk:
        magic, _, _, _, _, offset, size = HEADER.unpack(disk.read(HEADER.size))
        if magic != b"KDMV":
            sys.exit(f"vmdk_id.py: {path} is not a sparse VMDK")
        disk.seek(offset * SECTOR)
        descriptor = disk.read(size * SECTOR)
        disk.seek(offset * SECTOR)
        disk.write(with_cid(descriptor))


if __name__ == "__main__":
    main(sys.argv[1])
