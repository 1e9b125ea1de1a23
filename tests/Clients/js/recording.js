// A ChannelSocket that remembers its events, and what two of them say to each other. For Node.js and for pages.
import { ChannelSocket } from "@channelserver/client";

const PATIENCE_MS = 20_000;

export class RecordingSocket extends ChannelSocket {
  #events = [];
  #wake = () => {};

  constructor(url, options) {
    super(url, options);
    for (const type of ["open", "message", "error", "close", "envelope", "peer", "ack", "expiring", "lost", "resumed"]) {
      this.addEventListener(type, event => {
        this.#events.push(event);
        this.#wake();
      });
    }
  }

  /** The next event of that type; others before it are skipped. */
  async next(type) {
    const deadline = Date.now() + PATIENCE_MS;
    while (true) {
      while (this.#events.length > 0) {
        const event = this.#events.shift();
        if (event.type === type) {
          return event;
        }
        if (event.type === "close") {
          throw new Error(`no "${type}", but the end: ${event.code} ${event.reason}`);
        }
      }
      let timer;
      await new Promise((resolve, reject) => {
        this.#wake = resolve;
        timer = setTimeout(() => reject(new Error(`no "${type}" in time`)), deadline - Date.now());
      }).finally(() => clearTimeout(timer));
    }
  }

  /** What has come and was not asked for. */
  take(type) {
    const taken = this.#events.filter(event => event.type === type);
    this.#events = this.#events.filter(event => event.type !== type);
    return taken;
  }
}

/**
 * One side of an exchange: sends `count` numbered messages, at most 16 ahead of what the other has told to have, so that the server's
 * store for a seat is never full. Each of the other's must arrive once, and in order. `count` is a multiple of 8, since every eighth is
 * confirmed.
 */
export async function exchangeSide(client, count) {
  let next = 0;
  let expected = 0;
  let told = 0;
  while (expected < count || told < count) {
    while (next < Math.min(told + 16, count)) {
      client.send(`m${next++}`);
    }
    const { message } = await client.next("envelope");
    if (message === `+${told + 8}`) {
      told += 8;
    } else if (message !== `m${expected}`) {
      throw new Error(`"${message}" instead of m${expected} or +${told + 8}`);
    } else if (++expected % 8 === 0) {
      client.send(`+${expected}`);
    }
  }
  await client.accepted();
}
