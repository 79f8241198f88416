"""A TLS handshake with a target that fails: another target is asked, and who fails more than its
peers is found out."""

import ssl

import pytest

from harness import PATIENCE, wait_until
from http_wire import ask, request
from scripted_target import answer
from sockets import reset
from test_alb_https_targets import count, verify
from test_alb_https_targets_misbehave import ERRORS, ODD
from tls_targets import groups_config, server_context

RETRIES = "alb_retries_total"


def break_off(certificate, flights, how):
    """A server that speaks TLS 1.2 as far as this many of its flights, and then hangs up."""
    def script(sock, hello):
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = server_context(certificate, maximum_version=ssl.TLSVersion.TLSv1_2)
        tls = context.wrap_bio(into, out, server_side=True)
        into.write(hello)
        for _ in range(flights):
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            sock.sendall(out.read())
            into.write(sock.recv(65536))
        how(sock)
    return script


def close(sock):
    sock.close()


@pytest.mark.parametrize("how", [close, reset])
@pytest.mark.parametrize("flights", [0, 1])
def test_a_handshake_that_is_broken_off(start_alb, start_raw_target, start_tls_target,
                                        certificates, flights, how):
    bad = start_raw_target(break_off(certificates.path("good"), flights, how))
    good = start_tls_target(answer(b"good"))
    alb = start_alb(groups_config({"app": [bad, good]}))

    assert [alb.get("/app")[2] for _ in range(4)] == [b"good"] * 4
    assert bad.connections == count(alb, ERRORS, target=bad.address) == 2
    assert count(alb, RETRIES, outcome="sent") == 2
    assert count(alb, ERRORS, target=good.address) == 0
    assert len(good.seen) == 4
    assert {row.split()[4] for row in alb.access_rows()} <= {good.address}


@pytest.mark.parametrize("kind", ODD)
def test_a_handshake_that_fails(start_alb, start_raw_target, start_tls_target, kind):
    bad, good = start_raw_target(ODD[kind][0]), start_tls_target(answer(b"good"))
    alb = start_alb(groups_config({"app": [bad, good]}, "idle_timeout.timeout_seconds = 1"))

    assert [alb.get("/app")[2] for _ in range(2)] == [b"good"] * 2
    assert bad.connections == count(alb, ERRORS, target=bad.address) == 1
    assert count(alb, RETRIES, outcome="sent") == 1 and len(good.seen) == 2


@pytest.mark.parametrize("alb_text, text", [
    ("profile = aws\n", request(path="/app")),
    ("", request("POST", "/app")),
], ids=["profile_aws", "post"])
def test_one_that_is_not_to_be_sent_again_is_a_502(start_alb, start_raw_target, start_tls_target,
                                                   alb_text, text):
    bad, good = start_raw_target(ODD["fin"][0]), start_tls_target()
    alb = start_alb(groups_config({"app": [bad, good]}, alb_text))

    assert sorted(ask(alb, text).status for _ in range(2)) == [200, 502]
    assert count(alb, RETRIES) == 0 and len(good.seen) == 1
    assert f'end="{ODD["fin"][1]}"' in alb.access_row(" 502 ")


def test_nobody_is_left(start_alb, start_raw_target):
    bad = [start_raw_target(ODD["rst"][0]) for _ in range(2)]
    alb = start_alb(groups_config({"app": bad}, more={"app": "retry.max = 3\n"}))

    assert alb.get("/app")[0] == 502
    assert [t.connections for t in bad] == [1, 1] and count(alb, ERRORS) == 2
    assert count(alb, RETRIES, outcome="sent") == count(alb, RETRIES, outcome="no_target") == 1
    assert f'end="{ODD["rst"][1]}"' in alb.access_row(" 502 ")


def test_a_certificate_that_does_not_hold_counts_only_when_verified(start_alb, start_tls_target,
                                                                    certificates):
    bad, good = start_tls_target(answer(b"bad"), cert="stranger"), start_tls_target(answer(b"good"))
    on, off = (groups_config({"app": [bad, good]}, more={"app": more})
               for more in (verify(certificates), ""))
    alb = start_alb(on)

    assert [alb.get("/app")[2] for _ in range(4)] == [b"good"] * 4
    assert bad.seen == [] and count(alb, ERRORS, target=bad.address) == 2
    alb.configure(off)
    alb.reload()
    assert {alb.get("/app")[2] for _ in range(4)} == {b"good", b"bad"}
    alb.configure(on)
    alb.reload()  # a connection that was made without verifying does not serve on
    assert [alb.get("/app")[2] for _ in range(4)] == [b"good"] * 4
    assert len(bad.seen) == 2


@pytest.mark.parametrize("kind", ["hangs_up", "certificate", "stalls"])
def test_one_that_fails_more_than_its_peers_is_found_out(start_alb, start_tls_target,
                                                         start_raw_target, certificates, kind):
    bad = {"hangs_up": lambda: start_raw_target(ODD["fin"][0]),
           "stalls": lambda: start_raw_target(ODD["silent"][0]),
           "certificate": lambda: start_tls_target(cert="stranger")}[kind]()
    alb = start_alb(groups_config(
        {"app": [bad, start_tls_target(), start_tls_target()]},
        f"idle_timeout.timeout_seconds = {2 * PATIENCE:.0f}" if kind == "stalls" else "",
        more={"app": verify(certificates) + "load_balancing.algorithm.type = weighted_random\n"
              "load_balancing.algorithm.anomaly_mitigation = on\n"}))

    def ask_many():
        socks = [alb.connect() for _ in range(60)]
        for sock in socks:
            sock.sendall(request(path="/app"))
        for sock in socks:
            assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
            sock.close()

    def detection():
        ask_many()
        return alb.status()["target_groups"][0]["targets"][0]["AnomalyDetection"]
    wait_until(lambda: detection() == {"Result": "anomalous", "MitigationInEffect": "yes"},
               "it to be anomalous")
    assert alb.metric("alb_anomalous_hosts") == alb.metric("alb_mitigated_hosts") == 1
    assert count(alb, "alb_target_connection_errors_total") == 0
