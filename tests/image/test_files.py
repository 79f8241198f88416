"""What `make image` writes: sizes, sums, the bill of materials, and the same bytes each time."""

import hashlib
import json
import os
import re
import subprocess

import pytest

from conftest import ROOT

FORMATS = ("raw", "qcow2", "vmdk")
SECTOR = 512


def _sums(image):
    lines = (image / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def test_the_raw_disk_is_at_most_100_mib(disk):
    assert disk.stat().st_size <= 100 << 20


def test_every_file_is_in_the_sums(image):
    sums = _sums(image)
    assert set(sums) == {p.name for p in image.glob("postern-*")}
    for name, digest in sums.items():
        assert hashlib.sha256((image / name).read_bytes()).hexdigest() == digest, name


def test_each_format_is_the_same_disk(image, disk):
    for form in FORMATS[1:]:
        other = disk.with_suffix(f".{form}")
        compared = subprocess.run(["qemu-img", "compare", disk, other], capture_output=True, text=True)
        assert compared.returncode == 0, (form, compared.stdout, compared.stderr)


def test_the_vmdk_is_stream_optimized(disk):
    told = subprocess.run(["qemu-img", "info", "--output=json", disk.with_suffix(".vmdk")], check=True,
                          capture_output=True, text=True)
    assert json.loads(told.stdout)["format-specific"]["data"]["create-type"] == "streamOptimized"


def test_the_bill_names_each_package_with_version_and_hash(image):
    bill = json.loads(next(image.glob("*.cdx.json")).read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    packages = {c["name"]: c for c in bill["components"]}
    assert {"postern-alb", "postern-wsserver", "postern-appliance", "libmbedtls21", "systemd"} <= set(packages)
    for package in packages.values():
        assert package["version"] and package["purl"].startswith("pkg:deb/debian/")
        assert re.fullmatch("[0-9a-f]{64}", package["hashes"][0]["content"]), package


def test_the_bill_has_the_root_that_the_kernel_checks(image, disk):
    roothash = next(image.glob("*.roothash")).read_text().strip()
    bill = json.loads(next(image.glob("*.cdx.json")).read_text())
    assert bill["metadata"]["component"]["properties"] == [{"name": "dm-verity:roothash", "value": roothash}]
    assert f"postern.roothash={roothash}".encode() in disk.read_bytes()


def _vmdk_with_cid(tmp_path, cid):
    """A small disk as qemu-img writes it when its random number happens to be this one: over what it wrote before,
    which may have been longer."""
    disk = tmp_path / "disk.vmdk"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=streamOptimized", disk, "1M"], check=True)
    content = disk.read_bytes()
    descriptor = content[SECTOR : 21 * SECTOR]
    text = re.sub(rb"\nCID=\w+\n", b"\nCID=%s\n" % cid, descriptor.rstrip(b"\0"))
    text += b"\0\n" if len(cid) < 7 else b""
    disk.write_bytes(content[:SECTOR] + text.ljust(len(descriptor), b"\0") + content[21 * SECTOR :])
    return disk


def _with_our_cid(disk):
    subprocess.run(["/usr/bin/python3", f"{ROOT}/image/vmdk_id.py", disk], check=True)
    return disk.read_bytes()


def test_the_vmdk_is_the_same_whatever_identifier_qemu_gave_it(tmp_path):
    long, short, one = (_with_our_cid(_vmdk_with_cid(tmp_path, cid)) for cid in (b"a18465e3", b"18465e3", b"7"))
    assert long == short == one
    assert long.count(b"\nCID=706f7374\n") == 1
    subprocess.run(["qemu-img", "check", "-q", tmp_path / "disk.vmdk"], check=True)


@pytest.mark.timeout(1500)
def test_a_second_build_is_the_same_to_the_byte(image, disk, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a build needs root")
    built = subprocess.run(["make", "--no-print-directory", "-C", ROOT, "image-again", f"IMAGE={tmp_path}"],
                           capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    assert _sums(tmp_path) == _sums(image)
    for form in FORMATS:
        subprocess.run(["cmp", disk.with_suffix(f".{form}"), tmp_path / disk.with_suffix(f".{form}").name], check=True)
