"""A CloudFormation template, read far enough to say what is wrong with it without a cloud.

    template = Template(ROOT / "conf/aws/postern.yaml")
    template.resolve(node, {"OriginLeg": "https-only"})     # the value that a deployment would have

Short forms (`!Ref X`) become the long ones (`{"Ref": "X"}`), as JSON has them.
"""

import json
import re

import yaml

PSEUDO = {"AWS::AccountId": "123456789012", "AWS::Partition": "aws", "AWS::Region": "eu-west-1",
          "AWS::StackName": "postern", "AWS::NoValue": None}
NAME_IN_TEXT = re.compile(r"\$\{(?!!)([^}]+)\}")


class _Loader(yaml.SafeLoader):
    """Safe, and knows the tags."""


def _long_form(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _long_form)


class Template:
    """One template: what it declares, what it refers to, and what its values come to."""

    def __init__(self, path):
        self.body = yaml.load(path.read_text(), _Loader)
        self.parameters = self.body["Parameters"]
        self.resources = self.body["Resources"]
        self.conditions = self.body.get("Conditions", {})

    def to_json(self):
        return json.dumps(self.body, indent=1)

    def references(self):
        """(kind, name) of each parameter, resource and condition that anything refers to."""
        for part in ("Rules", "Conditions", "Resources", "Outputs"):
            yield from _references(self.body.get(part, {}))

    def resolve(self, node, parameters):
        """Its value, with these parameters and the defaults of the others."""
        values = PSEUDO | {n: p.get("Default") for n, p in self.parameters.items()} | parameters
        return _Resolver(self.conditions, values).value(node)


def _references(node):
    if isinstance(node, list):
        for each in node:
            yield from _references(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _reference(key, value)


def _reference(key, value):
    if key == "Ref":
        yield "value", value
    elif key == "Fn::GetAtt":
        yield "attribute", ".".join(value)
    elif key in ("Condition", "DependsOn") and isinstance(value, str):
        yield ("condition" if key == "Condition" else "value"), value
    elif key == "Fn::If":
        yield "condition", value[0]
        yield from _references(value[1:])
    elif key == "Fn::Sub":
        text, names = (value, {}) if isinstance(value, str) else value
        yield from (("attribute" if "." in n else "value", n)
                    for n in NAME_IN_TEXT.findall(text) if n not in names)
        yield from _references(names)
    else:
        yield from _references(value)


class _Resolver:
    def __init__(self, conditions, values):
        self.conditions, self.values = conditions, values

    def holds(self, name):
        return self.value(self.conditions[name])

    def value(self, node):
        if isinstance(node, list):
            return [v for v in map(self.value, node) if v is not None]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (key, argument), = node.items()
            function = self.FUNCTIONS.get(key)
            if function:
                return function(self, argument)
        pairs = ((k, self.value(v)) for k, v in node.items())
        return {k: v for k, v in pairs if v is not None}

    def ref(self, name):
        # What a resource's Ref gives is made by the cloud.
        return self.values.get(name, f"ref-of-{name}")

    def substitute(self, argument):
        text, names = (argument, {}) if isinstance(argument, str) else argument
        known = {n: self.value(v) for n, v in names.items()}
        return NAME_IN_TEXT.sub(lambda m: str(known.get(m[1], self.ref(m[1]))), text)

    def choose(self, argument):
        name, yes, no = argument
        return self.value(yes if self.holds(name) else no)

    FUNCTIONS = {
        "Ref": ref,
        "Fn::GetAtt": lambda self, a: "attribute-" + "-of-".join(reversed(a)),
        "Fn::Sub": substitute,
        "Fn::If": choose,
        "Fn::Base64": lambda self, a: self.value(a),
        "Fn::Equals": lambda self, a: self.value(a[0]) == self.value(a[1]),
        "Fn::Not": lambda self, a: not self.value(a[0]),
        "Fn::Or": lambda self, a: any(map(self.value, a)),
        "Condition": lambda self, a: self.holds(a),
    }
