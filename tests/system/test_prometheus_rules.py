"""conf/prometheus/postern.rules.yml: promtool reads it, each alert fires when it should, and none when all is well."""

import re
import shutil
import subprocess

import pytest
import yaml

from harness import ROOT

RULES = ROOT / "conf/prometheus/postern.rules.yml"
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
PAGES = ("metrics.md", "metrics-wsserver.md")
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: make deps")

# Samples a minute, for 26 hours: a value that stays, or one that grows.
ONE, ZERO, GROWS, GROWS_FAST, STANDS = "1x1560", "0x1560", "0+60x1560", "0+600x1560", "7x1560"
NEXT_DAY, YEARS_ON = "86400x1560", "900000000x1560"
CERT = 'instance="a", section="listener https", file="a.pem"'
APP = 'instance="a", target_group="app"'

# What makes each of them fire, and no other.
FIRES = {
    "PosternDown": {'up{job="postern-alb", instance="a"}': ZERO},
    "PosternFailsOpen": {f"alb_routing_unhealthy{{{APP}}}": ONE},
    "PosternNoTarget": {f'alb_requests_without_target_total{{{APP}, reason="none"}}': GROWS},
    "PosternTargetErrors": {f'alb_group_responses_total{{{APP}, code="5xx"}}': GROWS,
                            f"alb_group_requests_total{{{APP}}}": GROWS_FAST},
    "PosternOwnErrors": {'alb_elb_responses_total{instance="a", code="5xx"}': GROWS,
                         'alb_requests_total{instance="a"}': GROWS_FAST},
    "PosternFull": {'alb_connections_refused_total{instance="a", reason="limit"}': GROWS},
    "PosternUpgradesFail": {'alb_upgrades_failed_total{instance="a", reason="target_status"}': GROWS,
                            'alb_websocket_upgrades_total{instance="a", outcome="opened"}': GROWS_FAST},
    "PosternEdgeStripsHeaders": {'alb_upgrades_failed_total{instance="a", reason="stripped"}': GROWS},
    "PosternTargetSilent": {'alb_websocket_pong_timeouts_total{instance="a", leg="target"}': GROWS},
    "PosternDrainCuts": {'alb_websocket_drain_cut_total{instance="a"}': GROWS},
    "PosternWrongSecret": {'alb_edge_secret_requests_total{instance="a", outcome="wrong"}': GROWS},
    "PosternOnlyObserves": {'alb_edge_connections_total{instance="a", outcome="observed"}': GROWS},
    "PosternStrangers": {'alb_edge_dropped_syns_total{instance="a", family="ipv4"}': STANDS,
                         'alb_health_dropped_syns_total{instance="a", family="ipv4"}': STANDS,
                         'alb_management_dropped_syns_total{instance="a", family="ipv6"}': STANDS,
                         'alb_connections_refused_total{instance="a", reason="management"}': GROWS},
    "PosternLoginsFail": {'alb_management_logins_failed_total{instance="a"}': GROWS},
    "PosternNotSilent": {'alb_edge_filter{instance="a", mode="accept"}': ONE},
    "PosternReadTwoWays": {'alb_second_opinion_differences_total{instance="a"}': GROWS},
    "PosternReloadRefused": {'alb_reloads_total{instance="a", outcome="refused"}': GROWS},
    "PosternLogRowsDropped": {'alb_access_log_rows_total{instance="a", outcome="dropped"}': GROWS,
                              'alb_connection_log_rows_total{instance="a", outcome="dropped"}': STANDS},
    "PosternDnsFails": {'alb_dns_lookups_total{instance="a", outcome="failed"}': GROWS},
    "PosternTlsFails": {'alb_tls_handshake_errors_total{instance="a"}': GROWS,
                        'alb_tls_handshakes_total{instance="a"}': GROWS},
    "PosternCertificateEnds": {f"alb_certificate_not_after_timestamp_seconds{{{CERT}}}": NEXT_DAY},
    "PosternCertificateEnded": {f"alb_certificate_not_after_timestamp_seconds{{{CERT}}}": ONE},
    "PosternAuthorityEnds": {f"alb_authority_not_after_timestamp_seconds{{{CERT}}}": NEXT_DAY},
    "PosternOldProcess": {'alb_old_processes{instance="a"}': ONE},
    "WsserverDown": {'up{job="postern-wsserver", instance="a"}': ZERO},
    "WsserverStoreFails": {'wsserver_store_degraded{instance="a"}': ONE},
    "WsserverOverloaded": {'wsserver_hub_refused_total{instance="a"}': GROWS},
    "WsserverSlowReaders": {'wsserver_websockets_closed_total{instance="a", code="4103"}': GROWS},
}
# The same when all is well: what may count does, what tells of a fault stands still.
GOOD = {"up": ONE, "alb_requests_total": GROWS_FAST, "alb_group_requests_total": GROWS_FAST,
        "alb_certificate_not_after_timestamp_seconds": YEARS_ON, "alb_authority_not_after_timestamp_seconds": YEARS_ON,
        "alb_tls_handshakes_total": GROWS_FAST, "alb_websocket_upgrades_total": GROWS_FAST}
WELL = {series: GOOD.get(series.split("{")[0], STANDS if series.split("{")[0].endswith("_total") else ZERO)
        for chosen in FIRES.values() for series in chosen}


def alerts(tmp_path, series, at, state):
    """Those in that state then, as promtool's test of rules sees them."""
    tests = [{"interval": "1m", "input_series": [{"series": s, "values": v} for s, v in series.items()],
              "promql_expr_test": [{"expr": f'ALERTS{{alertstate=~"{state}"}}', "eval_time": at, "exp_samples": []}]}]
    path = tmp_path / "rules_test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True)
    return set(re.findall(r'alertname="(\w+)"', done.stdout + done.stderr))


@needs_promtool
def test_promtool_reads_them():
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_metric_is_there():
    known = {"up", *re.findall(r"^\| `(\w+)`", "".join((ROOT / "docs" / p).read_text() for p in PAGES), re.M)}
    named = set(re.findall(r"\b((?:alb|wsserver)_\w+)", " ".join(a["expr"] for a in ALERTS)))
    assert named - known == set()


def test_each_alert_is_explained():
    page = (ROOT / "docs/operations.md").read_text()
    assert [a["alert"] for a in ALERTS if f"`{a['alert']}`" not in page] == []


@needs_promtool
@pytest.mark.parametrize("alert", ALERTS, ids=lambda a: a["alert"])
def test_it_fires(tmp_path, alert):
    at = "25h" if alert.get("for") == "1d" else "40m"
    assert alerts(tmp_path, FIRES[alert["alert"]], at, "firing") == {alert["alert"]}


@needs_promtool
def test_none_fires_when_all_is_well(tmp_path):
    assert alerts(tmp_path, WELL, "2h", "firing|pending") == set()
