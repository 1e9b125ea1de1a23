// Mozilla's fxa-pairing-channel as npm has it, with a ChannelSocket where it takes a WebSocket.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { ChannelSocket } from "@channelserver/client";
import { WebSocket } from "ws";
import { proxied, serverWith, until } from "./harness.js";
import { cutsFrom } from "./proxy.js";

let sockets = [];
globalThis.WebSocket = class extends ChannelSocket {
  constructor(url) {
    super(url, { WebSocket, fallback: false, backoffBase: 10, backoffCap: 100 });
    sockets.push(this);
    this.ended = new Promise(resolve => this.addEventListener("close", ({ code }) => resolve(code)));
  }
};
globalThis.window = globalThis;
const { PairingChannel } = createRequire(import.meta.url)("fxa-pairing-channel/dist/FxAccountsPairingChannel.babel.umd.js");

function next(channel, type) {
  return new Promise((resolve, reject) => {
    channel.addEventListener(type, event => resolve(event.detail), { once: true });
    channel.addEventListener("error", ({ detail }) => reject(detail.error), { once: true });
  });
}

async function pair(url, greeted = () => {}) {
  sockets = [];
  const authority = await PairingChannel.create(url);
  const joining = PairingChannel.connect(url, authority.channelId, authority.channelKey);
  await until(() => sockets.every(socket => socket.readyState !== WebSocket.CONNECTING), "greeting");
  greeted();
  const supplicant = await joining;
  for (const [sender, receiver, message] of [
    [supplicant, authority, { message: "pair:supp:request", data: { scope: "profile \u00e4\u20ac\ud83e\udd8a" } }],
    [authority, supplicant, { message: "pair:auth:authorize", data: { code: "0123456789abcdef".repeat(16) } }],
    [supplicant, authority, { message: "pair:supp:authorize", data: null }],
  ]) {
    const heard = next(receiver, "message");
    await sender.send(message);
    const { data, sender: facts } = await heard;
    assert.deepEqual(data, message);
    assert.equal(facts.remote, "127.0.0.1");
  }
  const authorityHeard = next(authority, "close");
  await supplicant.close();
  await authorityHeard;
  const supplicantHeard = next(supplicant, "close");
  await authority.close();
  await supplicantHeard;
  return Promise.all(sockets.map(socket => socket.ended));
}

for (let i = 1; i <= 5; i++) {
  test(`Mozilla's client completes pairing ${i}`, async () => {
    assert.deepEqual(await pair((await serverWith()).url), [1000, 1000]);
  });
}

for (let seed = 1; seed <= 10; seed++) {
  test(`Mozilla's client completes a pairing, cut anywhere (seed ${seed})`, async t => {
    const proxy = await proxied(t, "");
    await pair(proxy.url, () => {
      proxy.plan = cutsFrom(seed, 1_500);
      proxy.cutAll();
    });
    assert.ok(proxy.cuts > 1, `only ${proxy.cuts} cuts`);
  });
}

test("Mozilla's client is told of a refusal as of any failed connection", async () => {
  const { url } = await serverWith();
  await assert.rejects(
    PairingChannel.connect(url, "AAAAAAAAAAAAAAAAAAAAAA", new Uint8Array(32)), /Error while creating the pairing channel/);
});
