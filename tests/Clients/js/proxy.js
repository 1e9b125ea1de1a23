// A TCP proxy on loopback that cuts connections at chosen octets, or swallows what comes after them.
import { once } from "node:events";
import net from "node:net";

/** A cut: after so many octets `up` (to the server) or `down` (to the client), `how`: "reset", "end" or "stall". */
export const NEVER = { up: Infinity, down: Infinity, how: "reset" };

export class Proxy {
  /** What happens to each connection, by its number from 0; null refuses it. */
  plan = () => NEVER;
  connections = 0;
  cuts = 0;
  #open = new Set();
  #listener;
  #target;

  static async start(target) {
    const proxy = new Proxy();
    proxy.#target = Number(new URL(target).port);
    proxy.#listener = net.createServer({ allowHalfOpen: true }, client => proxy.#carry(client)).listen(0, "127.0.0.1");
    await once(proxy.#listener, "listening");
    return proxy;
  }

  get url() { return `ws://127.0.0.1:${this.#listener.address().port}`; }

  /** Cuts all connections that there are now. */
  cutAll(how = "reset") {
    [...this.#open].forEach(connection => this.#cut(connection, how));
  }

  stop() {
    this.#open.forEach(({ client, server }) => [client, server].forEach(socket => socket.destroy()));
    this.#listener.close();
  }

  #carry(client) {
    const cut = this.plan(this.connections++);
    if (cut === null) {
      client.resetAndDestroy();
      return;
    }
    const server = net.connect({ port: this.#target, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    client.setNoDelay(true);
    const connection = { client, server, stalled: false };
    this.#open.add(connection);
    const carry = (from, to, limit) => {
      let carried = 0;
      from.on("error", () => {});
      from.on("close", () => {
        this.#open.delete(connection);
        to.destroy();
      });
      from.on("end", () => connection.stalled || to.end());
      from.on("data", chunk => {
        if (connection.stalled) {
          return;
        }
        const part = chunk.subarray(0, limit - carried);
        carried += part.length;
        to.write(part, () => carried >= limit && this.#cut(connection, cut.how));
      });
    };
    carry(client, server, cut.up);
    carry(server, client, cut.down);
  }

  #cut(connection, how) {
    if (!this.#open.has(connection) || connection.stalled) {
      return;
    }
    this.cuts++;
    if (how === "stall") {
      connection.stalled = true;
      return;
    }
    this.#open.delete(connection);
    for (const socket of [connection.client, connection.server]) {
      // Node.js 20 does not end if a socket is reset that has sent its end.
      how === "reset" && !socket.writableEnded ? socket.resetAndDestroy() : socket.end(() => socket.destroy());
    }
  }
}

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
export function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Cuts each connection somewhere, in either direction, sometimes before it is open. */
export function cutsFrom(seed, upTo) {
  const random = randomFrom(seed);
  return () => {
    const at = Math.floor(random() * upTo);
    const up = random() < 0.4;
    return { up: up ? at : Infinity, down: up ? Infinity : at, how: random() < 0.5 ? "reset" : "end" };
  };
}
