export const PROTOCOL = "channelserver.v2";

// Every third attempt to open does not ask for version 2: browsers fail a connection whose server does not choose the
// subprotocol, and do not say why.
export const FALLBACK_EVERY = 3;

// Codes that only a channel server sends, and that end the seat. Another close without an `end` frame comes from something
// in between, and is a lost connection.
export const FINAL = new Set([4401, 4404, 4409, 4410, 4413, 4429]);

// To be tried again, but with a new channel: these took the seat along.
export const SEAT_GONE = new Set([1001, 1011]);

/** The address that takes a seat back. */
export function resumeUrl(url, { channelId, token, received }) {
  const resuming = new URL(url);
  resuming.pathname = resuming.pathname.replace(/[^/]*$/, channelId);
  resuming.searchParams.set("resume", token);
  resuming.searchParams.set("received", received);
  return resuming.href;
}

/** Null for what no channel server says. */
export function parseFrame(data) {
  try {
    const frame = JSON.parse(data);
    const isGreeting = frame.type === "greeting" || "channelid" in frame;
    return isGreeting && !(frame.channelid && Array.isArray(frame.peers ?? [])) ? null : frame;
  } catch {
    return null;
  }
}

export function limitsOf(greeting) {
  return Object.freeze({
    expiresIn: greeting.expires_in,
    maxExchanges: greeting.max_exchanges,
    maxData: greeting.max_data,
    maxMessage: greeting.max_message,
  });
}

export function octetsOf(text) {
  return new TextEncoder().encode(text).length;
}

/** What WebSocket asks of the arguments of `close`. */
export function requireClosable(code, reason) {
  if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
    throw new DOMException("The code must be 1000, or from 3000 to 4999.", "InvalidAccessError");
  }
  if (octetsOf(reason) > 123) {
    throw new DOMException("The reason must have at most 123 octets.", "SyntaxError");
  }
}
