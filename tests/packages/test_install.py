"""What is there after `apt-get install`, and how it begins: nobody is admitted until an edge is named."""

import re

from machine import CHROOT, command, packages
from netns import APPLIANCE, answer_to_syn

UNITS = ("postern-alb.service", "postern-wsserver.service")


def test_it_starts_and_accepts_nobody(installed):
    for unit in UNITS:
        assert installed.ok("systemctl", "is-enabled", unit).strip() == "enabled"
    assert installed.ok("systemctl", "--failed", "--no-legend").strip() == ""
    for host in (installed.edge, installed.stranger):
        assert answer_to_syn(host, APPLIANCE, 80, 0.5) == "silence"

    log = installed.journal("postern-alb")
    assert "allow = none: nobody may connect; name the addresses of the edge here" in log
    shown = installed.ok("alb", "edge", "show")
    assert shown.startswith("nobody may connect") and "then: alb reload" in shown


def test_only_the_configured_ports_are_open(installed):
    rows = installed.ok("ss", "-Htuln").splitlines()
    assert {row.split()[4] for row in rows} == {"0.0.0.0:80", "127.0.0.1:9100", "127.0.0.1:9001"}


def test_users_and_folders(installed):
    for user in ("postern-alb", "postern-wsserver"):
        row = installed.ok("getent", "passwd", user).split(":")
        assert row[5] == "/nonexistent" and row[6].strip() == "/usr/sbin/nologin"
    for folder, owner in (("/var/lib/postern", "postern-alb"), ("/var/log/postern", "postern-alb"),
                          ("/var/lib/postern-wsserver", "postern-wsserver")):
        assert installed.ok("stat", "-c", "%U:%G", folder).strip() == f"{owner}:{owner}"
    assert installed.ok("stat", "-c", "%U:%G %a", "/etc/postern/alb.ini").strip() == "root:root 644"


def test_manual_pages_and_completion(installed):
    for page in ("man8/alb.8", "man5/alb.ini.5", "man8/wsserver.8", "man5/wsserver.ini.5"):
        # A minimal root's dpkg may leave them out; then the package has them all the same.
        names = installed.ok("dpkg", "-L", "postern-alb", "postern-wsserver").split()
        assert f"/usr/share/man/{page}.gz" in names
    offered = installed.ok("bash", "-c", ". /usr/share/bash-completion/bash_completion; _completion_loader alb; "
                           "COMP_WORDS=(alb dr) COMP_CWORD=1; _postern alb dr alb; echo ${COMPREPLY[*]}")
    assert offered.split() == ["drain"]


def test_lintian_finds_no_error(suite):
    debs = packages(suite, "postern-alb", "postern-wsserver", "postern-appliance")
    said = command(CHROOT, "run", suite, "build,compiler,deb-build", "lintian", "--allow-root",
                   "--fail-on", "error", "--suppress-tags", "bad-distribution-in-changes-file", *debs)
    assert not re.search(r"^E:", said, re.M), said
