// A TCP proxy in front of the server that breaks connections at chosen points.
import { once } from "node:events";
import net from "node:net";
import { USER_AGENT } from "./resuming-socket.js";
import { Seat } from "./seat.js";
import { PING, PONG, Wire } from "./wire.js";

/** With nothing on the way for so long, the client has done all that it does by itself. */
const QUIET_MS = 40;

/**
 * One participant's way to the server. Its first connection breaks at the first of `cuts`, the next at the second, and so on; those behind
 * the last one stay. A cut is
 *   { down: n, server: how }    after n octets to the client, when it has answered what it got
 *   { up: n }                   right behind the nth frame from the client
 *   { before: n }               right before it, when it is there
 * The client always sees a reset. The server sees `how`: "reset", "end" or, as from a device that is simply gone, "silence".
 */
export class Proxy {
  seat = new Seat();

  /** Octets to the client on each connection, and frames from it. */
  down = [];
  up = [];

  /** Whether the last octets of a cut connection left an envelope without its ping. */
  cutInDoubt = false;

  #cuts;
  #serverPort;
  #listener = net.createServer({ noDelay: true }, client => this.#meet(client));
  #sockets = new Set();

  constructor(serverUrl, cuts) {
    this.#serverPort = Number(new URL(serverUrl).port);
    this.#cuts = cuts;
  }

  async listen() {
    this.#listener.listen(0, "127.0.0.1");
    await once(this.#listener, "listening");
    return `ws://127.0.0.1:${this.#listener.address().port}`;
  }

  close() {
    this.#listener.close();
    this.#sockets.forEach(socket => socket.destroy());
  }

  /**
   * Carries the clients of this test alone. Another program may have been told that this port is free, and its clients would count as the seat's. None
   * of them names itself as ours do.
   */
  #meet(client) {
    client.on("error", () => {});
    client.once("data", head => {
      if (!head.includes(USER_AGENT)) {
        client.destroy();
        return;
      }
      client.pause();
      client.unshift(head);
      this.#carry(client);
      client.resume();
    });
  }

  #carry(client) {
    const index = this.down.length;
    const cut = this.#cuts[index] ?? {};
    const server = net.connect({ port: this.#serverPort, host: "127.0.0.1", noDelay: true });
    const heard = this.seat.connection();
    const downward = new Wire();
    const upward = new Wire();
    let isCut = false;
    let unanswered = 0;
    let quiet;
    this.down[index] = 0;
    this.up[index] = 0;
    for (const [socket, other] of [[client, server], [server, client]]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("end", () => isCut || other.end());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        isCut || other.destroySoon();
      });
    }

    const breakNow = how => {
      isCut = true;
      this.cutInDoubt ||= this.seat.isInDoubt;
      client.resetAndDestroy();
      if (how === "end") {
        server.end();
      } else if (how !== "silence") {
        server.resetAndDestroy();
      }
    };

    /** Waits until the client has answered every ping and says nothing more, however busy this process is. */
    const breakSoon = () => {
      clearTimeout(quiet);
      quiet = setTimeout(() => setImmediate(() => {
        if (unanswered === 0) {
          isCut || breakNow(cut.server);
        } else {
          breakSoon();
        }
      }), QUIET_MS);
    };

    server.on("data", chunk => {
      if (isCut) {
        return;
      }
      const room = cut.down === undefined ? chunk.length : Math.max(0, cut.down - downward.octets);
      const part = chunk.subarray(0, room);
      for (const frame of downward.feed(part)) {
        heard(frame);
        unanswered += frame.opcode === PING ? 1 : 0;
      }
      this.down[index] = downward.octets;
      client.write(part);
      if (cut.down !== undefined && downward.octets >= cut.down) {
        breakSoon();
      }
    });

    client.on("data", chunk => {
      if (isCut) {
        return;
      }
      const before = upward.octets;
      let begin = 0;
      for (const frame of upward.feed(chunk)) {
        const number = ++this.up[index];
        if (number !== cut.before) {
          this.seat.up(frame);
          unanswered -= frame.opcode === PONG ? 1 : 0;
          begin = frame.end;
        }
        if (number === cut.up || number === cut.before) {
          isCut = true;
          server.write(chunk.subarray(0, Math.max(0, begin - before)), () => breakNow("reset"));
          return;
        }
      }
      server.write(chunk);
      if (cut.down !== undefined && downward.octets >= cut.down) {
        breakSoon();
      }
    });
  }
}
