// Whole pairings with Mozilla's client while its connections break, at every point of the exchange with RESUME=full, else at a
// sample of them that SEED chooses. Twice: with the resuming socket that Mozilla publishes, and with a careful one. A failure names
// its cuts; CUTS='{"supplicant":[{"up":3}]}' runs those alone.
import assert from "node:assert/strict";
import { Events, MESSAGES, PairingChannel, within } from "./client.js";
import { Proxy } from "./proxy.js";
import { CarefulSocket, ResumingSocket } from "./resuming-socket.js";
import { startServer } from "./server.js";

const FULL = process.env.RESUME === "full";
const SEED = Number(process.env.SEED || Math.floor(Math.random() * 1e6));
const CUTS = process.env.CUTS ? JSON.parse(process.env.CUTS) : null;
const AT_ONCE = 40;
const PATIENCE_MS = FULL ? 60_000 : 20_000;
/** Two seconds between attempts, as published, would make hours of it. */
const TIMES = { retry: 40, window: PATIENCE_MS };
/** How long a pairing may still take that has lost a text or got one twice; most of them hang. */
const HOPELESS_MS = 800;
const SAMPLE = 24;
const CLOSED = 3;
const BURSTS = FULL ? 1_000 : SAMPLE;

/** Which socket a URL gets: every run has proxies, and so ports, of its own. */
const makers = new Map();
globalThis.WebSocket = function (url) {
  return makers.get(new URL(url).port)(url);
};

/** One pairing. Each end sends only when it has received something, so that nothing is under way when a connection breaks at rest. */
class Pairing {
  sockets = [];

  constructor(serverUrl, Socket, cuts) {
    this.Socket = Socket;
    this.authority = new Proxy(serverUrl, cuts.authority ?? []);
    this.supplicant = new Proxy(serverUrl, cuts.supplicant ?? []);
  }

  get proxies() {
    return [this.authority, this.supplicant];
  }

  async run() {
    const [first, second] = await Promise.all(this.proxies.map(proxy => this.#reach(proxy)));
    const authority = await again(() => PairingChannel.create(first));
    const supplicant = await again(() => PairingChannel.connect(second, authority.channelId, authority.channelKey));
    const heardByAuthority = new Events(authority);
    const heardBySupplicant = new Events(supplicant);
    const steps = [[supplicant, heardByAuthority], [authority, heardBySupplicant], [supplicant, heardByAuthority]];
    for (const [i, [sender, heard]] of steps.entries()) {
      await sender.send(MESSAGES[i]);
      assert.deepEqual((await heard.next("message")).data, MESSAGES[i]);
    }
    await authority.close();
    await heardBySupplicant.next("close");
    await supplicant.close();
    await heardByAuthority.next("close");
  }

  /** Whether an envelope came twice. */
  get isRepeated() {
    return this.proxies.some(proxy => proxy.seat.repeated > 0);
  }

  /** Whether a text went into a connection that was breaking, and its client never sent it again; or whether it left without sending it. */
  get isLost() {
    return this.sockets.some(socket => socket.lostUp > 0 || socket.closedTooEarly
      || (socket.readyState === CLOSED && socket.sent > socket.proxy.seat.texts));
  }

  abandon() {
    this.sockets.forEach(socket => socket.abandon());
    this.proxies.forEach(proxy => {
      proxy.close();
      makers.delete(proxy.port);
    });
  }

  async #reach(proxy) {
    const url = await proxy.listen();
    proxy.port = new URL(url).port;
    makers.set(proxy.port, target => {
      const socket = new this.Socket(target, TIMES);
      socket.proxy = proxy;
      this.sockets.push(socket);
      return socket;
    });
    return url;
  }
}

/** A connection that breaks before its greeting was never a participant; a person would try again. */
async function again(connect) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect();
    } catch (error) {
      if (attempt === 4) {
        throw error;
      }
    }
  }
}

// Mozilla's client leaves some of its promises alone when its TLS fails. What that means for the pairing shows elsewhere.
process.on("unhandledRejection", error => {
  if (error?.constructor?.name !== "TLSError") {
    throw error;
  }
});

const server = await startServer("--max_exchanges=100", "--max_channel_connections=10", "--limit_mode=off");
let passed = 0;
let failed = 0;
console.log(`${FULL ? "Every point" : `A sample, SEED=${SEED}`}; ${AT_ONCE} pairings at once.`);

for (const Socket of [ResumingSocket, CarefulSocket]) {
  const whole = new Pairing(server.url, Socket, {});
  await within(PATIENCE_MS, whole.run());
  await new Promise(resolve => setTimeout(resolve, 100));
  for (const [what, cuts] of Object.entries(plans(whole))) {
    await attempt(Socket, what, FULL || what.includes("in a row") ? cuts : sample(cuts));
  }
  whole.abandon();
}
try {
  await server.stop();
} catch (error) {
  failed++;
  console.error(error.message);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

/** Where to cut, told by a pairing that ran undisturbed. */
function plans(whole) {
  const ends = ["authority", "supplicant"];
  const hows = ["reset", "end", "silence"];
  const random = generator(SEED);
  const plans = {};
  if (CUTS) {
    return { [JSON.stringify(CUTS)]: [CUTS] };
  }
  for (const end of ends) {
    const octets = whole[end].down[0];
    const frames = whole[end].up[0];
    plans[`down to the ${end}, at each of ${octets} octets`] = numbers(0, octets)
      .map(down => ({ [end]: [{ down, server: hows[down % 3] }] }));
    plans[`up from the ${end}, behind each of ${frames} frames`] = numbers(1, frames).map(up => ({ [end]: [{ up }] }));
    plans[`up from the ${end}, before each of ${frames} frames`] = numbers(1, frames).map(before => ({ [end]: [{ before }] }));
  }
  for (const count of [2, 3]) {
    // What follows a first cut is short: a head, a greeting, and what is still to come.
    plans[`${count} cuts in a row, at either end or both`] = numbers(1, BURSTS).map(() => Object.fromEntries(
      (random(3) === 0 ? ends : [ends[random(2)]]).map(end => [end, numbers(1, count).map(nth => random(4) === 0
        ? { up: 1 + random(nth === 1 ? whole[end].up[0] : 3) }
        : { down: random(nth === 1 ? whole[end].down[0] : 600), server: hows[random(3)] })])));
  }
  return plans;
}

function sample(cuts) {
  const random = generator(SEED);
  return cuts.length <= SAMPLE ? cuts : numbers(1, SAMPLE).map(() => cuts[random(cuts.length)]);
}

async function attempt(Socket, what, cuts) {
  const counts = { whole: 0, doubt: 0, doubtFailed: 0, lost: 0, lostFailed: 0, failed: 0 };
  let next = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < cuts.length) {
      await judge(Socket, cuts[next++], counts);
    }
  }));
  const { whole, doubt, doubtFailed, lost, lostFailed } = counts;
  console.log(`${Socket.name}, ${what}: ${cuts.length} pairings, ${whole} whole`
    + (doubt ? `; ${doubt} in doubt (an envelope came, its pong did not arrive), of which ${doubtFailed} failed` : "")
    + (lost ? `; ${lost} lost a text on its way up, of which ${lostFailed} failed` : "")
    + (counts.failed ? `; ${counts.failed} FAILED` : ""));
  passed += cuts.length - counts.failed;
  failed += counts.failed;
}

async function judge(Socket, cuts, counts) {
  const pairing = new Pairing(server.url, Socket, cuts);
  let error = null;
  try {
    await Promise.race([within(PATIENCE_MS, pairing.run()), hopeless(pairing)]);
  } catch (thrown) {
    error = thrown;
  }
  clearInterval(pairing.watch);
  const violations = pairing.proxies.flatMap(proxy => proxy.seat.violations);
  const { isRepeated: repeated, isLost: lost } = pairing;
  const inDoubt = pairing.proxies.some(proxy => proxy.cutInDoubt);
  pairing.abandon();
  if (Socket === CarefulSocket && (repeated || lost)) {
    violations.push("an envelope came twice, or a text was lost, with one who tells what is there");
  }
  // A cut at rest finds every ping answered, so that only an envelope without its ping can be repeated.
  const isAtRest = Object.values(cuts).every(ofEnd => ofEnd.every(cut => cut.down !== undefined));
  if (repeated && isAtRest && !inDoubt) {
    violations.push("an envelope came again although its ping was there");
  }
  if (violations.length > 0 || (error && !repeated && !lost)) {
    counts.failed++;
    console.error(`${Socket.name} [FAIL] ${JSON.stringify(cuts)}: ${violations.join("; ") || error.stack}`);
  } else if (repeated) {
    counts.doubt++;
    counts.doubtFailed += error ? 1 : 0;
  } else if (lost) {
    counts.lost++;
    counts.lostFailed += error ? 1 : 0;
  } else {
    counts.whole++;
  }
}

function hopeless(pairing) {
  return new Promise((_, reject) => {
    let since = null;
    pairing.watch = setInterval(() => {
      const isHarmed = pairing.Socket === ResumingSocket && (pairing.isRepeated || pairing.isLost);
      since = isHarmed ? since ?? performance.now() : null;
      if (since !== null && performance.now() - since > HOPELESS_MS) {
        reject(new Error("it hangs after a text was lost or came twice"));
      }
    }, 100);
  });
}

function numbers(from, to) {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** Whole numbers below a bound, the same for the same seed. */
function generator(seed) {
  let state = BigInt(seed) * 2n + 1n;
  return bound => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xFFFFFFFFFFFFFFFFn;
    return Number(((state >> 33n) * BigInt(bound)) >> 31n);
  };
}
