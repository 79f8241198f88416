"""Disks to give a machine: a configuration, secrets, an empty one."""

import subprocess


def _run(*args):
    subprocess.run([str(a) for a in args], check=True, capture_output=True)


def nocloud(folder, text):
    """A NoCloud disk (vfat) with that text as user data."""
    image = folder / "nocloud.img"
    (folder / "user-data").write_text(text)
    _run("mkfs.vfat", "-n", "CIDATA", "-C", image, 1024)
    _run("mcopy", "-i", image, folder / "user-data", "::user-data")
    return image


def nocloud_iso(folder, text):
    """The same as ISO 9660, made as cloud-localds and libvirt do."""
    image = folder / "nocloud.iso"
    (folder / "user-data").write_text(text)
    (folder / "meta-data").write_text("instance-id: one\n")
    _run("xorriso", "-as", "mkisofs", "-o", image, "-V", "cidata", "-J", "-r", folder / "user-data",
         folder / "meta-data")
    return image


def secrets(folder, files):
    """A volume labelled postern-secrets with those {name: bytes}."""
    image, tree = folder / "secrets.img", folder / "secrets"
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    blank(folder, "secrets.img", 8)
    _run("mkfs.ext4", "-q", "-L", "postern-secrets", "-d", tree, image)
    return image


def blank(folder, name, mib):
    """A disk with nothing on it."""
    image = folder / name
    with open(image, "wb") as f:
        f.truncate(mib << 20)
    return image
