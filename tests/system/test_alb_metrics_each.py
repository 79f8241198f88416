"""Every counter counts: what provokes it, and by how much it goes up. And Prometheus' own checker
has nothing to say of the page."""

import contextlib
import http.client
import pathlib
import re
import shutil
import subprocess

import pytest

from balancer import forward_config
from harness import BIN, free_port, split_address, wait_until
from http_wire import ask, request, values
from scripted_target import answer
from sockets import is_closed
from ws_wire import echo_script, frame, upgrade_request

MORE = """
[target_group gone]
target = 127.0.0.1:{gone}
health_check.enabled = false
[target_group none]
target = 127.0.0.1:1 weight=0
health_check.enabled = false
[target_group sticky]
target = {app}
health_check.enabled = false
stickiness.enabled = true
[listener tls]
bind = 127.0.0.1:0
protocol = HTTPS
certificate = {{cert}}
default_action = forward app
[listener six]
bind = [::1]:0
default_action = forward app
[listener long]
bind = 127.0.0.1:0
default_action = redirect 301 https://#{{host}}:443/#{{path}}?a=#{{path}}
"""
RULES = {"/fixed": "fixed-response 200", "/moved": "redirect 302 https://#{host}:443/#{path}",
         "/refused": "forward gone", "/nobody": "forward none", "/sticky": "forward sticky",
         "/five": "fixed-response 500"}


def script(sock, head, rest):
    path = head.split(b" ")[1]
    if values(head, "Upgrade"):
        return echo_script(sock, head, rest)
    if path == b"/silent":
        return sock.recv(1) and False
    status = {b"/2": "201 Made", b"/3": "304 Same", b"/4": "404 No", b"/5": "599 Odd"}
    return answer(b"" if path == b"/3" else b"ok", status.get(path, "200 OK"))(sock, head, rest)


def upgrade(alb, end=frame(8, b"\x03\xe8")):
    with alb.connect() as sock:
        sock.sendall(upgrade_request("/ws") + end)
        while sock.recv(65536):
            pass


def get(path, **kw):
    return lambda alb: alb.get(path, **kw)


def raw(data, listener=None):
    return lambda alb: ask(alb, data, listener)


def bad_tls(alb):
    with alb.connect("tls") as sock:
        sock.sendall(b"\x00" * 64)
        is_closed(sock)


def refused_reload(alb):
    good = alb.path.read_text()
    alb.path.write_text(good + "[nonsense]\n")
    assert alb.command("reload")[0] != 0
    alb.path.write_text(good)


APP = 'target_group="app",target="{app}"'
# what is done, and the sample (a name without labels: their sum) with how much it goes up; None: it
# goes up somehow
CASES = [
    (get("/"), {"alb_connections_total": 1, "alb_requests_total": 1, "alb_client_sent_bytes_total": None,
                "alb_client_received_bytes_total": None, f"alb_target_requests_total{{{APP}}}": 1,
                'alb_group_requests_total{target_group="app"}': 1,
                f"alb_target_response_time_seconds_count{{{APP}}}": 1,
                'alb_group_response_time_seconds_count{target_group="app"}': 1}),
    (get("/2"), {f'alb_target_responses_total{{{APP},code="2xx"}}': 1,
                 'alb_group_responses_total{target_group="app",code="2xx"}': 1}),
    (get("/3"), {f'alb_target_responses_total{{{APP},code="3xx"}}': 1,
                 'alb_group_responses_total{target_group="app",code="3xx"}': 1}),
    (get("/4"), {f'alb_target_responses_total{{{APP},code="4xx"}}': 1,
                 'alb_group_responses_total{target_group="app",code="4xx"}': 1}),
    (get("/5"), {f'alb_target_responses_total{{{APP},code="5xx"}}': 1,
                 'alb_group_responses_total{target_group="app",code="5xx"}': 1}),
    (get("/fixed"), {"alb_fixed_responses_total": 1, "alb_rule_evaluations_total": None}),
    (get("/five"), {'alb_elb_errors_total{code="500"}': 1, 'alb_elb_responses_total{code="5xx"}': 1}),
    (raw(request(path="/moved")), {"alb_redirects_total": 1, 'alb_elb_responses_total{code="3xx"}': 1}),
    (raw(request(path="/" + "x" * 9000), "long"), {"alb_redirect_url_limit_exceeded_total": 1}),
    (get("/refused"), {'alb_elb_errors_total{code="502"}': 1, "alb_target_connection_errors_total": 1,
                       'alb_group_connection_errors_total{target_group="gone"}': 1}),
    (get("/nobody"), {'alb_elb_errors_total{code="503"}': 1,
                      'alb_requests_without_target_total{target_group="none",reason="none"}': 1}),
    (get("/silent"), {'alb_elb_errors_total{code="504"}': 1}),
    (get("/sticky"), {"alb_non_sticky_requests_total": 1}),
    (raw(b"nonsense\r\n\r\n"), {'alb_elb_responses_total{code="4xx"}': 1}),
    (raw(b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), {"alb_desync_non_compliant_requests_total": 1}),
    (raw(request(fields=b"X_y: 1\r\n")), {"alb_forwarded_invalid_header_requests_total": 1}),
    (get("/", listener="six"), {"alb_ipv6_requests_total": 1, "alb_ipv6_bytes_total": None}),
    (get("/", listener="tls", tls=True), {"alb_tls_handshakes_total": 1}),
    (bad_tls, {"alb_tls_handshake_errors_total": 1}),
    (upgrade, {'alb_websocket_upgrades_total{outcome="opened"}': 1, "alb_websocket_tunnels_ended_total": 1,
               f'alb_target_responses_total{{{APP},code="1xx"}}': 1,
               'alb_group_responses_total{target_group="app",code="1xx"}': 1, "alb_target_connections_total": 1,
               f"alb_target_tunnels_total{{{APP}}}": 1, f'alb_target_frames_total{{{APP},from="client"}}': 1,
               f'alb_target_frames_total{{{APP},from="target"}}': 1,
               f'alb_target_tunnel_bytes_total{{{APP},from="client"}}': 8,
               f'alb_target_tunnel_bytes_total{{{APP},from="target"}}': 4}),
    (lambda alb: upgrade(alb, b""), {"alb_websocket_tunnels_idle_total": 1}),
    (lambda alb: upgrade(alb, b"\xff\xff\xff" + frame(8)), {"alb_websocket_tunnels_opaque_total": 1}),
    (raw(upgrade_request().replace(b"Version: 13", b"Version: 7")),
     {'alb_websocket_upgrades_total{outcome="failed"}': 1}),
    (lambda alb: alb.reload(), {'alb_reloads_total{outcome="accepted"}': 1}),
    (refused_reload, {'alb_reloads_total{outcome="refused"}': 1}),
    (lambda alb: None, {"alb_uptime_seconds": None}),
]


def value(samples, name):
    if name in samples:
        return samples[name]
    return sum(v for k, v in samples.items() if k.split("{")[0] == name)


def test_each(start_alb, start_target):
    app = start_target(script)
    rules = "\n".join(f"[rule r{i}]\nlistener = http\npriority = {i + 1}\npath-pattern = {p}\naction = {a}"
                      for i, (p, a) in enumerate(RULES.items()))
    alb = start_alb(forward_config(
        app, edge="allow = 127.0.0.0/8 ::1/128", alb="idle_timeout.timeout_seconds = 1",
        more=MORE.format(gone=free_port(), app=app.address) + rules))
    wrong = []
    for number, (provoke, deltas) in enumerate(CASES):
        before = alb.metrics()
        try:
            provoke(alb)
        except (EOFError, ConnectionError):
            pass
        for name, delta in deltas.items():
            name = name.replace("{app}", app.address)

            def grown():
                return value(alb.metrics(), name) - value(before, name)
            try:
                wait_until(lambda: grown() == delta if delta is not None else grown() > 0, name, 2)
            except AssertionError:
                wrong.append((number, name, delta, grown()))
    assert not wrong
    assert alb.metric("alb_connections_open") == 0
    assert alb.metric("alb_target_connections_open") <= app.connections


def test_fields_that_are_dropped(start_alb, start_target):
    alb = start_alb(forward_config(
        start_target(script), alb="routing.http.drop_invalid_header_fields.enabled = true"))
    assert alb.metric("alb_dropped_invalid_header_requests_total") == 0
    ask(alb, request(fields=b"X_y: 1\r\nX_z: 2\r\n"))
    assert alb.metric("alb_dropped_invalid_header_requests_total") == 1
    assert alb.metric("alb_forwarded_invalid_header_requests_total") == 0


def test_healthy_and_unhealthy_targets(start_alb, start_target):
    good, bad = start_target(script).address, f"127.0.0.1:{free_port()}"
    alb = start_alb(forward_config(good, bad, group="health_check.interval_seconds = 5"))
    wait_until(lambda: alb.metric(f'alb_target_healthy{{target_group="app",target="{good}"}}') == 1, "its first check")
    assert alb.metric(f'alb_target_healthy{{target_group="app",target="{bad}"}}') == 0
    assert alb.metric('alb_healthy_hosts{target_group="app"}') == 1
    assert alb.metric('alb_unhealthy_hosts{target_group="app"}') == 1


def test_connections_are_handed_to_a_loop_that_has_fewer(start_alb, start_target):
    """Of 16 loops the kernel's hashing soon gives one 8 more than another; of two it may never."""
    alb = start_alb(forward_config(start_target(script)).replace("workers = 1", "workers = 16"))
    with contextlib.ExitStack() as held:
        for _ in range(400):
            held.enter_context(alb.connect())
            if alb.metric("alb_connections_handed_over_total") > 0:
                break
        assert alb.metric("alb_connections_handed_over_total") > 0


# What no traffic can provoke, and where it is tested.
ELSEWHERE = {
    "alb_second_opinion_differences_total": "unit/http/test_second.c",  # a bug of ours only
}


def test_each_metric_is_looked_at_by_some_test():
    """One that is added needs a row above, or a test of its own."""
    here = pathlib.Path(__file__).parent
    names = re.findall(r"^\| `(alb_\w+)`", (here.parent.parent / "docs/metrics.md").read_text(), re.M)
    tests = "".join(p.read_text() for p in here.glob("*.py"))
    assert len(names) > 50
    assert [n for n in names if n not in ELSEWHERE and not re.search(rf"{n}(\W|_count\b)", tests)] == []


# The managed balancer's, without those that docs/managed.md says belong to what is not here.
CLOUDWATCH = """
ActiveConnectionCount NewConnectionCount RejectedConnectionCount ClientTLSNegotiationErrorCount
TargetTLSNegotiationErrorCount RequestCount RequestCountPerTarget ProcessedBytes IPv6ProcessedBytes
IPv6RequestCount HTTPCode_ELB_3XX_Count HTTPCode_ELB_4XX_Count HTTPCode_ELB_5XX_Count
HTTPCode_ELB_500_Count HTTPCode_ELB_502_Count HTTPCode_ELB_503_Count HTTPCode_ELB_504_Count
HTTPCode_Target_2XX_Count HTTPCode_Target_3XX_Count HTTPCode_Target_4XX_Count
HTTPCode_Target_5XX_Count TargetResponseTime TargetConnectionErrorCount HealthyHostCount
UnHealthyHostCount AnomalousHostCount MitigatedHostCount HealthyStateRouting UnhealthyStateRouting
UnhealthyRoutingRequestCount NonStickyRequestCount HTTP_Fixed_Response_Count HTTP_Redirect_Count
HTTP_Redirect_Url_Limit_Exceeded_Count RuleEvaluations DesyncMitigationMode_NonCompliant_Request_Count
DroppedInvalidHeaderRequestCount ForwardedInvalidHeaderRequestCount
"""


def test_each_cloudwatch_name_is_in_a_help_text(start_alb, start_target):
    alb = start_alb(forward_config(start_target(script)))
    help_texts = " ".join(line for line in page(alb).decode().splitlines() if line.startswith("# HELP"))
    assert [n for n in CLOUDWATCH.split() if not re.search(rf"\b{n}\b", help_texts)] == []
    version = subprocess.run([BIN / "alb", "--version"], capture_output=True, text=True).stdout.split()[-1]
    assert alb.metric(f'alb_build_info{{version="{version}"}}') == 1


def page(alb):
    conn = http.client.HTTPConnection(*split_address(alb.ready["admin"]), timeout=20)
    conn.request("GET", "/metrics")
    return conn.getresponse().read()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: make deps")
def test_promtool_has_no_warning(start_alb, start_target, tmp_path):
    odd = f"unix:{tmp_path}/{{a=1}},#b.sock"  # escapes: unit/base/test_metrics.c
    alb = start_alb(forward_config(start_target(script), odd))
    alb.get("/")
    done = subprocess.run(["promtool", "check", "metrics"], input=page(alb), capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_page_of_1000_targets_is_whole(start_alb, start_target):
    many = [f"127.{i // 250}.{i % 250}.1:{9000 + i}" for i in range(1000)]
    alb = start_alb(forward_config(*many, alb="idle_timeout.timeout_seconds = 1"))
    text = page(alb).decode()
    assert text.endswith("\n") and text.count("alb_target_response_time_seconds_count{") == 1000
