"""conf/aws/postern.yaml beside AWS' own specification of its resources, which npm has (cfn-lint it has not)."""

import copy
import json
import subprocess

import pytest

from apps import HERE
from cloudformation import Template
from harness import PATIENCE, ROOT

BODY = Template(ROOT / "conf/aws/postern.yaml").body


def mistakes(body):
    done = subprocess.run(["node", HERE / "template_spec.mjs"], input=json.dumps(body), capture_output=True,
                          text=True, timeout=60 * PATIENCE, cwd=HERE)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_specification_knows_all_of_it():
    assert mistakes(BODY) == []


def misspelt(body):
    body["Resources"]["VpcOrigin"]["Properties"]["VpcOriginEndpointConfig"]["HttpPort"] = 80


def left_out(body):
    del body["Resources"]["Balancer"]["Properties"]["SubnetMappings"][0]["SubnetId"]


def of_another_type(body):
    body["Resources"]["Group"]["Properties"]["TargetGroupARNs"] = "one"


def no_attribute(body):
    body["Outputs"]["VpcOriginId"]["Value"] = {"Fn::GetAtt": ["VpcOrigin", "Name"]}


@pytest.mark.parametrize("change, found", [
    (misspelt, "VpcOrigin.VpcOriginEndpointConfig.HttpPort: is not known"),
    (left_out, "Balancer.SubnetMappings.0.SubnetId: is missing"),
    (of_another_type, "Group.TargetGroupARNs: is no list"),
    (no_attribute, "VpcOrigin.Name: is no attribute"),
], ids=lambda v: getattr(v, "__name__", ""))
def test_a_mistake_is_found(change, found):
    body = copy.deepcopy(BODY)
    change(body)
    assert mistakes(body) == [found]
