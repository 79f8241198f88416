"""Where a machine's configuration comes from: the first source that has one, else the default."""

import os
import re
import stat

import pytest

from first_boot import GOOD, PROGRAMS, Machine, Metadata, response, sha256
from harness import ROOT, run


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def named(name):
    return GOOD.replace("app/first/", f"app/{name}/")


def test_without_any_source_nobody_is_accepted(machine):
    outcome = machine.boot()
    assert outcome.code == 0 and outcome.accepts_nobody()
    assert "no source has one, and nobody is accepted" in outcome.log


@pytest.mark.parametrize("give", ["credential", "nocloud", "metadata"])
def test_each_source(machine, start_target, give):
    if give == "credential":
        machine.give_credential(GOOD)
    elif give == "nocloud":
        machine.give_disk(GOOD)
    else:
        machine.be_on_ec2(start_target(Metadata(GOOD)).address)
    outcome = machine.boot()
    assert outcome.code == 0, outcome.log
    outcome.line(f"configuration found source={give} bytes={len(GOOD)} sha256={sha256(GOOD)}")
    outcome.line(f"configuration in force alb={give} wsserver={give}")
    assert "app/first/" in outcome.files["alb"] and "node = first" in outcome.files["wsserver"]


def test_their_order(machine, start_target):
    server = start_target(Metadata(named("metadata")))
    machine.be_on_ec2(server.address)
    assert "app/metadata/" in machine.boot().files["alb"]
    machine.give_disk(named("nocloud"))
    assert "app/nocloud/" in machine.boot().files["alb"]
    asked = len(server.seen)
    machine.give_credential(named("credential"))
    assert "app/credential/" in machine.boot().files["alb"]
    assert asked == len(server.seen) == 2


def test_a_source_that_cannot_be_read_ends_the_search(machine):
    machine.give_disk(named("nocloud"))
    (machine.credentials / "postern.ini").mkdir()
    outcome = machine.boot()
    assert outcome.code == 1 and outcome.accepts_nobody()
    outcome.line("credential: cannot read ")
    outcome.line("configuration refused source=credential: nobody is accepted")


def test_a_disk_that_the_unit_could_not_read(machine):
    (machine.nocloud / "error").write_text("/dev/vdb: mount: wrong fs type\n")
    outcome = machine.boot()
    assert outcome.code == 1 and outcome.accepts_nobody()
    outcome.line("nocloud: /dev/vdb: mount: wrong fs type")


def test_lines_keep_their_numbers(machine):
    machine.give_disk(GOOD)
    files = machine.boot().files
    lines = GOOD.split("\n")
    for text in files.values():
        ours = text.split("\n")
        assert len(ours) == len(lines)
        assert all(line in ("", lines[i]) for i, line in enumerate(ours))
    for i, line in enumerate(lines):
        owners = [name for name in PROGRAMS if files[name].split("\n")[i] == line != ""]
        assert len(owners) == (line != "" and not line.startswith(";")), line


def test_the_files_are_for_their_group(machine):
    old = os.umask(0o077)
    try:
        machine.give_disk(GOOD)
        machine.boot()
    finally:
        os.umask(old)
    for name in PROGRAMS:
        assert stat.S_IMODE((machine.out / f"{name}.ini").stat().st_mode) == 0o640
    assert sorted(path.name for path in machine.out.iterdir()) == ["alb.ini", "wsserver.ini"]


def test_a_program_that_the_text_says_nothing_to_has_its_default(machine):
    alb = GOOD.replace("[wsserver]\nnode = first\n", "").replace(
        "[sqlite]\npath = /var/lib/postern-wsserver/chat.db\n", "")
    machine.give_disk(alb)
    outcome = machine.boot()
    assert outcome.code == 0 and outcome.is_default("wsserver") and "app/first/" in outcome.files["alb"]
    outcome.line("configuration in force alb=nocloud wsserver=default")
    machine.give_disk("[wsserver]\nnode = x\n[sqlite]\npath = /var/lib/postern-wsserver/x.db\n")
    outcome = machine.boot()
    assert outcome.code == 0 and outcome.is_default("alb") and "node = x" in outcome.files["wsserver"]
    outcome.line("nocloud: no section is alb's, so nobody is accepted")


def test_a_section_may_name_its_program(machine):
    machine.give_disk(GOOD.replace("[sqlite]", "[wsserver.sqlite]").replace("[edge]", "[alb.edge]"))
    outcome = machine.boot()
    assert outcome.code == 0, outcome.log
    assert "\n[sqlite]\n" in outcome.files["wsserver"] and "\n[edge]\n" in outcome.files["alb"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_kind_of_section_that_is_documented_is_known(program):
    """`sections` is what the splitter goes by."""
    _, page, _ = run(program, "settings")
    headings = [line[4:].rstrip("]").split()[0] for line in page.splitlines()
                if line.startswith("## [")]
    assert run(program, "sections")[1].split() == headings != []


def test_both_programs_have_no_section_in_common():
    """Else the one text must name the program: say so in docs/first-boot.md."""
    alb, wsserver = (set(run(program, "sections")[1].split()) for program in PROGRAMS)
    assert not alb & wsserver
    assert not any("." in kind for kind in alb | wsserver), "alb.X is X of alb"


def test_the_defaults_pass_their_check_and_accept_nobody():
    for program in PROGRAMS:
        code, out, errors = run(program, "check", ROOT / f"image/default/{program}.ini")
        assert code == 0, errors
        assert program != "alb" or ("edge set of 0 ranges" in out and "allow = none" in errors)


def test_help_version_and_wrong_arguments():
    assert run("postern-configure", "--help")[1].startswith("usage: postern-configure")
    assert run("postern-configure", "--version")[1].startswith("postern-configure 0.")
    for arguments, why in [(["--out"], "needs a value"), (["--no", "x"], 'unknown option "--no"'),
                           (["--metadata", "here"], "here"), (["--metadata-wait", "x"], "duration")]:
        code, _, errors = run("postern-configure", *arguments)
        assert code == 2 and why in errors, errors


def test_what_was_in_force_is_not_after_a_wrong_text(machine):
    machine.give_disk(GOOD)
    assert not machine.boot().accepts_nobody()
    machine.give_disk(GOOD + "[nonsense]\n")
    outcome = machine.boot()
    assert outcome.code == 1 and outcome.accepts_nobody()


def test_a_metadata_service_without_user_data_is_an_answer(machine, start_target):
    server = start_target(Metadata(None))
    machine.be_on_ec2(server.address)
    outcome = machine.boot()
    assert outcome.code == 0 and outcome.accepts_nobody() and len(server.seen) == 2
    outcome.line("configuration absent source=metadata")


def test_the_metadata_service_is_asked_on_its_own_cloud_only(machine, start_target):
    server = start_target(Metadata(GOOD))
    machine.be_on_ec2(server.address)
    (machine.dmi / "sys_vendor").write_text("QEMU\n")
    outcome = machine.boot()
    assert outcome.code == 0 and outcome.accepts_nobody() and server.connections == 0


def test_an_answer_that_is_late_is_waited_for(machine, start_target):
    busy = response("503 Service Unavailable")
    server = start_target(Metadata(GOOD, answers=[busy, busy, response("401 Unauthorized"), b""]))
    machine.be_on_ec2(server.address)
    outcome = machine.boot()
    assert outcome.code == 0 and "app/first/" in outcome.files["alb"], outcome.log
    assert len(server.seen) == 6


def test_a_balancer_with_the_default_answers_nobody(machine, start_alb):
    text = machine.boot().files["alb"].replace("control = /run/postern/alb.sock\n", "")
    alb = start_alb(text.replace("127.0.0.1:8080", "127.0.0.1:0"))
    with pytest.raises(OSError):  # no answer to the SYN, or closed at once
        with alb.connect(timeout=1) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            if sock.recv(1) == b"":
                raise ConnectionResetError


# --- docs/first-boot.md

PAGE = (ROOT / "docs/first-boot.md").read_text()


def test_the_documented_text_is_a_good_one(machine, certificates, tmp_path):
    text = re.search(r"```ini\n(.*?)```", PAGE, re.S)[1]
    secrets = tmp_path / "secrets"
    (secrets / "tls").mkdir(parents=True)
    (secrets / "origin-secret").write_text("0123456789abcdef\n")
    (secrets / "origin-secret").chmod(0o400)
    (secrets / "tls/site.pem").symlink_to(certificates.path("good"))
    machine.give_disk(text.replace("/run/postern-secrets", str(secrets)))
    outcome = machine.boot()
    warnings = [line for line in outcome.log.splitlines() if ": warning: " in line]
    assert outcome.code == 0 and len(warnings) == 1, outcome.log
    assert "a CDN edge refuses" in warnings[0], "the certificate is one of the tests' own"
    outcome.line("configuration in force alb=nocloud wsserver=nocloud")


def test_each_sentence_of_the_page_is_one_that_is_said():
    sources = [*(ROOT / "image/configure").glob("*.c"), ROOT / "image/units/bin/postern-volume",
               ROOT / "lib/base/text.c", ROOT / "lib/base/ini_file.c"]
    said = re.sub(r'"\s*(EXPECTED)?\s*"', "", "\n".join(path.read_text() for path in sources))
    rows = re.search(r"\| The log says \|.*?\n\n", PAGE, re.S)[0].splitlines()[2:]
    sentences = [text for row in rows for text in re.findall(r"`([^`]+)`", row.split(" | ")[0])]
    assert len(sentences) > 30
    for text in sentences:
        assert text.replace("/run/postern-secrets/", "") in said, text
