"""Manual pages and completion say what the programs say: every command, option and setting."""

import re
import subprocess

import pytest

from harness import BIN, ROOT, run

PROGRAMS = ["alb", "wsserver"]
PAGE = ROOT / "conf/man/page.sh"
COMPLETION = ROOT / "conf/completion/postern.bash"


def usages(program):
    """{command: the rest of its line in --help}"""
    said = run(program, "--help")[1]
    lines = re.findall(rf"^(?:usage:)? *{program} (-{{0,2}}[a-z].*)$", said, re.M)
    found = {}
    for line in lines:
        line = line.split("   ")[0]
        found[line.split()[0]] = line.partition(" ")[2]
    return found


def page(program, name):
    done = subprocess.run([PAGE, ROOT / "conf/man" / f"{name}.scd", BIN / program, "1.2.3"], text=True,
                          capture_output=True, check=True)
    assert not re.search("^@|@version", done.stdout, re.M), "each mark was replaced"
    return done.stdout


def plain(text):
    return re.sub(r"[\\*_]", "", text)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_manual_has_every_command(program):
    text = plain(page(program, f"{program}.8"))
    assert len(usages(program)) >= 4
    for command, rest in usages(program).items():
        assert plain(f"\n{program} {command} {rest}".rstrip()) + "\n" in text, command


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_manual_has_every_setting(program):
    text = page(program, f"{program}.ini.5")
    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \| .* \| (.+) \|$", run(program, "settings")[1], re.M)
    assert len(rows) >= 10
    for key, default, help_text in rows:
        found = re.search(rf"^\*{re.escape(key.replace('_', chr(92) + '_'))}\*\n\t(.+)\n\n\tDefault: (.+)$",
                          text, re.M)
        assert found, key
    last = re.sub(r"\]\([^)]*\)", "]", help_text).replace("`", "")
    assert plain(found[1]) == plain(last)
    sections = re.findall(r"^## (\[.+\])$", run(program, "settings")[1], re.M)
    assert [s for s in sections if f"\n# {s}\n" not in text] == []


def completions(*words):
    """What is offered for the last of these words."""
    script = f"""
        . {COMPLETION}
        PATH={BIN}:$PATH
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        _postern "$1" "${{@: -1}}" "${{@: -2:1}}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_is_completed(program):
    assert set(usages(program)) <= set(completions(program, ""))
    for command in usages(program):
        assert command in completions(program, command[:3]), command


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_is_completed(program):
    count = 0
    for command, rest in usages(program).items():
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in completions(program, command, "--"), (command, option)
            count += 1
    assert count > 0


def test_options_that_many_have_are_said_and_completed():
    """AT in a command's line stands for them."""
    about = run("alb", "--help")[1].partition("\nAT is ")[2]
    options = re.findall(r"--[a-z-]+", about)
    text = plain(page("alb", "alb.8"))
    assert {"--socket", "--remote"} <= set(options)
    for option in options:
        assert option in completions("alb", "status", "--"), option
        assert option in text, option


def test_what_else_is_completed(tmp_path):
    (tmp_path / "one.ini").touch()
    file = str(tmp_path / "one.ini")
    assert {"show", "refused", "check", "add", "remove"} <= set(completions("alb", "edge", ""))
    assert completions("alb", "edge", "re") == ["refused", "remove"]
    assert completions("alb", "run", file[:-2]) == [file]
    assert completions("wsserver", "check", file[:-2]) == [file]
    assert completions("alb", "status", "--socket", file[:-2]) == [file]
    assert completions("alb", "edge", "add", "10.0.0.1", "--for", "") == []


@pytest.mark.parametrize(("program", "waits"), [("alb", ["shutdown_delay", "shutdown_timeout"]),
                                                ("wsserver", ["shutdown_timeout"])])
def test_the_service_manager_waits_for_the_longest_stop(program, waits):
    settings = run(program, "settings")[1]
    unit = (ROOT / f"conf/systemd/postern-{program}.service").read_text()
    seconds = {"s": 1, "m": 60, "min": 60, "h": 3600}

    def longest(name):
        number, of = re.search(rf"^\| `{name}` \| [^|]+ \| \d+\.\.(\d+)(\w+) \|", settings, re.M).groups()
        return int(number) * seconds[of]
    number, of = re.search(r"^TimeoutStopSec=(\d+)(\w+)$", unit, re.M).groups()
    assert int(number) * seconds[of] > sum(map(longest, waits))
