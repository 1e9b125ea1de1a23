// The declarations are written by hand: they must compile, and name what there is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as client from "@channelserver/client";
import typescript from "typescript";

const declarations = fileURLToPath(import.meta.resolve("@channelserver/client")).replace(/\.js$/, ".d.ts");
const program = typescript.createProgram([fileURLToPath(new URL("types.ts", import.meta.url))], {
  strict: true, noEmit: true, noUnusedLocals: true, skipLibCheck: false, types: [],
  target: typescript.ScriptTarget.ES2022, module: typescript.ModuleKind.NodeNext, moduleResolution: typescript.ModuleResolutionKind.NodeNext,
  lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
});

test("the declarations compile, and their example too", () => {
  const found = typescript.getPreEmitDiagnostics(program).map(({ file, start, messageText }) =>
    `${file?.fileName}:${file && file.getLineAndCharacterOfPosition(start).line + 1} ${typescript.flattenDiagnosticMessageText(messageText, "\n")}`);
  assert.deepEqual(found, []);
});

test("they name all that the module has, and nothing else", () => {
  const checker = program.getTypeChecker();
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(declarations)));
  const values = exported.filter(({ flags }) => flags & typescript.SymbolFlags.Value);
  assert.deepEqual(values.map(({ name }) => name).sort(), Object.keys(client).sort());
  const socket = values.find(({ name }) => name === "ChannelSocket");
  const declared = [...socket.members.keys()].filter(name => name !== "__constructor" && name !== "binaryType");
  const inherited = ["addEventListener", "removeEventListener"];
  const actual = Object.getOwnPropertyNames(client.ChannelSocket.prototype).filter(name => name !== "constructor");
  assert.deepEqual(declared.sort(), [...actual, ...inherited].sort());
});
