#!/usr/bin/env python3
"""bios_boot.py DISK BOOT_IMG CORE_IMG -- what grub-bios-setup does, without a device.

The BIOS loads the first sector of the disk, boot.img, which loads the first sector of core.img, which
loads the rest. Both find the next by a sector number that is written into them.
"""

import struct
import sys

SECTOR = 512
# Where the partition "bios" begins, and where its end is.
CORE_AT, CORE_END = 2048, 4096
# boot.img: the code ends where the partition table of the MBR begins.
BOOT_CODE = 440
BOOT_KERNEL_SECTOR = 0x5C
# A jump around the correction of a wrong drive number; grub-bios-setup takes it out for a hard disk, and so do we.
BOOT_DRIVE_CHECK = 0x66
# core.img: the block list is at the end of its first sector; an entry is a sector, a count and a segment.
CORE_BLOCK_LIST = 0x1F4
CORE_SEGMENT = 0x820


def first_sector(boot, mbr):
    """boot.img that knows where core.img is; the rest of the sector stays as sfdisk left it."""
    code = bytearray(boot)
    struct.pack_into("<Q", code, BOOT_KERNEL_SECTOR, CORE_AT)
    code[BOOT_DRIVE_CHECK:BOOT_DRIVE_CHECK + 2] = b"\x90\x90"
    return code[:BOOT_CODE] + mbr[BOOT_CODE:]


def core_in_place(core):
    """core.img in whole sectors, that knows where its second one is."""
    sectors = -(-len(core) // SECTOR)
    if sectors > CORE_END - CORE_AT:
        raise SystemExit(f"bios_boot.py: core.img needs {sectors} sectors, there are {CORE_END - CORE_AT}")
    core = bytearray(core.ljust(sectors * SECTOR, b"\0"))
    struct.pack_into("<QHH", core, CORE_BLOCK_LIST, CORE_AT + 1, sectors - 1, CORE_SEGMENT)
    return core


def main(disk_path, boot_path, core_path):
    """Put both where they belong."""
    with open(boot_path, "rb") as f:
        boot = f.read()
    with open(core_path, "rb") as f:
        core = core_in_place(f.read())
    with open(disk_path, "r+b") as disk:
        mbr = disk.read(SECTOR)
        disk.seek(0)
        disk.write(first_sector(boot, mbr))
        disk.seek(CORE_AT * SECTOR)
        disk.write(core)


if __name__ == "__main__":
    main(*sys.argv[1:])
