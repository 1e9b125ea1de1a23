// A stand-in for WebSocket that resumes, with the observable behaviour of the one in Mozilla's web client: whatever it does well or
// badly, this does too. And a careful one, which does what docs/protocol.md advises to a client of version 1.
import { WebSocket } from "ws";

/** By which the proxy knows the clients of this test. */
export const USER_AGENT = "real-client/1.0";

const OPEN = 1;
const CLOSED = 3;

export class ResumingSocket extends EventTarget {
  /** Texts that were handed to sockets, lost ones too. */
  sent = 0;

  /** Texts that went into a socket and of which the server then knew nothing. */
  lostUp = 0;

  #url;
  #times;
  #socket;
  #channelId;
  #token;
  #waiting = [];
  /** When to give up; null while there is nothing to resume. */
  #giveUpAt = null;
  #retry;
  #asked = false;
  #over = false;

  /** @param times How long to wait between two attempts, and when to give up, in milliseconds. */
  constructor(url, times = { retry: 2_000, window: 50_000 }) {
    super();
    this.#url = new URL(url);
    this.#times = times;
    this.#socket = this.#open(this.#url, false);
  }

  get readyState() {
    return this.#over ? CLOSED : this.#giveUpAt !== null ? OPEN : this.#socket.readyState;
  }

  /** Whether it was closed, by its own client, with texts that were never sent. */
  get closedTooEarly() {
    return this.#asked && this.#waiting.length > 0;
  }

  get bufferedAmount() {
    return this.#giveUpAt !== null ? 0 : this.#socket.bufferedAmount;
  }

  send(text) {
    if (this.#giveUpAt === null && this.#socket.readyState === OPEN) {
      this.transmit(text);
    } else {
      this.#waiting.push(text);
    }
  }

  close() {
    this.#asked = true;
    this.#socket.close();
  }

  /** Whether the end of a socket is the end of all. */
  isFinal() {
    return this.#asked;
  }

  /** For a test that is over. */
  abandon() {
    this.#over = true;
    clearTimeout(this.#retry);
    this.#socket.terminate();
  }

  transmit(text) {
    this.sent++;
    this.#socket.send(text);
  }

  /** What a resume asks for beside the token. */
  query() {
    return "";
  }

  /** An envelope, or the first greeting, passed on. */
  deliver(text) {
    this.dispatchEvent(new MessageEvent("message", { data: text }));
  }

  /** The greeting of a resume told how many texts the server has. */
  resumed(received) {
    this.lostUp += this.sent - received;
    this.sent = received;
  }

  /** A resume is done, and what waited is sent. */
  settled() {}

  #open(url, isResume) {
    const socket = new WebSocket(url, { headers: { "User-Agent": USER_AGENT } });
    let greeted = false;
    // A close always follows.
    socket.on("error", () => {});
    socket.on("open", () => isResume || this.dispatchEvent(new Event("open")));
    socket.on("message", data => {
      const text = data.toString();
      if (!greeted) {
        greeted = true;
        const greeting = JSON.parse(text);
        this.#channelId = greeting.channelid;
        this.#token = greeting.resume;
        if (isResume) {
          this.#giveUpAt = null;
          this.resumed(greeting.received);
          this.#waiting.splice(0).forEach(waited => this.transmit(waited));
          this.settled(this.#asked);
          return;
        }
      }
      this.deliver(text);
    });
    socket.on("close", code => socket === this.#socket && !this.#over && this.#lost(code));
    return socket;
  }

  #lost(code) {
    if (!this.#token || this.isFinal(code)) {
      this.#end();
    } else if (this.#giveUpAt === null) {
      this.#giveUpAt = performance.now() + this.#times.window;
      this.#resume();
    } else {
      this.#retry = setTimeout(() => this.#resume(), this.#times.retry);
    }
  }

  #resume() {
    if (performance.now() > this.#giveUpAt) {
      this.#end();
      return;
    }
    this.#socket = this.#open(new URL(`/v1/ws/${this.#channelId}?resume=${this.#token}${this.query()}`, this.#url), true);
  }

  #end() {
    this.#over = true;
    this.#giveUpAt = null;
    this.dispatchEvent(new Event("close"));
  }
}

/** No close frame came. */
const ABNORMAL = 1006;

/** Says how many envelopes it has, sends again what the server has not, and leaves only when the server has said so. */
export class CarefulSocket extends ResumingSocket {
  #delivered = -1; // The greeting is none.
  #kept = [];
  #accepted = 0;

  query() {
    return `&received=${this.#delivered}`;
  }

  transmit(text) {
    this.#kept.push(text);
    super.transmit(text);
  }

  deliver(text) {
    this.#delivered++;
    super.deliver(text);
  }

  isFinal(code) {
    return code !== ABNORMAL;
  }

  settled(isLeaving) {
    if (isLeaving) {
      this.close();
    }
  }

  resumed(received) {
    const missing = this.#kept.slice(received - this.#accepted);
    this.#kept = [];
    this.#accepted = received;
    this.sent = received;
    missing.forEach(text => this.transmit(text));
  }
}
