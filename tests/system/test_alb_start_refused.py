"""What keeps alb from starting is said in a sentence, with file and line."""

import socket

import pytest

from balancer import forward_config
from harness import run


def start_fails(start_alb, config, name="alb"):
    """The exit code and all that it said."""
    alb = start_alb(config, name, wait=False)
    return alb.wait(), alb.log()


def test_a_port_of_another_process(start_alb):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        config = forward_config().replace("bind = 127.0.0.1:0", f"bind = {bind}")
        code, text = start_fails(start_alb, config)
    assert code == 1
    line = config.splitlines().index("[listener http]") + 1
    assert f"alb.ini:{line}: " in text
    assert f"{bind} is in use by another process: stop it or choose another port" in text


def test_a_port_of_another_alb(start_alb, start_target):
    first = start_alb(forward_config(start_target()), "first")
    config = forward_config().replace("bind = 127.0.0.1:0", f"bind = 127.0.0.1:{first.port()}")
    code, text = start_fails(start_alb, config, "second")
    assert code == 1 and "is in use by another process" in text
    assert {first.get()[0] for _ in range(10)} == {200}, "it takes no traffic away"


@pytest.mark.parametrize("what, sentence", [
    ("/nowhere/cert.pem", "/nowhere/cert.pem"),
    ("{access}.not", "No such file"),
])
def test_a_missing_certificate(start_alb, what, sentence):
    config = forward_config(more=f"""
[listener https]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {what}
default_action = forward app
""")
    code, text = start_fails(start_alb, config)
    assert code == 1
    assert "certificate" in text and sentence in text and "alb.ini:" in text


def test_a_missing_file(tmp_path):
    code, _, text = run("alb", "run", tmp_path / "none.ini")
    assert code == 1 and "none.ini" in text and "No such file" in text


def test_check_lists_every_error_with_its_line(tmp_path):
    path = tmp_path / "bad.ini"
    path.write_text("""[alb]
idle_timeout.timeout_seconds = 5000
nonsense = 1
[edge]
allow = 10.0.0.0/33
[listener http]
bind = here
default_action = forward nobody
[rule r]
listener = nowhere
priority = 0
action = jump
""")
    code, out, text = run("alb", "check", path)
    assert code == 1
    for line in (2, 3, 5, 7, 8, 10, 11, 12):
        assert f"bad.ini:{line}: " in out + text, (line, out + text)


def test_check_passes_what_starts(tmp_path):
    path = tmp_path / "good.ini"
    path.write_text(forward_config("127.0.0.1:1").replace("{access}", "-").replace("{socket}", ""))
    code, out, text = run("alb", "check", path)
    assert code == 0, out + text


@pytest.mark.parametrize("args", [(), ("jump",), ("run",), ("run", "a", "b"), ("check",),
                                  ("run", "--ready-file")])
def test_a_wrong_command_line_is_exit_2(args):
    code, _, text = run("alb", *args)
    assert code == 2 and text.startswith("alb: ") and "alb --help" in text
