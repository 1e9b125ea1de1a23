// Mozilla's fxa-pairing-channel, unmodified as npm has it, in Node, and what it expects of a browser.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { createRequire } from "node:module";

globalThis.window = globalThis;
globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class extends Event {
  constructor(type, init) {
    super(type, init);
    this.detail = init?.detail ?? null;
  }
};

export const { PairingChannel } = createRequire(import.meta.url)("fxa-pairing-channel/dist/FxAccountsPairingChannel.babel.umd.js");

/** The three messages of a pairing, with text that is hard to carry. */
export const MESSAGES = [
  { message: "pair:supp:request", data: { scope: "profile \u00e4\u20ac\ud83e\udd8a", state: "\"\\\n\u2028" } },
  { message: "pair:auth:authorize", data: { code: "0123456789abcdef".repeat(16) } },
  { message: "pair:supp:authorize", data: null },
];

/** The events of one end, to be awaited one by one. An error is always a failure. */
export class Events {
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

export function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
