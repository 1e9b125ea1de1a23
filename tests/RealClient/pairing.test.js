// Mozilla's fxa-pairing-channel as npm has it, against a running channel server: both ends of a pairing, with its TLS 1.3
// inside, fifty times.
import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { Events, MESSAGES, PairingChannel, within } from "./client.js";
import { startServer } from "./server.js";

const PAIRINGS = 50;
const PATIENCE_MS = 15_000;

const sockets = [];
globalThis.WebSocket = class extends WebSocket {
  constructor(url) {
    super(url, { headers: { "User-Agent": "real-client/1.0" } });
    sockets.push(this);
    this.ended = new Promise(resolve => this.once("close", (code, reason) => resolve(`${code} ${reason}`)));
  }
};

async function pair(url) {
  sockets.length = 0;
  const authority = await PairingChannel.create(url);
  const supplicant = await PairingChannel.connect(url, authority.channelId, authority.channelKey);
  assert.equal(supplicant.channelId, authority.channelId);
  const heardByAuthority = new Events(authority);
  const heardBySupplicant = new Events(supplicant);

  // Three messages, after five of the TLS handshake and before the two closing alerts: exactly the ten that a channel allows.
  for (const [i, sender, heard] of [
    [0, supplicant, heardByAuthority],
    [1, authority, heardBySupplicant],
    [2, supplicant, heardByAuthority],
  ]) {
    await sender.send(MESSAGES[i]);
    const { data, sender: facts } = await heard.next("message");
    assert.deepEqual(data, MESSAGES[i]);
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

const server = await startServer();
const tests = [
  ["a join of an unknown channel is refused", refused],
  ...Array.from({ length: PAIRINGS }, (_, i) => [`pairing ${i + 1}`, pair]),
];
let passed = 0;
let failed = 0;
for (const [name, test] of tests) {
  try {
    await within(PATIENCE_MS, test(server.url));
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
