// docs/schema and docs/asyncapi.yaml against the golden frames of docs/frames.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import { test } from "node:test";
import Ajv from "ajv";
import Ajv2020 from "ajv/dist/2020.js";
import { parse } from "yaml";

const docs = new URL("../../docs/", import.meta.url);
const read = name => readFileSync(new URL(name, docs), "utf8");
const formats = { ipv4: net.isIPv4, ipv6: net.isIPv6 };

/** Which golden frames a schema is for: those of its name, and with a hyphen behind it. */
const goldenNames = {
  "v1-greeting": "greeting",
  "v1-envelope": "envelope",
};
const names = readdirSync(new URL("schema/", docs)).map(file => file.replace(/\.json$/, ""));
const frameSchemas = names.filter(name => !["sender", "v2-frame"].includes(name));
const schemas = Object.fromEntries(names.map(name => [name, JSON.parse(read(`schema/${name}.json`))]));

const golden = Object.fromEntries(readdirSync(new URL("frames/", docs))
  .map(file => [file.replace(/\.txt$/, ""), jsonOf(read(`frames/${file}`))])
  .filter(([, json]) => json !== undefined));

/** The JSON of a golden frame, or undefined where it holds none. */
function jsonOf(source) {
  if (!source.startsWith("81") || !source.includes("\n> {")) {
    return undefined;
  }
  const octets = source.split("\n").slice(1).filter(line => line).map(line => line.startsWith("> ")
    ? Buffer.from(line.slice(2))
    : Buffer.from(line.split(";")[0].replace(/\s/g, ""), "hex"));
  return JSON.parse(Buffer.concat(octets).toString()
    .replaceAll("{channel}", "A".repeat(22))
    .replaceAll("{token}", "0".repeat(32)));
}

function framesOf(schema) {
  const prefix = goldenNames[schema] ?? schema;
  return Object.keys(golden).filter(name => name === prefix || name.startsWith(`${prefix}-`));
}

/** A schema of version 2 leaves room for members to come. No golden frame may have any already. */
function closed(schema) {
  if (Array.isArray(schema)) {
    return schema.map(closed);
  }
  if (schema === null || typeof schema !== "object") {
    return schema;
  }
  const all = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return schema.type === "object" ? { ...all, additionalProperties: false } : all;
}

const validators = new Map();

function compiled(schema, isClosed = false) {
  const key = `${schema} ${isClosed}`;
  if (!validators.has(key)) {
    validators.set(key, compile(schema, isClosed ? closed : same => same));
  }
  return validators.get(key);
}

function compile(schema, change) {
  const ajv = new Ajv2020({ strict: true, formats, allErrors: true });
  for (const [name, other] of Object.entries(schemas)) {
    ajv.addSchema(change(other), `${name}.json`);
  }
  const validate = ajv.getSchema(`${schema}.json`);
  return json => (validate(json) ? null : ajv.errorsText(validate.errors));
}

test("every golden frame with JSON belongs to one schema, and every schema has a golden frame", () => {
  const claimed = frameSchemas.flatMap(framesOf);
  assert.deepEqual(claimed.toSorted(), Object.keys(golden).toSorted());
  assert.deepEqual(frameSchemas.filter(schema => framesOf(schema).length === 0), []);
});

for (const schema of frameSchemas) {
  const errors = compiled(schema, true);
  const openErrors = compiled(schema);
  const { properties, required } = schemas[schema];
  for (const name of framesOf(schema)) {
    test(`${name} is valid by ${schema}`, () => assert.equal(errors(golden[name]), null));

    test(`${name} is not valid by ${schema} without a member or with another type of one`, () => {
      for (const key of Object.keys(golden[name])) {
        const { [key]: value, ...without } = golden[name];
        assert.ok(key in properties, `${schema} does not know ${key}`);
        assert.equal(openErrors(without) !== null, required.includes(key), `without ${key}`);
        assert.notEqual(openErrors({ ...without, [key]: typeof value === "object" ? "text" : [value] }), null, `another ${key}`);
      }
    });

    test(`${name} is no frame of another kind`, () => {
      assert.equal(compiled("v2-frame")(golden[name]) === null, schema.startsWith("v2-"));
      for (const other of frameSchemas.filter(other => other !== schema)) {
        assert.notEqual(compiled(other)(golden[name]), null, `${name} is valid by ${other}`);
      }
    });
  }
}

test("the AsyncAPI document is valid by its official schema", () => {
  const official = createRequire(import.meta.url)("@asyncapi/specs/schemas/3.0.0-without-$id.json");
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  const validate = ajv.compile(official);
  const document = parse(read("asyncapi.yaml"), { merge: true });
  assert.ok(validate(document), ajv.errorsText(validate.errors));
  assert.equal(validate({ ...document, channels: { broken: { address: 1 } } }), false);
});

test("the AsyncAPI document refers to what there is, and to every schema of a frame", () => {
  const document = parse(read("asyncapi.yaml"), { merge: true });
  const files = new Set();
  visit(document);
  assert.deepEqual([...files].toSorted(), frameSchemas.map(name => `schema/${name}.json`).toSorted());

  function visit(node) {
    if (node === null || typeof node !== "object") {
      return;
    }
    if (typeof node.$ref === "string") {
      const [file, pointer] = node.$ref.split("#/");
      if (file) {
        files.add(file);
        JSON.parse(read(file));
      } else {
        const found = pointer.split("/").reduce((at, key) => at?.[key], document);
        assert.ok(found, `${node.$ref} refers to nothing`);
      }
    }
    Object.values(node).forEach(visit);
  }
});
