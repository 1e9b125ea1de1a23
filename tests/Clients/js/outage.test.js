// The client against a running server, with a proxy in between that cuts.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { WebSocket } from "ws";
import { Client, exchange, proxied, serverWith, VirtualClock } from "./harness.js";
import { cutsFrom, NEVER } from "./proxy.js";

const MESSAGES = 400; // a multiple of 8, see exchange
const UNLIMITED = "--max_exchanges=0";

for (let seed = 1; seed <= 8; seed++) {
  test(`${MESSAGES} messages each way arrive once and in order, cut anywhere (seed ${seed})`, async t => {
    const proxy = await proxied(t, UNLIMITED);
    const options = { fallback: false };
    const first = await Client.open(t, proxy.url, options);
    const second = await Client.join(t, proxy.url, first.channelId, options);
    // From here on: the promise begins with the greeting.
    proxy.plan = cutsFrom(seed, 2_500);
    proxy.cutAll();
    await exchange([first, second], MESSAGES);
    assert.ok(proxy.cuts > 10, `only ${proxy.cuts} cuts`);
  });
}

test("every octet of the way up and of the way down may be the last", async t => {
  const proxy = await proxied(t, UNLIMITED);
  const first = await Client.open(t, proxy.url, { fallback: false });
  const second = await Client.join(t, proxy.url, first.channelId, { fallback: false });
  // The upgrade is some 300 octets up and 200 down; then come the greeting, the replay and the messages.
  let at = 0;
  proxy.plan = number => (number % 2 === 0 ? { up: (at += 7), down: Infinity, how: "reset" } : { up: Infinity, down: at, how: "end" });
  proxy.cutAll();
  await exchange([first, second], MESSAGES);
  assert.ok(proxy.cuts > 50, `only ${proxy.cuts} cuts`);
});

test("an outage is told, and what was sent meanwhile arrives", async t => {
  const proxy = await proxied(t, "");
  const { url } = await serverWith();
  const first = await Client.open(t, proxy.url);
  const second = await Client.join(t, url, first.channelId);
  proxy.plan = () => null;
  proxy.cutAll();
  await first.next("lost");
  assert.equal(first.connected, false);
  assert.equal(first.readyState, first.OPEN);
  assert.equal((await second.next("peer")).state, "away");
  assert.equal(second.peers[0].state, "away");
  first.send("meanwhile");
  assert.equal(first.bufferedAmount, 9);
  second.send("for you");
  proxy.plan = () => NEVER;
  await first.next("resumed");
  assert.equal((await first.next("envelope")).message, "for you");
  await first.accepted();
  assert.equal((await second.next("peer")).state, "back");
  assert.equal((await second.next("envelope")).message, "meanwhile");
});

test("who came and went during an outage is told after it", async t => {
  const proxy = await proxied(t, "");
  const { url } = await serverWith();
  const first = await Client.open(t, proxy.url);
  const second = await Client.join(t, url, first.channelId);
  await first.next("peer");
  proxy.plan = () => null;
  proxy.cutAll();
  await first.next("lost");
  const third = await Client.join(t, url, first.channelId);
  second.close();
  await second.next("close");
  proxy.plan = () => NEVER;
  await first.next("resumed");
  assert.equal((await first.next("peer")).state, "joined");
  assert.equal((await first.next("peer")).state, "left");
  assert.equal(first.peers.length, 1);
  assert.equal(third.readyState, third.OPEN);
});

test("what was sent before the close arrives even if the connection is lost", async t => {
  const proxy = await proxied(t, "");
  const { url } = await serverWith();
  const first = await Client.open(t, proxy.url);
  const second = await Client.join(t, url, first.channelId);
  proxy.cutAll();
  await first.next("lost");
  first.send("last words");
  first.close();
  assert.equal((await second.next("envelope")).message, "last words");
  while ((await second.next("peer")).state !== "left");
  await first.expectEnd(1000, "", false);
});

test("a resume beyond the server's window is refused", async t => {
  const proxy = await proxied(t, "--resume_window=1");
  const { url } = await serverWith("--resume_window=1");
  const first = await Client.open(t, proxy.url);
  const second = await Client.join(t, url, first.channelId);
  proxy.plan = () => null;
  proxy.cutAll();
  while ((await second.next("peer")).state !== "left");
  first.send("too late");
  const accepted = assert.rejects(first.accepted(), { code: 4401, reason: "resume refused" });
  proxy.plan = () => NEVER;
  await first.expectEnd(4401, "resume refused", false);
  await accepted;
});

test("without a resume window on the server a lost connection is the end", async t => {
  const proxy = await proxied(t, "--resume_window=0");
  const client = await Client.open(t, proxy.url);
  proxy.cutAll();
  await client.expectEnd(1006, "", true);
  assert.equal(client.take("lost").length, 0);
});

test("when its own window is over it gives up", async t => {
  const proxy = await proxied(t, "");
  const clock = new VirtualClock();
  const client = await Client.open(t, proxy.url, { clock });
  proxy.plan = () => null;
  proxy.cutAll();
  await client.next("lost");
  const waiting = assert.rejects(client.accepted(client.send("lost")), { code: 1006 });
  clock.advance(49_999);
  assert.equal(client.readyState, client.OPEN);
  clock.advance(1);
  const error = await client.next("error");
  assert.equal(error.error.message, "resume window over (1006)");
  const end = await client.expectEnd(1006, "resume window over", true);
  assert.equal(end.wasClean, false);
  await waiting;
});

test("a connection that swallows everything is replaced, and the seat is kept", async t => {
  const proxy = await proxied(t, "");
  const { url } = await serverWith();
  const clock = new VirtualClock();
  const first = await Client.open(t, proxy.url, { clock });
  const second = await Client.join(t, url, first.channelId);
  await first.next("peer");
  proxy.cutAll("stall");
  first.send("into the void");
  second.send("into the other void");
  await second.accepted();
  clock.advance(14_999);
  assert.equal(first.connected, true);
  clock.advance(1);
  await first.next("resumed");
  assert.equal((await second.next("envelope")).message, "into the void");
  assert.equal((await first.next("envelope")).message, "into the other void");
  await first.accepted();
  assert.deepEqual(first.peers.map(({ state }) => state), ["here"]);
});

test("it looks for a new connection when the browser is online again, and when a hidden page is shown", async t => {
  const events = new EventTarget();
  globalThis.addEventListener = events.addEventListener.bind(events);
  globalThis.removeEventListener = events.removeEventListener.bind(events);
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  t.after(() => ["addEventListener", "removeEventListener", "document"].forEach(name => delete globalThis[name]));
  const show = state => {
    globalThis.document.visibilityState = state;
    globalThis.document.dispatchEvent(new Event("visibilitychange"));
  };

  const proxy = await proxied(t, "");
  const { url } = await serverWith();
  const clock = new VirtualClock();
  const client = await Client.open(t, proxy.url, { clock });
  const peer = await Client.join(t, url, client.channelId);
  await client.next("peer");

  // A connection in doubt is replaced at once.
  proxy.cutAll("stall");
  events.dispatchEvent(new Event("online"));
  await client.next("resumed");

  // A page that was hidden for a moment trusts its connection, one that was hidden for long does not.
  show("hidden");
  clock.advance(9_999);
  show("visible");
  assert.equal(client.connected, true);
  show("hidden");
  clock.advance(10_000);
  show("visible");
  assert.equal(client.connected, false);
  await client.next("resumed");

  // A wait is cut short. Nobody moves the clock here.
  proxy.cutAll();
  await client.next("lost");
  show("visible");
  await client.next("resumed");
  client.send("still there");
  assert.equal((await peer.next("envelope")).message, "still there");

  client.close();
  await client.next("close");
  const { connections } = proxy;
  events.dispatchEvent(new Event("online"));
  assert.equal(proxy.connections, connections);
});

test("a client of each version, with the connection of the newer one cut anywhere", async t => {
  const proxy = await proxied(t, UNLIMITED);
  const { url } = await serverWith(UNLIMITED);
  const client = await Client.open(t, proxy.url, { fallback: false });
  const old = new WebSocket(url + client.link);
  t.after(() => old.terminate());
  const atOld = [];
  old.on("message", data => atOld.push(JSON.parse(data)));
  await once(old, "message");
  await client.next("peer");
  proxy.plan = cutsFrom(99, 1_200);
  proxy.cutAll();
  for (let i = 0; i < 100; i++) {
    old.send(`down ${i}`);
    assert.equal((await client.next("envelope")).message, `down ${i}`);
    client.send(`up ${i}`);
    await client.accepted();
  }
  while (atOld.length < 101) {
    await once(old, "message");
  }
  assert.deepEqual(atOld.slice(1).map(({ message }) => message), Array.from({ length: 100 }, (_, i) => `up ${i}`));
  assert.ok(proxy.cuts > 5, `only ${proxy.cuts} cuts`);
});
