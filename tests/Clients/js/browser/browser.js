// A browser, and the pages that it opens: the client's ES modules as they are, from a static server on loopback.
import { accessSync, constants } from "node:fs";
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import http from "node:http";
import path from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { freePort } from "../../../RealClient/server.js";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const CLIENT = path.dirname(fileURLToPath(import.meta.resolve("@channelserver/client")));
const MOZILLA = path.join(HERE, "../node_modules/fxa-pairing-channel/dist");

const TYPES = { ".html": "text/html", ".js": "text/javascript" };

/** The path of the browser; null where there is none. */
export const BROWSER = process.env.CHROMIUM || (process.env.PATH ?? "").split(path.delimiter)
  .flatMap(folder => ["chromium", "chromium-browser", "google-chrome"].map(name => path.join(folder, name)))
  .find(isExecutable) || null;

let browser;
let site;

after(async () => {
  await (await browser)?.close();
  (await site)?.close();
});

/** A page with a browser context of its own, so that it shares nothing with another. */
export async function newPage(t) {
  const { isolated } = await (browser ??= start());
  const context = await isolated.newContext();
  t.after(() => context.close());
  return load(await context.newPage());
}

/** A page in a window of the browser that can be hidden and frozen, as when its user turns to something else. */
export async function newTab(t) {
  const { plain } = await (browser ??= start());
  const [context] = plain.contexts();
  const page = await load(await context.newPage());
  const session = await context.newCDPSession(page);
  t.after(() => page.close());
  return {
    page,
    async freeze() {
      await session.send("Page.setWebLifecycleState", { state: "frozen" });
    },
    async show() {
      await session.send("Page.setWebLifecycleState", { state: "active" });
      const other = await context.newPage();
      await other.bringToFront();
      await page.bringToFront();
      await other.close();
    },
  };
}

async function start() {
  const port = await freePort();
  // A container lets no process make the namespaces that a sandbox needs, and the pages are our own.
  const isolated = await chromium.launch({ executablePath: BROWSER, chromiumSandbox: false, args: [`--remote-debugging-port=${port}`] });
  // Playwright makes its pages believe that they are always looked at. Those of this second connection are left alone.
  const plain = await connect(port);
  return {
    isolated,
    plain,
    async close() {
      await plain.close();
      await isolated.close();
    },
  };
}

/** The browser may listen on its port a moment later than it answers otherwise. */
async function connect(port, deadline = Date.now() + 60_000) {
  try {
    return await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
  } catch (error) {
    if (Date.now() > deadline) {
      throw error;
    }
    await new Promise(resolve => setTimeout(resolve, 50));
    return connect(port, deadline);
  }
}

async function load(page) {
  page.on("pageerror", error => console.error(error));
  await page.goto(`http://127.0.0.1:${(await (site ??= serve())).address().port}/page.html`);
  await page.waitForSelector("html[data-ready]", { state: "attached" });
  return page;
}

async function serve() {
  const server = http.createServer(async ({ url }, response) => {
    const file = fileOf(url);
    try {
      const content = await readFile(file);
      response.writeHead(200, { "Content-Type": `${TYPES[path.extname(file)]}; charset=utf-8` }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function fileOf(url) {
  const name = path.basename(url);
  switch (path.dirname(url)) {
    case "/client": return path.join(CLIENT, name);
    case "/mozilla": return path.join(MOZILLA, name);
    default: return path.join(HERE, name === "page.html" ? "" : "..", name);
  }
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
