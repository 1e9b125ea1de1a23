// The declarations are written by hand: they must compile, and name what there is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as client from "@channelserver/client";
import typescript from "typescript";

const declarations = fileURLToPath(import.meta.resolve("@channelserver/client")).replace(/\.js$/, ".d.ts");
const programFor = (module, moduleResolution, lib) => typescript.createProgram([fileURLToPath(new URL("types.ts", import.meta.url))], {
  strict: true, noEmit: true, noUnusedLocals: true, skipLibCheck: false, types: [], target: typescript.ScriptTarget.ES2022, module, moduleResolution, lib,
});
const { ModuleKind, ModuleResolutionKind } = typescript;
const program = programFor(ModuleKind.NodeNext, ModuleResolutionKind.NodeNext, ["lib.es2022.d.ts", "lib.dom.d.ts"]);

for (const [name, consumer] of [
  ["Node.js", programFor(ModuleKind.NodeNext, ModuleResolutionKind.NodeNext, ["lib.es2022.d.ts"])],
  ["a bundler and a browser", programFor(ModuleKind.ESNext, ModuleResolutionKind.Bundler, ["lib.es2022.d.ts", "lib.dom.d.ts"])],
  ["modules and a browser", program],
]) {
  test(`the declarations compile for ${name}, and their example too`, () => compiles(consumer));
}

function compiles(program) {
  const found = typescript.getPreEmitDiagnostics(program).map(({ file, start, messageText }) =>
    `${file?.fileName}:${file && file.getLineAndCharacterOfPosition(start).line + 1} ${typescript.flattenDiagnosticMessageText(messageText, "\n")}`);
  assert.deepEqual(found, []);
}

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
