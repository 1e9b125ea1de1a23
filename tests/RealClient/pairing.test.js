// Mozilla's fxa-pairing-channel as npm has it, against a running channel server: both ends of a pairing, with its TLS 1.3
// inside, fifty times.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { createRequire } from "node:module";
import { WebSocket } from "ws";
import { startServer } from "./server.js";

const PAIRINGS = 50;
const PATIENCE_MS = 15_000;

// What the client expects of a browser.
const sockets = [];
globalThis.WebSocket = class extends WebSocket {
  constructor(url) {
    super(url, { headers: { "User-Agent": "real-client/1.0" } });
    sockets.push(this);
    this.ended = new Promise(resolve => this.once("close", (code, reason) => resolve(`${code} ${reason}`)));
  }
};
globalThis.window = globalThis;
globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class extends Event {
  constructor(type, init) {
    super(type, init);
    this.detail = init?.detail ?? null;
  }
};

const { PairingChannel } = createRequire(import.meta.url)("fxa-pairing-channel/dist/FxAccountsPairingChannel.babel.umd.js");

/** The events of one end, to be awaited one by one. An error is always a failure. */
class Events {
  #arrived = [];
  #wake = () => {};

  constructor(channel) {
    for (const type of ["message", "close", "error"]) {
      channel.addEventListener(type, event => {
        this.#arrived.push(event);
        this.#wake();
      });
    }
  }

  async next(type) {
    while (this.#arrived.length === 0) {
      await new Promise(resolve => (this.#wake = resolve));
    }
    const event = this.#arrived.shift();
    assert.equal(event.type, type, event.detail?.error?.message);
    return event.detail;
  }
}

async function pair(url) {
  sockets.length = 0;
  const authority = await PairingChannel.create(url);
  const supplicant = await PairingChannel.connect(url, authority.channelId, authority.channelKey);
  assert.equal(supplicant.channelId, authority.channelId);
  const heardByAuthority = new Events(authority);
  const heardBySupplicant = new Events(supplicant);

  // Three messages, after five of the TLS handshake and before the two closing alerts: exactly the ten that a channel allows.
  for (const [sender, heard, message] of [
    [supplicant, heardByAuthority, { message: "pair:supp:request", data: { scope: "profile \u00e4\u20ac\ud83e\udd8a", state: "\"\\\n\u2028" } }],
    [authority, heardBySupplicant, { message: "pair:auth:authorize", data: { code: "0123456789abcdef".repeat(16) } }],
    [supplicant, heardByAuthority, { message: "pair:supp:authorize", data: null }],
  ]) {
    await sender.send(message);
    const { data, sender: facts } = await heard.next("message");
    assert.deepEqual(data, message);
    assert.equal(facts.ua, "real-client/1.0");
  }

  await supplicant.close();
  await heardByAuthority.next("close");
  await authority.close();
  await heardBySupplicant.next("close");
  // Both have shut their sockets with an empty close frame, and the server answers with 1000.
  assert.deepEqual(await Promise.all(sockets.map(socket => socket.ended)), ["1000 ", "1000 "]);
}

/** A channel that is not there must look to the client like any failed connection. */
async function refused(url) {
  await assert.rejects(
    PairingChannel.connect(url, "AAAAAAAAAAAAAAAAAAAAAA", new Uint8Array(32)), /Error while creating the pairing channel/);
}

function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const server = await startServer();
const tests = [
  ["a join of an unknown channel is refused", refused],
  ...Array.from({ length: PAIRINGS }, (_, i) => [`pairing ${i + 1}`, pair]),
];
let passed = 0;
let failed = 0;
for (const [name, test] of tests) {
  try {
    await within(test(server.url));
    passed++;
  } catch (error) {
    failed++;
    console.error(`${name} [FAIL]\n${error.stack}`);
  }
  sockets.forEach(socket => socket.terminate());
}
try {
  await server.stop();
} catch (error) {
  failed++;
  console.error(error.message);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
