"""The appliance's volumes: read-only ones are copied, the data disk is mounted, and only a blank disk
is ever formatted."""

import pytest

from volumes import Volumes, needs_loop_devices

SECRETS = "/run/postern-secrets"
NOCLOUD = "/run/postern-nocloud"
DATA = "/var/lib/postern-wsserver"


@pytest.fixture
def volumes(started, tmp_path):
    needs_loop_devices()
    made = Volumes(tmp_path)
    started.append(made)
    return made


def fails(volumes, command, why):
    code, said = volumes.run(command)
    assert code == 1 and f"<3>postern-volume: {why}" in said, said


# --- nocloud


@pytest.mark.parametrize("label", ["CIDATA", "cidata"])
def test_user_data_is_copied(volumes, label):
    device = volumes.add(label, {"user-data": b"[alb]\n", "meta-data": b"instance-id: x\n"})
    before = volumes.bytes_of(device)
    assert volumes.run("nocloud") == (0, "")
    assert volumes.read(f"{NOCLOUD}/user-data") == "[alb]\n"
    assert volumes.modes(NOCLOUD) == {"user-data": "640 0 64002"}
    assert volumes.bytes_of(device) == before, "read-only"
    assert "postern-volume." not in volumes.inside("ls", "/run").stdout


def test_without_a_disk_there_is_nothing(volumes):
    volumes.add("other")
    assert volumes.run("nocloud") == (0, "") and volumes.modes(NOCLOUD) == {}


def test_no_more_is_copied_than_is_too_much(volumes):
    volumes.add("CIDATA", {"user-data": b";" * 100000})
    volumes.run("nocloud")
    assert len(volumes.read(f"{NOCLOUD}/user-data")) == 65537


@pytest.mark.parametrize("files, why", [
    ({"user-data": "/etc/hostname"}, "user-data is a link, and not a file"),
    (None, "it may be vfat, iso9660 or ext4"),
])
def test_what_cannot_be_read_is_kept_as_an_error(volumes, files, why):
    if files is not None:
        volumes.add("CIDATA", files)
    else:
        volumes.inside("mkswap", "-L", "CIDATA", volumes.add())
    fails(volumes, "nocloud", "/dev/loop")
    assert why in volumes.read(f"{NOCLOUD}/error")
    assert volumes.modes(NOCLOUD) == {"error": "640 0 64002"}


def test_two_disks_are_an_error(volumes):
    volumes.add("CIDATA", {"user-data": b"a"})
    volumes.add("cidata", {"user-data": b"b"})
    fails(volumes, "nocloud", "several volumes are labelled CIDATA")
    assert volumes.modes(NOCLOUD) == {"error": "640 0 64002"}


# --- secrets

KEYS = {"origin-secret": b"0123456789abcdef\n", "tls/site.pem": b"KEY\n"}


def test_secrets_are_copied_for_their_group(volumes):
    device = volumes.add("postern-secrets", KEYS | {"link": "/etc/shadow"})
    before = volumes.bytes_of(device)
    assert volumes.run("secrets") == (0, f"<5>postern-volume: 2 files are in {SECRETS}\n")
    assert volumes.modes(SECRETS) == {name: "440 0 64001" for name in KEYS}
    assert volumes.read(f"{SECRETS}/tls/site.pem") == "KEY\n"
    assert volumes.bytes_of(device) == before, "read-only"
    assert not volumes.calls.exists(), "nobody runs yet"


def test_credentials_are_secrets_too(volumes):
    (volumes.credentials / "postern.secret.token").write_text("t")
    (volumes.credentials / "postern.ini").write_text("[alb]\n")
    assert volumes.run("secrets")[0] == 0
    assert volumes.modes(SECRETS) == {"token": "440 0 64001"}


def test_the_same_secrets_again_are_not_worth_a_word(volumes):
    volumes.add("postern-secrets", KEYS)
    volumes.run("secrets")
    assert volumes.run("secrets") == (0, "") and not volumes.calls.exists()
    assert len(volumes.inside("ls", f"{SECRETS}.d").stdout.split()) == 1


def test_other_secrets_take_the_place_of_the_old_and_alb_reloads(volumes):
    device = volumes.add("postern-secrets", KEYS)
    volumes.run("secrets")
    volumes.remove(device)
    volumes.add("postern-secrets", {"origin-secret": b"another one\n"})
    assert volumes.run("secrets") == (
        0, f"<5>postern-volume: 1 files are in {SECRETS}, and not the same as before\n")
    assert volumes.read(f"{SECRETS}/origin-secret") == "another one\n"
    assert not volumes.has(f"{SECRETS}/tls") and not volumes.has(f"{SECRETS}.new")
    assert volumes.calls.read_text() == ("is-active --quiet postern-alb.service\n"
                                         "--no-block reload postern-alb.service\n")


def test_a_volume_that_goes_away_leaves_its_secrets(volumes):
    device = volumes.add("postern-secrets", KEYS)
    volumes.run("secrets")
    volumes.remove(device)
    assert volumes.run("secrets") == (0, "")
    assert set(volumes.modes(SECRETS)) == set(KEYS)


@pytest.mark.parametrize("files, why", [
    ({"big": b"x" * 1048577}, "a file is larger than 1048576 bytes"),
    ({f"f{n}": b"x" for n in range(257)}, "has more than 256 files"),
    ({f"f{n}": b"x" * 1048576 for n in range(9)},
     "the files together are larger than 8388608 bytes"),
], ids=["one", "many", "all"])
def test_too_much_changes_nothing(volumes, files, why):
    device = volumes.add("postern-secrets", KEYS)
    volumes.run("secrets")
    volumes.remove(device)
    volumes.add("postern-secrets", files)
    code, said = volumes.run("secrets")
    assert code == 1 and why in said and f"nothing changes in {SECRETS}" in said, said
    assert set(volumes.modes(SECRETS)) == set(KEYS)


def test_two_volumes_change_nothing(volumes):
    volumes.add("postern-secrets", KEYS)
    volumes.add("postern-secrets", KEYS)
    fails(volumes, "secrets", "several volumes are labelled postern-secrets")
    assert not volumes.has(SECRETS)


# --- data


def mounted(volumes):
    return volumes.inside("findmnt", "-no", "SOURCE,OPTIONS", DATA).stdout


def test_without_a_data_disk_that_is_said(volumes):
    code, said = volumes.run("data")
    assert code == 0 and "there is no data disk: messages are in memory" in said
    assert mounted(volumes) == ""


def test_a_blank_disk_becomes_the_data_disk_and_stays_it(volumes):
    device = volumes.add()
    code, said = volumes.run("data")
    assert code == 0 and f"{device} was blank, and is the data disk now" in said, said
    assert mounted(volumes).split()[0] == device
    assert {"rw", "nosuid", "nodev", "noexec"} <= set(mounted(volumes).split()[1].split(","))
    volumes.inside("touch", f"{DATA}/chat.db")
    volumes.inside("umount", DATA)
    code, said = volumes.run("data")
    assert code == 0 and said == f"<5>postern-volume: {device} is at {DATA}\n"
    assert volumes.has(f"{DATA}/chat.db")


def test_a_labelled_disk_is_taken_before_a_blank_one(volumes):
    blank = volumes.add()
    device = volumes.add("postern-data", {"chat.db": b"x"})
    assert volumes.run("data")[0] == 0
    assert mounted(volumes).split()[0] == device and volumes.has(f"{DATA}/chat.db")
    assert volumes.bytes_of(blank).count(0) == 80 << 20


SIZE = 80 << 20
NOT_BLANK = {
    "a byte at the start": (b"\1", 0), "a byte at the end": (b"\1", SIZE - 1),
    "a byte in the first MB": (b"\1", 999999), "a byte in the last MB": (b"\1", SIZE - 999999),
    "a sample in the middle": (b"\1", SIZE // 2), "a sample before": (b"\1", SIZE // 8 + 65535),
    "a partition table": (b"\x55\xaa", 510),
    "LUKS": (b"LUKS\xba\xbe\0\2", 0), "swap": (b"SWAPSPACE2", 4086),
    "GPT at the end": (b"EFI PART", SIZE - 512), "an LVM volume": (b"LABELONE", 512),
    "a RAID member": (b"\xfc\x4e\x2b\xa9", SIZE - 65536),
}


@pytest.mark.parametrize("what", NOT_BLANK)
def test_a_disk_with_anything_on_it_is_never_formatted(volumes, what):
    fill, at = NOT_BLANK[what]
    device = volumes.add(fill=fill, at=at)
    before = volumes.bytes_of(device)
    code, said = volumes.run("data")
    assert code == 0 and "there is no data disk" in said, said
    assert volumes.bytes_of(device) == before


@pytest.mark.parametrize("make", ["mkfs.ext4 -q -F", "mkfs.vfat -I", "mkswap"])
def test_a_disk_with_a_file_system_is_never_formatted(volumes, make):
    device = volumes.add()
    done = volumes.inside(*make.split(), device)
    assert done.returncode == 0, done.stderr
    before = volumes.bytes_of(device)
    code, said = volumes.run("data")
    assert code == 0 and "there is no data disk" in said, said
    assert volumes.bytes_of(device) == before


@pytest.mark.parametrize("disk", [{"readonly": True}, {"megabytes": 60}])
def test_a_blank_disk_that_will_not_do_is_left_alone(volumes, disk):
    device = volumes.add(**disk)
    code, said = volumes.run("data")
    assert code == 0 and "there is no data disk" in said, said
    assert not volumes.bytes_of(device).strip(b"\0")


def test_of_two_blank_disks_none_is_chosen(volumes):
    devices = [volumes.add(), volumes.add()]
    fails(volumes, "data", "several volumes are blank, and each could be for the data")
    assert all(volumes.bytes_of(device).count(0) == SIZE for device in devices)


def test_a_data_disk_that_is_damaged_is_not_used(volumes):
    device = volumes.add("postern-data", {"chat.db": b"x" * 100000})
    # Its checksum is made right, so that the disk is known; no repair puts that right by itself.
    done = volumes.inside("debugfs", "-w", "-R", "ssv inodes_per_group 2147483647", device)
    assert done.returncode == 0, done.stderr
    before = volumes.bytes_of(device)
    fails(volumes, "data", f"{device} is damaged, and is not used")
    assert mounted(volumes) == "" and volumes.bytes_of(device) == before


def test_a_disk_that_says_nothing_of_itself_is_named_and_left_alone(volumes):
    device = volumes.add("postern-data", {"chat.db": b"x" * 100000})
    with open(volumes.files[device], "r+b") as f:
        f.seek(1024)
        f.write(b"\xff" * 1024)  # where the name of the file system is
    before = volumes.bytes_of(device)
    code, said = volumes.run("data")
    assert code == 0 and "there is no data disk" in said, said
    assert f"<4>postern-volume: not empty, and nothing that is known, so left alone: {device};" in said
    assert mounted(volumes) == "" and volumes.bytes_of(device) == before


def test_a_data_disk_of_another_kind_is_not_used(volumes):
    device = volumes.add()
    volumes.inside("mkswap", "-L", "postern-data", device)
    fails(volumes, "data", f"{device} has a file system of type swap; the data disk has ext4")
