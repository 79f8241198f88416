"""Logs leave a machine by journal upload and by syslog, as files among its secrets say: what programs say, and a row for
each request, which is too much for the console."""

import machines
import receivers


def _make_row(machine, name):
    """A request that its row is known by."""
    assert machines.serves(machine).get(f"/?row={name}")[0] == 200
    return f"/?row={name} "


def _arrived(machine, lines, text):
    """The first line with that text; before it can have arrived, the console would have had it."""
    found = machine.wait_until(lambda: [line for line in list(lines) if text in line], f"{text!r} in what was sent")
    return found[0]


def test_a_row_arrives_by_journal_upload(bios, logs):
    row = _make_row(bios, "upload")
    entry = bios.wait_until(lambda: [e for e in list(logs.journal.got) if row in e.get("MESSAGE", "")],
                            "the row in the journal")[0]
    assert entry["_SYSTEMD_UNIT"] == "postern-alb.service" and entry["_HOSTNAME"] == "postern"
    assert row not in bios.console()


def test_journal_upload_has_what_was_said_before_there_was_a_network(bios, logs):
    bios.wait_until(lambda: [e for e in list(logs.journal.got) if "configuration in force" in e.get("MESSAGE", "")],
                    "what postern-configure said")


def test_journal_upload_goes_on_when_it_was_refused(bios, logs):
    bios.wait_until(lambda: logs.journal.posts > receivers.REFUSALS, "a request after those that were refused")
    assert logs.journal.names == {"machine"}, "whose certificate it shows"


def test_a_row_arrives_as_syslog_over_tcp_when_the_receiver_has_been_away(bios, logs):
    bios.wait_until(lambda: logs.tcp.connections > 1, "a second connection")
    row = _make_row(bios, "tcp")
    assert " postern " in _arrived(bios, logs.tcp.lines, row)
    assert row not in bios.console()


def test_a_row_arrives_as_syslog_over_udp(uefi, logs):
    row = _make_row(uefi, "udp")
    assert " postern " in _arrived(uefi, logs.udp.lines, row)
    assert row not in uefi.console()
