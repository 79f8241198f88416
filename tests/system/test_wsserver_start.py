"""Commands, configurations that are refused, and starts that fail, each with one clear sentence."""

import pytest

from harness import ROOT, run


def test_help_version_settings():
    assert run("wsserver", "--help")[1].startswith("usage: wsserver run FILE")
    assert run("wsserver", "--version")[1].startswith("wsserver 0.")
    out = run("wsserver", "settings")[1]
    assert "## [wsserver]" in out and "| `ping_interval` | `25s` |" in out
    assert "wsserver_deliveries_total" in run("wsserver", "metrics")[1]
    assert run("wsserver")[0] == run("wsserver", "nonsense", "x")[0] == 2


def test_the_sample_configuration_is_good():
    code, out, err = run("wsserver", "check", ROOT / "conf/wsserver.ini")
    assert (code, err) == (0, "") and "ok" in out


def test_every_problem_is_listed_with_its_place(tmp_path):
    path = tmp_path / "bad.ini"
    path.write_text("[wsserver]\nbind = here\nnode = a b\nport = 1\nping_interval = 1\n"
                    "store = mongodb\n[sqlit]\npath = x\n")
    for command in ("check", "run"):
        code, out, err = run("wsserver", command, path)
        assert code == 1 and out == ""
        for line, word in [(2, "bind"), (3, "node"), (4, "port"), (5, "ping_interval"),
                           (6, "store"), (7, "[sqlit]")]:
            assert any(f"bad.ini:{line}: " in row and word in row for row in err.splitlines()), err


def test_no_file(tmp_path):
    code, _, err = run("wsserver", "run", tmp_path / "none.ini")
    assert code == 1 and "none.ini" in err


def fails(start_wsserver, **settings):
    node = start_wsserver("second", wait=False, **settings)
    assert node.wait() == 1
    lines = [line for line in node.log().splitlines() if line.startswith("wsserver: ")]
    assert len(lines) == 1, node.log()
    return lines[0]


def test_a_taken_port(start_wsserver):
    first = start_wsserver()
    assert first.address in fails(start_wsserver, bind=first.address)


def test_a_missing_folder(start_wsserver, tmp_path):
    path = tmp_path / "no" / "such" / "chat.db"
    assert str(path) in fails(start_wsserver, store="sqlite", sqlite_path=path)


def test_a_node_name_in_use(start_wsserver, tmp_path):
    db = {"store": "sqlite", "sqlite_path": tmp_path / "chat.db"}
    start_wsserver("n1", **db)
    assert "n1" in fails(start_wsserver, node="n1", **db)


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "[::1]:0"])
def test_the_ready_file(start_wsserver, bind):
    node = start_wsserver(bind=bind)
    assert node.ready["node"] == "n1" and node.ready["pid"] > 0
    assert node.address.startswith(bind[:-1]) and not node.address.endswith(":0")
    assert node.get("/health")[0] == 200
