// template_spec.mjs -- a CloudFormation template (JSON on standard input) beside AWS' own specification of
// its resources: a line for each property that is not known, is missing or has a value of another type, and
// for each attribute that a resource does not have.

import { text } from "node:stream/consumers";
import { loadAwsServiceSpec } from "@aws-cdk/aws-service-spec";

const db = await loadAwsServiceSpec();
const template = JSON.parse(await text(process.stdin));
const mistakes = [];
const say = (place, what) => mistakes.push(`${place}: ${what}`);

const isFunction = (value) => {
  const keys = value !== null && typeof value === "object" ? Object.keys(value) : [];
  return keys.length === 1 && (keys[0] === "Ref" || keys[0].startsWith("Fn::"));
};

function checkProperties(place, known, value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return say(place, "is no object");
  for (const name of Object.keys(value)) {
    if (known[name] === undefined) say(`${place}.${name}`, "is not known");
    else checkType(`${place}.${name}`, known[name].type, value[name]);
  }
  for (const [name, property] of Object.entries(known))
    if (property.required && value[name] === undefined) say(`${place}.${name}`, "is missing");
}

// A number or a truth may be written as text, and the other way round: CloudFormation converts.
const SCALARS = new Set(["string", "number", "integer", "boolean", "date-time"]);

function checkType(place, type, value) {
  if (isFunction(value)) {
    if (value["Fn::If"]) value["Fn::If"].slice(1).forEach((each) => checkType(place, type, each));
    return;
  }
  if (SCALARS.has(type.type)) {
    if (typeof value === "object") say(place, `is no ${type.type}`);
    else if (type.allowedValues && !type.allowedValues.includes(value))
      say(place, `is none of ${type.allowedValues.join(", ")}`);
  } else if (type.type === "array" || type.type === "map") {
    if (type.type === "array" && !Array.isArray(value)) return say(place, "is no list");
    for (const [key, each] of Object.entries(value)) checkType(`${place}.${key}`, type.element, each);
  } else if (type.type === "ref") {
    checkProperties(place, db.get("typeDefinition", type.reference.$ref).properties, value);
  } else if (type.type === "union") {
    checkUnion(place, type, value);
  }
}

function checkUnion(place, type, value) {
  const before = mistakes.length;
  const tries = type.types.map((each) => {
    checkType(place, each, value);
    return mistakes.splice(before);
  });
  if (!tries.some((found) => found.length === 0)) mistakes.push(...tries[0]);
}

function checkAttributes(node) {
  if (node === null || typeof node !== "object") return;
  const wanted = node["Fn::GetAtt"];
  if (wanted) {
    const { Type } = template.Resources[wanted[0]] ?? {};
    const spec = Type && resource(Type);
    if (!spec?.attributes[wanted[1]] && !spec?.properties[wanted[1]]) say(wanted.join("."), "is no attribute");
  }
  Object.values(node).forEach(checkAttributes);
}

const resource = (type) => db.lookup("resource", "cloudFormationType", "equals", type)[0];

for (const [name, { Type, Properties = {} }] of Object.entries(template.Resources)) {
  const spec = resource(Type);
  if (spec) checkProperties(name, spec.properties, Properties);
  else say(name, `${Type} is no resource`);
}
checkAttributes({ ...template.Resources, ...template.Outputs });
mistakes.forEach((line) => console.log(line));
