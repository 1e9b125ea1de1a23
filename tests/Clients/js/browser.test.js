// The client in a real browser: two pages that share nothing, a running server, and a proxy in between that cuts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BROWSER, newPage, newTab } from "./browser/browser.js";
import { proxied, serverWith, until } from "./harness.js";
import { cutsFrom } from "./proxy.js";

const MESSAGES = 96; // a multiple of 8, see exchangeSide
const UNLIMITED = "--max_exchanges=0";

// A wait that no test sits through: who comes back came at once.
const NEVER_BY_ITSELF = { backoffBase: 3_600_000, backoffCap: 3_600_000 };

const browserTest = (name, body) =>
  test(`in a browser ${name}`, { skip: BROWSER ? false : "there is no Chromium" }, body);

async function pagesInOneChannel(t, url, { joinUrl = url, options = {} } = {}) {
  const [first, second] = await Promise.all([newPage(t), newPage(t)]);
  const opened = await first.evaluate(([url, options]) => enter(`${url}/v1/ws/`, options), [url, options]);
  const joined = await second.evaluate(url => enter(url), `${joinUrl}/v1/ws/${opened.channelId}`);
  assert.deepEqual(opened, { channelId: joined.channelId, protocol: "channelserver.v2", version: 2 });
  return [first, second];
}

const next = (page, type) => page.evaluate(async type => {
  const { message, sender, state } = await channel.next(type);
  return { message, sender, state };
}, type);

browserTest("two pages pair and talk", async t => {
  const { url } = await serverWith();
  const [first, second] = await pagesInOneChannel(t, url);
  assert.equal((await next(first, "peer")).state, "joined");
  await second.evaluate(() => channel.send("h\u00e9llo \ud83e\udd8a"));
  const { message, sender } = await next(first, "envelope");
  assert.equal(message, "h\u00e9llo \ud83e\udd8a");
  assert.equal(sender.remote, "127.0.0.1");
  assert.match(sender.ua, /Chrome/);
  await second.evaluate(() => channel.accepted());
  if (process.env.SCREENSHOT) {
    await first.screenshot({ path: process.env.SCREENSHOT });
  }
  await second.evaluate(() => channel.close());
  assert.equal((await next(first, "peer")).state, "left");
});

for (const how of ["reset", "stall"]) {
  browserTest(`a page whose network goes in the midst of an exchange comes back and gets each message once (${how})`, async t => {
    const proxy = await proxied(t, UNLIMITED);
    const { url } = await serverWith(UNLIMITED);
    const cuts = cutsFrom(7, 2_500);
    // The exchange is more than 12,000 octets down; the first cut is in its midst.
    proxy.plan = number => (number === 0 ? { up: Infinity, down: 6_000, how } : cuts());
    const [first, second] = await pagesInOneChannel(t, proxy.url, { joinUrl: url, options: { backoffBase: 20, fallback: false } });
    const talking = Promise.all([first, second].map(page => page.evaluate(count => exchangeSide(channel, count), MESSAGES)));
    await until(() => proxy.cuts > 0, "cut");
    await first.context().setOffline(true);
    await first.context().setOffline(false);
    await talking;
    assert.ok(proxy.cuts > 1, `only ${proxy.cuts} cuts`);
  });
}

browserTest("a page that is online again comes back at once", async t => {
  const proxy = await proxied(t, "");
  const page = await newPage(t);
  await page.evaluate(([url, options]) => enter(`${url}/v1/ws/`, options), [proxy.url, NEVER_BY_ITSELF]);
  await page.context().setOffline(true);
  proxy.cutAll();
  await next(page, "lost");
  await page.context().setOffline(false);
  await next(page, "resumed");

  // Its connection is dead, and nothing has told it.
  proxy.cutAll("stall");
  await page.context().setOffline(true);
  await page.context().setOffline(false);
  await next(page, "lost");
  await next(page, "resumed");
});

browserTest("a page that was frozen and is shown again comes back at once", async t => {
  const proxy = await proxied(t, "");
  const { page, freeze, show } = await newTab(t);
  await page.evaluate(([url, options]) => enter(`${url}/v1/ws/`, { staleAfter: 100, ...options }), [proxy.url, NEVER_BY_ITSELF]);
  await page.evaluate(() => {
    window.seen = [];
    ["visibilitychange", "freeze"].forEach(type => document.addEventListener(type, () => seen.push(`${type} ${document.visibilityState}`)));
  });
  for (const how of ["stall", "reset"]) {
    await freeze();
    proxy.cutAll(how);
    await new Promise(resolve => setTimeout(resolve, 150)); // longer than staleAfter
    await show();
    await next(page, "lost");
    await next(page, "resumed");
    assert.deepEqual(await page.evaluate(() => seen.splice(0)), ["visibilitychange hidden", "freeze hidden", "visibilitychange visible"]);
  }
});

browserTest("Mozilla's client pairs with it in the place of WebSocket, while it is cut", async t => {
  const proxy = await proxied(t, "");
  const pages = await Promise.all([newPage(t), newPage(t)]);
  for (const page of pages) {
    await page.addScriptTag({ url: "/mozilla/FxAccountsPairingChannel.babel.umd.js" });
    await page.evaluate(() => {
      window.WebSocket = class extends ChannelSocket {
        constructor(url) {
          super(url, { fallback: false, backoffBase: 10, backoffCap: 100 });
          window.channel = this;
        }
      };
      window.heard = type => new Promise(resolve => paired.addEventListener(type, ({ detail }) => resolve(detail), { once: true }));
    });
  }
  const [authority, supplicant] = pages;
  const { id, key } = await authority.evaluate(async url => {
    window.paired = await FxAccountsPairingChannel.PairingChannel.create(url);
    return { id: paired.channelId, key: [...paired.channelKey] };
  }, proxy.url);
  await supplicant.evaluate(async ([url, id, key]) => {
    window.paired = await FxAccountsPairingChannel.PairingChannel.connect(url, id, new Uint8Array(key));
  }, [proxy.url, id, key]);
  proxy.plan = cutsFrom(11, 1_500);
  proxy.cutAll();
  for (const [sender, receiver, text] of [[supplicant, authority, "request \u00e4\ud83e\udd8a"], [authority, supplicant, "authorize"]]) {
    const heard = receiver.evaluate(() => heard("message"));
    await sender.evaluate(text => paired.send({ text }), text);
    const { data, sender: facts } = await heard;
    assert.deepEqual(data, { text });
    assert.match(facts.ua, /Chrome/);
  }
  assert.ok(proxy.cuts >= 2, `only ${proxy.cuts} cuts`);
});

browserTest("it has what the browser's own WebSocket has", async t => {
  const { url } = await serverWith();
  const page = await newPage(t);
  const report = await page.evaluate(async url => {
    const socket = new ChannelSocket(url);
    const missing = Object.getOwnPropertyNames(WebSocket.prototype).filter(name => !(name in socket));
    const seen = [];
    for (const type of ["open", "message", "close", "error"]) {
      socket[`on${type}`] = event => seen.push([event.type, event.constructor.name, event.target === socket]);
    }
    await new Promise(resolve => socket.addEventListener("message", resolve));
    socket.close(3001);
    const { code, wasClean } = await new Promise(resolve => socket.addEventListener("close", resolve));
    return { missing, seen, code, wasClean, state: socket.readyState };
  }, `${url}/v1/ws/`);
  assert.deepEqual(report, {
    missing: [],
    seen: [["open", "Event", true], ["message", "MessageEvent", true], ["close", "CloseEvent", true]],
    code: 3001, wasClean: true, state: 3,
  });
});
