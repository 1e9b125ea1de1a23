// The example of the README runs, and prints what the README says.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { serverWith } from "./harness.js";

test("the example of the README does what it says", async t => {
  const readme = await readFile(fileURLToPath(new URL("README.md", import.meta.resolve("@channelserver/client"))), "utf8");
  const { url } = await serverWith();
  const example = /```js\n(.*?)```/s.exec(readme)[1].replaceAll("ws://localhost:8000", url);
  const said = /Prints[^\n]*:\n\n((?: {4}[^\n]*\n)+)/.exec(readme)[1].replaceAll(/^ {4}/gm, "");
  // Beside the tests, where the packages are found.
  const file = fileURLToPath(new URL("example.tmp.mjs", import.meta.url));
  await writeFile(file, example);
  t.after(() => rm(file));
  const { stdout } = await promisify(execFile)(process.execPath, [file]);
  assert.deepEqual(stdout.split("\n").sort(), said.split("\n").sort());
});
