"""How the packages are made."""

import re

from harness import ROOT
from machine import BOTH, command, packages

ALL = (*BOTH, "postern-appliance")
# Only to run tests, or of every build.
NOT_TO_BUILD = {"libc6-dev", "openssl"}


def test_two_builds_are_identical(suite, tmp_path):
    """Elsewhere, at another time, by somebody with other habits; and nothing appears among the sources."""
    before = command("git", "-C", ROOT, "status", "--porcelain")
    command("sh", "-c", 'umask 077; TZ=Asia/Tokyo LC_ALL=C.UTF-8 exec "$@"', "sh", ROOT / "image/deb.sh",
            suite, tmp_path / "again", timeout=580)
    assert command("git", "-C", ROOT, "status", "--porcelain") == before
    for first, second in zip(packages(suite, *ALL), packages(suite, *ALL, folder=tmp_path / "again")):
        assert first.name == second.name and first.read_bytes() == second.read_bytes(), first.name


def test_versions_agree(suite):
    """The changelog has it; programs and packages say it."""
    version = re.match(r"postern \((\S+)\)", (ROOT / "debian/changelog").read_text())[1]
    release = {"bookworm": "deb12", "trixie": "deb13"}[suite]
    for deb in packages(suite, *ALL):
        assert command("dpkg-deb", "-f", deb, "Version").strip() == f"{version}+{release}"
    said = command("make", "-C", ROOT, "--no-print-directory", "-pn", "help")
    assert f"\nVERSION := {version}\n" in said


def test_what_building_needs_is_said_once_for_both():
    """tools/deps.sh installs it for `make`, debian/control for the packages."""
    listed = set(command(ROOT / "tools/deps.sh", "--list", "build").split()) - NOT_TO_BUILD
    control = (ROOT / "debian/control").read_text()
    needed = set(re.findall(r"^ (\S+),$", control.partition("Build-Depends:")[2].partition("\nRules")[0], re.M))
    assert listed - needed == set()
    assert needed - listed == {"dh-sequence-installsysusers", "scdoc"}
