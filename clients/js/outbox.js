import { QueueFullError } from "./errors.js";

/** Own messages. Those numbered 1 to `accepted` are the server's; the others wait here, to be sent again if need be. */
export class Outbox {
  sent = 0;
  accepted = 0;
  octets = 0;
  #messages = [];
  #waiters = [];

  get texts() { return this.#messages.map(({ text }) => text); }
  get isEmpty() { return this.#messages.length === 0; }

  requireRoom({ queueMessages }) {
    if (this.#messages.length >= queueMessages) {
      throw new QueueFullError("queueMessages", queueMessages);
    }
  }

  add(text, octets) {
    this.#messages.push({ text, octets });
    this.octets += octets;
  }

  /** How many were accepted by this; null where a server must have miscounted. */
  acceptUpTo(number) {
    if (!Number.isInteger(number) || number < this.accepted || number > this.sent) {
      return null;
    }
    const accepted = this.#messages.splice(0, number - this.accepted);
    accepted.forEach(({ octets }) => (this.octets -= octets));
    this.accepted = number;
    return accepted.length;
  }

  whenAccepted(number) {
    return new Promise((resolve, reject) => this.#waiters.push({ number, resolve, reject }));
  }

  tellAccepted() {
    const done = this.#waiters.filter(({ number }) => number <= this.accepted);
    this.#waiters = this.#waiters.filter(({ number }) => number > this.accepted);
    done.forEach(({ resolve }) => resolve());
  }

  fail(error) {
    this.#waiters.splice(0).forEach(({ reject }) => reject(error));
  }
}
