/** An event with the facts as its properties. */
export function eventOf(type, facts) {
  return Object.assign(new Event(type), facts);
}

/** A browser's own CloseEvent, where there is one: Node.js has it from 23 on. */
export function closeEventOf({ code, reason, wasClean, retry }) {
  const facts = { code, reason, wasClean };
  const event = globalThis.CloseEvent ? new CloseEvent("close", facts) : eventOf("close", facts);
  return Object.assign(event, { retry });
}
