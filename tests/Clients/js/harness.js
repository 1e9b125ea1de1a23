// What the tests share: servers by their settings, sockets whose events can be awaited, time that only a test moves, and a
// server that says what a test tells it to.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after } from "node:test";
import { ChannelSocket } from "@channelserver/client";
import { WebSocket, WebSocketServer } from "ws";
import { startServer } from "../../RealClient/server.js";
import { Proxy } from "./proxy.js";
import { exchangeSide, RecordingSocket } from "./recording.js";

const PATIENCE_MS = 20_000;

const servers = new Map();

after(async () => {
  for (const started of servers.values()) {
    await (await started).stop();
  }
});

/** One server process for each set of settings, stopped after the tests of the file. */
export function serverWith(settings = "") {
  if (!servers.has(settings)) {
    servers.set(settings, startServer(...settings.split(" ").filter(Boolean)));
  }
  return servers.get(settings);
}

/** A server of the test's own, behind a proxy. */
export async function proxied(t, settings) {
  const server = await serverWith(settings);
  const proxy = await Proxy.start(server.url);
  t.after(() => proxy.stop());
  return proxy;
}

/** The client as the tests use it: quick to come back. */
export class Client extends RecordingSocket {
  constructor(url, options) {
    super(url, { WebSocket, backoffBase: 10, backoffCap: 200, ...options });
  }

  static async open(t, url, options) {
    const client = new Client(`${url}/v1/ws/`, options);
    t.after(() => client.close());
    await client.next("open");
    return client;
  }

  static async join(t, url, channelId, options) {
    const client = new Client(`${url}/v1/ws/${channelId}`, options);
    t.after(() => client.close());
    await client.next("open");
    return client;
  }

  async expectEnd(code, reason, retry) {
    const end = await this.next("close");
    assert.deepEqual({ code: end.code, reason: end.reason, retry: end.retry }, { code, reason, retry });
    assert.equal(this.readyState, ChannelSocket.CLOSED);
    return end;
  }
}

/** Two clients in a channel send `count` numbered messages each. */
export function exchange(clients, count) {
  return Promise.all(clients.map(client => exchangeSide(client, count)));
}

/** Time that passes only when a test says so. */
export class VirtualClock {
  #now = 0;
  #timers = [];
  delays = [];

  now = () => this.#now;

  setTimeout = (action, delay) => {
    const timer = { action, at: this.#now + delay };
    this.delays.push(delay);
    this.#timers.push(timer);
    return timer;
  };

  clearTimeout = timer => {
    this.#timers = this.#timers.filter(other => other !== timer);
  };

  advance(milliseconds) {
    const end = this.#now + milliseconds;
    while (true) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) {
        this.#now = end;
        return;
      }
      this.#now = due.at;
      this.clearTimeout(due);
      due.action();
    }
  }
}

/** A WebSocket server that says what the test tells it, for what a channel server does not do on request. */
export class Script {
  #server;
  #arrived = [];

  /** What upgrades are answered with, one after the other, before the first is let in. */
  refusals = [];
  refused = 0;

  static async start(t, { protocol = "channelserver.v2" } = {}) {
    const script = new Script();
    script.#server = new WebSocketServer({
      port: 0, host: "127.0.0.1", handleProtocols: () => protocol,
      verifyClient: (_, answer) => {
        const status = script.refusals.shift();
        script.refused += status ? 1 : 0;
        answer(!status, status, "", { "Retry-After": "1" });
      },
    });
    script.#server.on("connection", (socket, { url }) => {
      const frames = [];
      socket.on("error", () => {});
      socket.on("message", data => frames.push(String(data)));
      script.#arrived.push({
        url, frames,
        say: frame => socket.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
        greet: facts => socket.send(JSON.stringify({
          type: "greeting", channelid: "AAAAAAAAAAAAAAAAAAAAAA", link: "/v1/ws/AAAAAAAAAAAAAAAAAAAAAA", resume: "0".repeat(32),
          expires_in: 300, max_exchanges: 10, max_data: 0, max_message: 65536, received: 0, peers: [], ...facts,
        })),
        close: (code, reason) => socket.close(code, reason),
        cut: () => socket.terminate(),
        freeze: () => socket.pause(),
        closed: once(socket, "close"),
      });
    });
    await once(script.#server, "listening");
    t.after(() => {
      script.#server.clients.forEach(socket => socket.terminate());
      script.#server.close();
    });
    return script;
  }

  get url() { return `ws://127.0.0.1:${this.#server.address().port}`; }

  /** Connections that nobody has asked for. */
  get waiting() { return this.#arrived.length; }

  /** The next connection. */
  async next() {
    await until(() => this.#arrived.length > 0, "connection");
    return this.#arrived.shift();
  }
}

/** Waits, for a bounded time, until something holds. */
export async function until(holds, what) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (Date.now() > deadline) {
      throw new Error(`no ${what} in time`);
    }
    await new Promise(resolve => setTimeout(resolve, 1));
  }
}
