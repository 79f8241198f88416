"""`alb quick`: in front of a server of one's own, without a file."""

import http.client
import sys

from harness import BIN, Process, free_port, run, wait_until


def get(port, path):
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        conn.request("GET", path)
        got = conn.getresponse()
        return got.status, got.read()
    except ConnectionError:
        return None, b""
    finally:
        conn.close()


def test_it_serves_a_python_http_server(started, tmp_path):
    (tmp_path / "page.txt").write_text("hello from python\n")
    target, port = free_port(), free_port()
    server = Process(tmp_path, "server", sys.executable, "-m", "http.server", target,
                     "--bind", "127.0.0.1", "--directory", tmp_path)
    started.append(server)
    server.start(wait=False)
    quick = Process(tmp_path, "quick", BIN / "alb", "quick", "--target", f"127.0.0.1:{target}",
                    "--listen", f":{port}")
    started.append(quick)
    quick.start(wait=False)

    wait_until(lambda: get(port, "/page.txt") == (200, b"hello from python\n"), "the page")
    assert get(port, "/none")[0] == 404
    text = quick.log()
    assert "[target_group" in text and f"target = 127.0.0.1:{target}" in text


def test_what_it_prints_is_a_file_that_passes_check(started, tmp_path):
    quick = Process(tmp_path, "quick", BIN / "alb", "quick", "--target", "127.0.0.1:9",
                    "--listen", f":{free_port()}")
    started.append(quick)
    quick.start(wait=False)
    wait_until(lambda: "listener open" in quick.log(), "it to listen")
    lines = quick.log().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("["))
    config = [line for line in lines[first:] if not line[:4].isdigit() and "warning:" not in line]
    path = tmp_path / "made.ini"
    path.write_text("\n".join(config) + "\n")
    code, out, err = run("alb", "check", path)
    assert code == 0, out + err


def test_commands_talk_to_it_if_it_is_told_where(started, tmp_path):
    socket = tmp_path / "alb.sock"
    quick = Process(tmp_path, "quick", BIN / "alb", "quick", "--target", "127.0.0.1:9",
                    "--listen", f":{free_port()}", "--control", socket)
    started.append(quick)
    quick.start(wait=False)
    wait_until(lambda: "listener open" in quick.log(), "it to listen")
    code, out, err = run("alb", "status", "--socket", socket)
    assert code == 0 and "127.0.0.1:9" in out, err


def test_a_wrong_target_is_a_sentence():
    for args in ((), ("--target", "nowhere"), ("--target", "127.0.0.1:99999"), ("--target",)):
        code, _, text = run("alb", "quick", *args)
        assert code == 2 and text.startswith("alb quick: "), args
