import { SYSTEM_CLOCK } from "./timers.js";

// Taken now, so that a page may put a ChannelSocket in its place.
const NativeWebSocket = globalThis.WebSocket;

export const DEFAULTS = Object.freeze({
  resumeWindow: 50_000,
  openTimeout: 10_000,
  attemptTimeout: 10_000,
  ackTimeout: 15_000,
  closeTimeout: 5_000,
  staleAfter: 10_000,
  backoffBase: 200,
  backoffCap: 5_000,
  queueMessages: 256,
  queueOctets: 1_048_576,
  fallback: true,
});

export function completeOptions(given) {
  if (typeof given === "string" || (Array.isArray(given) && given.length > 0)) {
    throw new DOMException("A ChannelSocket chooses the subprotocol itself.", "NotSupportedError");
  }
  const options = { WebSocket: NativeWebSocket, clock: SYSTEM_CLOCK, random: Math.random, ...DEFAULTS, ...given };
  if (!options.WebSocket) {
    throw new TypeError("There is no global WebSocket here: pass one as options.WebSocket.");
  }
  return options;
}
