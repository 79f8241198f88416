"""conf/aws/postern.yaml, as far as it can be tried without a cloud."""

import itertools
import json
import re
import shutil
import subprocess

import pytest

from cloudformation import PSEUDO, Template
from harness import ROOT, run
from secret_files import with_secrets

PATH = ROOT / "conf/aws/postern.yaml"
TEMPLATE = Template(PATH)
GIVEN = {
    "VpcId": "vpc-1", "SubnetA": "subnet-1", "SubnetB": "subnet-2",
    "BalancerAddressA": "10.0.1.10", "BalancerAddressB": "10.0.2.10", "TargetBlock": "10.0.0.0/16",
    "ImageId": "ami-1", "SecretsSnapshotId": "snap-1", "CloudFrontPrefixListId": "pl-3b927c52",
    "OriginSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:origin",
    "OriginName": "origin.example.com",
}
LEGS = ("http-only", "https-only")
EDGES = ({"EdgeMode": "observe"}, {"EdgeMode": "enforce", "EdgeBlocks": "203.0.113.0/24 10.0.3.7/32"})
DRAIN = {"ManagementTokenArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token",
         "ManagementCa": "PEM", "ManagementBlocks": "10.0.1.0/24 10.0.2.0/24"}
OPERATORS = {"OperatorBlock": "10.0.200.0/28"}
MANAGEMENT = {"nobody": {}, "drain": DRAIN, "operators": OPERATORS, "both": DRAIN | OPERATORS}
PORT = {"http-only": 80, "https-only": 443}


def user_data(parameters):
    template = TEMPLATE.resources["LaunchTemplate"]["Properties"]["LaunchTemplateData"]
    return TEMPLATE.resolve(template["UserData"], dict(GIVEN, **parameters))


def test_it_is_json_as_well():
    assert json.loads(TEMPLATE.to_json())["AWSTemplateFormatVersion"] == "2010-09-09"


def test_every_reference_names_something():
    known = {"value": {*TEMPLATE.parameters, *TEMPLATE.resources, *PSEUDO},
             "condition": set(TEMPLATE.conditions), "attribute": set(TEMPLATE.resources)}
    unknown = [(kind, name) for kind, name in TEMPLATE.references() if name.split(".")[0] not in known[kind]]
    assert unknown == []


def test_every_parameter_and_condition_is_used():
    used = {name for _, name in TEMPLATE.references()}
    assert {*TEMPLATE.parameters, *TEMPLATE.conditions} - used == set()


def test_every_parameter_has_a_place_in_the_form():
    groups = TEMPLATE.body["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(itertools.chain(*(g["Parameters"] for g in groups))) == sorted(TEMPLATE.parameters)


@pytest.mark.parametrize("who", MANAGEMENT)
@pytest.mark.parametrize("edge", EDGES, ids=lambda e: e["EdgeMode"])
@pytest.mark.parametrize("leg", LEGS)
def test_the_user_data_passes_its_check(tmp_path, leg, edge, who):
    text = user_data({**edge, **MANAGEMENT[who], "OriginLeg": leg})
    assert len(text) < 16384, "the metadata service gives no more"
    (tmp_path / "alb.ini").write_text(with_secrets(tmp_path, text))
    code, printed, errors = run("alb", "check", tmp_path / "alb.ini")
    assert code == 0, errors
    # The certificate is that of the tests.
    assert [w for w in (printed + errors).splitlines() if "warning" in w and "is self-signed" not in w] == []


@pytest.mark.parametrize("leg", LEGS)
def test_the_ports_are_those_of_the_user_data(leg):
    text = user_data({"OriginLeg": leg})
    health, listener = map(int, re.findall(r"^bind = 0\.0\.0\.0:(\d+)$", text, re.M))
    group = TEMPLATE.resolve(TEMPLATE.resources["Appliances"]["Properties"], dict(GIVEN, OriginLeg=leg))
    assert (group["Port"], int(group["HealthCheckPort"])) == (listener, health) == (PORT[leg], 8090)
    rules = TEMPLATE.resolve(TEMPLATE.resources["InstanceGroup"]["Properties"], dict(GIVEN, OriginLeg=leg))
    assert [r["FromPort"] for r in rules["SecurityGroupIngress"]] == [listener, health]


def test_an_outage_of_the_servers_replaces_no_appliance():
    assert TEMPLATE.resources["Group"]["Properties"]["HealthCheckType"] == "ELB"
    assert "[health]" in user_data({}) and "\nready_needs_target = off\n" in user_data({})


def test_a_leaving_instance_is_kept_until_it_has_been_seen_and_drained():
    text = user_data({})
    delay, = map(int, re.findall(r"^shutdown_delay = (\d+)s$", text, re.M))
    group = TEMPLATE.resolve(TEMPLATE.resources["Appliances"]["Properties"], GIVEN)
    assert delay >= int(group["HealthCheckIntervalSeconds"]) * (int(group["UnhealthyThresholdCount"]) + 1)
    drain, = map(int, re.findall(r"^deregistration_delay\.timeout_seconds = (\d+)$", text, re.M))
    hook = TEMPLATE.resolve(TEMPLATE.resources["Hook"]["Properties"], dict(GIVEN, **DRAIN))
    assert int(hook["HeartbeatTimeout"]) >= delay + drain


def test_management_is_for_those_who_are_named():
    allowed = {who: re.findall(r"^\[management\]\nbind = 0\.0\.0\.0:9443\nallow = *(.*?) *$", user_data(given), re.M)
               for who, given in MANAGEMENT.items()}
    assert allowed == {"nobody": [], "drain": ["10.0.1.0/24 10.0.2.0/24"], "operators": ["10.0.200.0/28"],
                       "both": ["10.0.1.0/24 10.0.2.0/24 10.0.200.0/28"]}
    for rule, condition in (("DrainReachesInstances", "Drains"), ("OperatorsReachInstances", "HasOperators")):
        resource = TEMPLATE.resources[rule]
        assert resource["Condition"] == condition
        assert (resource["Properties"]["FromPort"], resource["Properties"]["ToPort"]) == (9443, 9443)


def test_nothing_in_it_is_public():
    text = PATH.read_text()
    assert "0.0.0.0/0" not in text and "::/0" not in text
    kinds = {r["Type"] for r in TEMPLATE.resources.values()}
    assert not kinds & {"AWS::EC2::Route", "AWS::EC2::EIP", "AWS::EC2::NatGateway"}
    assert TEMPLATE.resources["Balancer"]["Properties"]["Scheme"] == "internal"


def test_no_secret_is_in_the_user_data():
    assert "resolve:secretsmanager" not in user_data({})


def test_the_service_group_takes_the_prefix_list_s_place():
    properties = TEMPLATE.resources["BalancerGroup"]["Properties"]
    first, = TEMPLATE.resolve(properties, GIVEN)["SecurityGroupIngress"]
    later, = TEMPLATE.resolve(properties, dict(GIVEN, ServiceSecurityGroupId="sg-1"))["SecurityGroupIngress"]
    assert first["SourcePrefixListId"] == "pl-3b927c52" and "SourceSecurityGroupId" not in first
    assert later["SourceSecurityGroupId"] == "sg-1" and "SourcePrefixListId" not in later


@pytest.mark.skipif(shutil.which("cfn-lint") is None,
                    reason="cfn-lint is missing, and Debian has no package of it; tests/apps has the specification")
def test_the_linter_has_nothing_to_say():
    done = subprocess.run(["cfn-lint", "--include-checks", "I", "--", PATH], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
