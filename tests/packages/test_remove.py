"""What remove and purge leave behind."""

from harness import wait_until
from machine import BOTH, EDGE, packages
from test_service import ALB, CONFIG, admit, get, open_chat

# What apt, dpkg, systemd and the C library write whatever is machine.
NOT_OURS = ("/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/", "/var/log/", "/root/debs", "/etc/ld.so.cache",
            "/var/lib/systemd/", "/var/lib/logrotate", "/etc/passwd-", "/etc/group-", "/etc/shadow-",
            "/etc/gshadow-", "/etc/.pwd.lock", "/run/", "/tmp/", "/var/tmp/")


def files(machine):
    names = machine.ok("find", "/", "-xdev", "-not", "-path", "/proc/*").splitlines()
    return {name for name in names if not name.startswith(NOT_OURS)}


def of_ours(machine):
    """What bears our name, wherever."""
    found = machine.ok("find", "/", "-xdev", "-not", "-path", "/proc/*", "-name", "*postern*").splitlines()
    return {name for name in found if not name.startswith(("/root/debs", "/var/lib/apt", "/var/cache/apt",
                                                           "/var/log/journal"))}


def accounts(machine):
    return [machine.path(f"/etc/{name}").read_text() for name in ("passwd", "group", "shadow", "gshadow")]


def use(machine):
    """So that there are logs, state and messages."""
    admit(machine, EDGE)
    machine.ok("alb", "register", "chat", "127.0.0.1:9003")
    get(machine.edge)


def test_purge_leaves_nothing(machine):
    before, users = files(machine), accounts(machine)
    machine.install(*packages(machine.suite, *BOTH))
    use(machine)
    machine.ok("apt-get", "purge", "-y", "--autoremove", *BOTH, timeout=240)

    assert files(machine) - before == set()
    assert of_ours(machine) == set()
    assert accounts(machine) == users
    assert machine.ok("systemctl", "--failed", "--no-legend").strip() == ""
    assert machine.run("sh", "-c", "readlink /proc/*/exe | grep -E '/(alb|wsserver)'")[0] == 1


def test_remove_keeps_what_was_configured_and_said(machine):
    machine.install(*packages(machine.suite, *BOTH))
    use(machine)
    mine = machine.path(CONFIG).read_text()
    machine.ok("apt-get", "remove", "-y", *BOTH, timeout=240)

    assert machine.run("systemctl", "is-active", ALB)[1].strip() in ("inactive", "unknown")
    assert machine.path(CONFIG).read_text() == mine
    assert machine.path("/var/lib/postern/alb.state").exists()
    for gone in ("/usr/bin/alb", "/run/postern", "/run/postern-wsserver"):
        assert machine.run("test", "-e", gone)[0] == 1, gone

    machine.install(*packages(machine.suite, *BOTH))
    machine.wait_until_active(ALB)
    assert machine.path(CONFIG).read_text() == mine
    assert "127.0.0.1:9003" in machine.ok("alb", "status")
    machine.ok("alb", "deregister", "chat", "127.0.0.1:9003")
    wait_until(lambda: get(machine.edge) == 200, "the chat", 30)
    open_chat(machine.edge).sock.close()


def test_a_purge_keeps_what_somebody_else_has_put_there(machine):
    machine.install(*packages(machine.suite, *BOTH))
    machine.path("/etc/postern/my.pem").write_text("a key")
    machine.ok("apt-get", "purge", "-y", *BOTH, timeout=240)
    assert [p.name for p in machine.path("/etc/postern").iterdir()] == ["my.pem"]


def test_one_without_the_other(machine):
    machine.install(*packages(machine.suite, "postern-wsserver"))
    machine.ok("apt-get", "purge", "-y", "postern-wsserver", timeout=240)
    assert of_ours(machine) == set()
