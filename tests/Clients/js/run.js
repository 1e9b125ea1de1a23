// Runs the tests of this folder, and ends with the line "N passed, N failed, N skipped".
import { readdirSync } from "node:fs";
import path from "node:path";
import { run } from "node:test";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const files = readdirSync(folder).filter(name => name.endsWith(".test.js")).map(name => path.join(folder, name));
let passed = 0;
let failed = 0;
let skipped = 0;
// For a whole file too: in Node.js 20 the time of a file is that of a test.
run({ files, concurrency: false, timeout: 600_000 })
  .on("test:pass", ({ name, details, skip }) => {
    if (skip) {
      skipped++;
      console.log(`${name} [SKIP] ${skip}`);
      return;
    }
    passed++;
    console.log(`${name} (${Math.round(details.duration_ms)} ms)`);
  })
  .on("test:fail", ({ name, details }) => {
    failed++;
    const error = details.error.cause ?? details.error;
    console.error(`${name} [FAIL]\n${error.stack ?? error}`);
  })
  .on("end", () => {
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
    process.exit(failed === 0 && passed > 0 ? 0 : 1);
  })
  .resume();
