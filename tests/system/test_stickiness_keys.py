"""The keys that seal cookies: one file for a fleet, changed by a reload, handed over."""

import os

import pytest
from balancer import forward_config
from cookies import Client
from harness import wait_until
from http_wire import ask, request
from scripted_target import answer

STICKY = "health_check.enabled = false\nstickiness.enabled = true\n"
LOST = "the key that seals cookies now is not among the new ones"


def new_key():
    return os.urandom(32).hex()


class KeyFile:
    def __init__(self, path, *keys):
        self.path = path
        self.write(*keys)

    def write(self, *keys):
        self.path.touch(mode=0o600)
        self.path.write_text("".join(f"{key}\n" for key in keys))

    def setting(self):
        return f"seal_key_file = {self.path}\n"


@pytest.fixture(name="key")
def _key():
    return new_key()


@pytest.fixture(name="keys")
def _keys(tmp_path, key):
    return KeyFile(tmp_path / "seal.keys", key)


@pytest.fixture(name="targets")
def _targets(start_target):
    return [start_target(answer(name)) for name in (b"a", b"b", b"c")]


def config(targets, keys=None):
    return forward_config(*targets, group=STICKY, alb=keys.setting() if keys else "")


def is_known(alb, client):
    """Does its cookie lead to the same target, in nine requests of three targets?"""
    fields = client.header()
    return len({ask(alb, request(fields=fields)).body for _ in range(9)}) == 1


def stuck_client(alb):
    client = Client(alb)
    client.visit()
    assert is_known(alb, client)
    return client


# --- a fleet -----------------------------------------------------------------------------------------


def test_balancers_with_one_key_file_agree(start_alb, targets, keys):
    one, two = (start_alb(config(targets, keys), name) for name in ("one", "two"))
    for _ in range(4):
        client = Client(one)
        first = client.visit().body
        client.alb = two
        assert client.bodies(9) == {first}
        client.alb = one
        assert client.bodies(9) == {first}, "with the cookies of the other"


def test_balancers_without_one_do_not(start_alb, targets):
    one, two = (start_alb(config(targets), name) for name in ("one", "two"))
    assert not is_known(two, stuck_client(one))


def test_a_fleet_rotates_one_after_the_other(start_alb, targets, keys, tmp_path, key):
    """The new key is made known everywhere before it seals anywhere."""
    others = KeyFile(tmp_path / "other.keys", key)
    one, two = start_alb(config(targets, keys), "one"), start_alb(config(targets, others), "two")
    newer = new_key()
    client = stuck_client(one)
    for order in ((key, newer), (newer, key), (newer,)):
        for alb, file in ((one, keys), (two, others)):
            file.write(*order)
            alb.reload()
            for at in (one, two):
                client.alb = at
                assert is_known(at, client)
                client.visit()


# --- rotation -----------------------------------------------------------------------------------------


def test_a_reload_takes_a_new_key_without_losing_a_session(start_alb, targets, keys, key):
    alb = start_alb(config(targets, keys))
    client = stuck_client(alb)
    old = dict(client.cookies)
    newer = new_key()
    keys.write(newer, key)
    alb.reload()
    assert is_known(alb, client), "an old cookie"
    client.visit()
    assert client.cookies != old
    keys.write(newer)
    alb.reload()
    assert is_known(alb, client), "it was sealed anew with the new key"
    client.cookies = old
    assert not is_known(alb, client), "the old key is gone"


def test_all_loops_take_the_new_key(start_alb, targets, keys, key):
    alb = start_alb(config(targets, keys).replace("workers = 1", "workers = 3"))
    client = stuck_client(alb)
    newer = new_key()
    keys.write(newer, key)
    alb.reload()
    clients = [client]
    for _ in range(20):  # over whichever loop
        clients.append(Client(alb))
        clients[-1].visit()
    client.visit()
    keys.write(newer)
    alb.reload()
    assert all(is_known(alb, c) for c in clients)


def test_a_reload_without_the_old_key_is_warned_of(start_alb, targets, keys):
    alb = start_alb(config(targets, keys))
    keys.write(new_key())
    line = alb.path.read_text().splitlines().index(keys.setting().strip()) + 1
    code, text = alb.command("reload")
    assert code == 0 and f":{line}: warning: seal_key_file: {LOST}" in text, text


def test_a_reload_that_keeps_the_key_is_not_warned_of(start_alb, targets, keys, key):
    alb = start_alb(config(targets, keys))
    keys.write(new_key(), key)
    assert LOST not in alb.ok("reload")


@pytest.mark.parametrize("content, mode, says", [
    ("0123\n", 0o600, ":1: a key is 64 hexadecimal digits"),
    ("", 0o600, "no key in it; add one: openssl rand -hex 32"),
    ("0" * 64 + "\n", 0o644, "chmod 600"),
])
def test_a_bad_key_file_is_refused_and_the_old_keys_stay(start_alb, targets, keys, content, mode,
                                                        says):
    alb = start_alb(config(targets, keys))
    client = stuck_client(alb)
    keys.path.write_text(content)
    keys.path.chmod(mode)
    code, text = alb.command("reload")
    assert code == 1 and "seal_key_file" in text and says in text, text
    assert is_known(alb, client)


def test_a_dry_run_says_that_keys_changed_and_shows_none(start_alb, targets, keys, key):
    alb = start_alb(config(targets, keys))
    client = stuck_client(alb)
    newer = new_key()
    keys.write(newer, key)
    text = alb.ok("reload", "--dry-run")
    assert "its file has other keys: 1 come, 0 go; another one seals" in text
    assert key[:8] not in text and newer[:8] not in text
    client.visit()
    keys.write(key)
    assert "its file has other keys" not in alb.ok("reload", "--dry-run")
    assert is_known(alb, client), "nothing was taken"
    keys.write(newer)
    text = alb.ok("reload", "--dry-run")
    assert "1 come, 1 go" in text and "is void" in text and LOST in text


# --- with and without a file ----------------------------------------------------------------------------


def test_without_a_file_a_reload_keeps_the_key(start_alb, targets):
    alb = start_alb(config(targets))
    client = stuck_client(alb)
    alb.configure(config(targets) + "\n; changed\n")
    assert LOST not in alb.ok("reload")
    assert is_known(alb, client)


def test_a_file_that_comes_makes_the_cookies_void_and_says_so(start_alb, targets, keys):
    alb = start_alb(config(targets))
    client = stuck_client(alb)
    alb.configure(config(targets, keys))
    assert LOST in alb.ok("reload")
    assert not is_known(alb, client)
    stuck_client(alb)


def test_without_a_file_the_key_is_lost_with_the_process(start_alb, targets):
    alb = start_alb(config(targets))
    client = stuck_client(alb)
    assert alb.stop() == 0
    assert not is_known(start_alb(config(targets), "again"), client)


def test_that_is_warned_of(start_alb, targets):
    alb = start_alb(config(targets))
    wait_until(lambda: "without seal_key_file in [alb], a restart forgets every cookie"
               in alb.log(), "the warning")


def test_with_a_file_a_restart_keeps_the_sessions(start_alb, targets, keys):
    alb = start_alb(config(targets, keys))
    client = stuck_client(alb)
    assert alb.stop() == 0
    assert is_known(start_alb(config(targets, keys), "again"), client)


# --- an upgrade of the binary -------------------------------------------------------------------------------


def upgraded(alb):
    code, text = alb.upgrade()
    assert code == 0, text
    return alb


def test_an_upgrade_hands_over_the_random_key(start_alb, targets):
    alb = start_alb(config(targets))
    client = stuck_client(alb)
    assert is_known(upgraded(alb), client)
    assert is_known(upgraded(alb), client), "and once more"


def test_an_upgrade_reads_the_file_anew(start_alb, targets, keys, key):
    alb = start_alb(config(targets, keys))
    client = stuck_client(alb)
    newer = new_key()
    keys.write(newer, key)
    assert is_known(upgraded(alb), client)
    client.visit()
    keys.write(newer)
    alb.reload()
    assert is_known(alb, client)


def test_keys_of_a_reload_go_over_when_the_file_is_given_up(start_alb, targets, keys):
    """The new process has no file: it has those of the old one."""
    alb = start_alb(config(targets, keys))
    keys.write(new_key())
    alb.reload()
    client = stuck_client(alb)
    alb.configure(config(targets))
    assert is_known(upgraded(alb), client)


def test_a_bad_file_stops_the_upgrade_and_nothing_else(start_alb, targets, keys):
    alb = start_alb(config(targets, keys))
    client = stuck_client(alb)
    keys.path.write_text("x\n")
    code, text = alb.upgrade()
    assert code == 1, text
    assert is_known(alb, client)
