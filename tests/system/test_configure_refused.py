"""A text that is wrong: the log says which source and which line, and nobody is accepted."""

import itertools
import stat

import pytest

from first_boot import GOOD, Machine

KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def refused(machine, text):
    machine.give_disk(text)
    outcome = machine.boot()
    assert outcome.code == 1 and outcome.accepts_nobody(), outcome.log
    outcome.line("configuration refused source=nocloud: nobody is accepted")
    return outcome


@pytest.mark.parametrize("text, says", [
    ("#!/bin/sh\necho\n", "nocloud:1: this is a script"),
    ("#cloud-config\nusers: []\n", "nocloud:1: this is for cloud-init"),
    (b"\x1f\x8b\x08\x00abc", "nocloud:1: this is packed by gzip; send it as it is"),
    ("[alb]\n".encode("utf-16"), "nocloud:1: this is UTF-16; save it as UTF-8"),
    (b"[alb]\n; \xff\xfe\n", "nocloud:2: the line is not UTF-8"),
    (b"[alb]\n\nname = a\0b\n", "nocloud:3: the line holds a control character"),
    ("WzEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n", "nocloud:1: this looks like base64"),
    ("name = x\n[alb]\n", "nocloud:1: name stands before the first [section]"),
    ("[alb]\n\n[edge\n", "nocloud:3: section [edge has no ']'"),
    ("[alb]\nx\n", "nocloud:2: \"x\" has no '='"),
    (GOOD + "\n[nginx]\n", "nocloud:19: unknown section [nginx]; alb has [alb], [edge]"),
    (GOOD.replace("node = first", "node = a b"), "nocloud:10: node: \"a b\""),
    (GOOD.replace("allow = 10", "alow = 10"), "nocloud:7: unknown setting \"alow\""),
    (GOOD + "default_action = redirect\n", "nocloud:18: default_action: set twice"),
    (GOOD.replace("[edge]\nallow", "[alb.edge]\nallow").replace("10.0.1.37/32", "x"),
     "nocloud:7: "),
    ("[sqlite]\n", "nocloud: [sqlite] path is missing"),
    (GOOD + KEY, "nocloud:18: a private key in here"),
    (GOOD + KEY.replace("PRIVATE KEY", "CERTIFICATE"), "nocloud:18: certificates and keys come"),
], ids=itertools.count())
def test_the_log_says_where(machine, text, says):
    outcome = refused(machine, text)
    assert outcome.line(says), outcome.log


def test_a_text_may_have_64_kb(machine):
    text = GOOD + (";" * 99 + "\n") * 656
    machine.give_disk(text[:65536])
    assert machine.boot().code == 0
    assert "user-data is larger than 65536 bytes" in refused(machine, text[:65537]).log


def test_all_mistakes_of_both_programs_are_told_at_once(machine):
    outcome = refused(machine, GOOD.replace("10.0.1.37/32", "here").replace("node = first", "node = "))
    outcome.line("nocloud:7: ")
    outcome.line("nocloud:10: ")


def test_a_key_is_never_shown(machine):
    text = GOOD + KEY
    assert "c2VjcmV0" not in refused(machine, text).log


def test_a_file_that_a_setting_names_is_not_there(machine, tmp_path):
    missing = tmp_path / "tls.pem"
    text = GOOD + f"[listener s]\nbind = 0.0.0.0:443\nprotocol = HTTPS\ncertificate = {missing}\n" \
                  "default_action = fixed-response 404 text/plain x\n"
    assert str(missing) in refused(machine, text).line("nocloud:21: ")


def test_one_wrong_part_takes_the_other_with_it(machine):
    """Half of a configuration was never meant."""
    refused(machine, GOOD.replace("node = first", "node = a b"))
    refused(machine, GOOD.replace("10.0.1.37/32", "here"))


def program(folder, name, script):
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("script, says", [
    ("exit 3\n", "alb does not say which sections it has: it failed"),
    ("kill -9 $$\n", "was ended by signal 9"),
    (None, "No such file or directory"),
    ('[ "$1" = sections ] && printf "alb\\nedge\\nlistener\\n" || kill -9 $$\n',
     "nocloud: not checked: "),
    ('[ "$1" = sections ] && printf "alb\\nedge\\nlistener\\n" || '
     '{ i=0; while [ $i -lt 70 ]; do echo "$2:$i: wrong"; i=$((i+1)); done; exit 1; }\n',
     "nocloud: and 20 lines more"),
])
def test_a_program_that_cannot_check_its_part(machine, tmp_path, script, says):
    machine.programs = tmp_path / "programs"
    machine.programs.mkdir()
    program(machine.programs, "wsserver", 'echo wsserver; echo sqlite; echo "$2: ok: "\n')
    if script is not None:
        program(machine.programs, "alb", script)
    refused(machine, GOOD).line(says)


def test_the_default_cannot_be_written(machine):
    """No file at all, and a program without one does not start."""
    machine.give_disk(GOOD)
    (machine.out / "alb.ini").mkdir()
    machine.out.joinpath("alb.ini", "x").touch()
    with pytest.raises(IsADirectoryError):
        machine.boot()
    (machine.out / "alb.ini" / "x").unlink()
    (machine.out / "alb.ini").rmdir()
    assert machine.boot().code == 0
