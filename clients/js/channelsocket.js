// A WebSocket to the channel server that outlives its connections: version 2 of the protocol, with version 1 as the
// fallback. docs/protocol.md of the server is the contract; channelsocket.d.ts documents what is public here.
import { Connection } from "./connection.js";
import { ChannelError, QueueFullError } from "./errors.js";
import { closeEventOf, eventOf } from "./events.js";
import { completeOptions, DEFAULTS } from "./options.js";
import { Outbox } from "./outbox.js";
import { Peers } from "./peers.js";
import { FALLBACK_EVERY, FINAL, limitsOf, octetsOf, parseFrame, PROTOCOL, requireClosable, resumeUrl, SEAT_GONE } from "./protocol.js";
import { shapeLikeWebSocket } from "./shape.js";
import { Surroundings } from "./surroundings.js";
import { Timers } from "./timers.js";

export { ChannelError, DEFAULTS, QueueFullError };

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];

export class ChannelSocket extends EventTarget {
  binaryType = "blob";

  #url;
  #options;
  #clock;
  #timers;
  #surroundings;
  #readyState = CONNECTING;

  // The one there is, or is being tried.
  #connection = null;
  #version = 0;
  #greeted = false;
  #greetedAt = 0;
  #attempts = 0;
  // Replaced but not closed: a clean close that came before the resume would give the seat up.
  #stale = new Set();

  // The seat.
  #channelId = "";
  #link = "";
  #token = "";
  #limits = null;
  #peers = new Peers();
  #received = 0;
  #outbox = new Outbox();

  // The end.
  #closing = null;
  #leaving = false;
  #ended = null;

  constructor(url, options = {}) {
    super();
    this.#options = completeOptions(options);
    this.#clock = this.#options.clock;
    this.#timers = new Timers(this.#clock);
    this.#url = new URL(url, globalThis.location?.href);
    this.#url.protocol = this.#url.protocol.replace(/^http/, "ws");
    this.#connect();
    this.#surroundings = new Surroundings(inDoubt => this.#hurry(inDoubt), this.#options);
    this.#timers.start("outage", this.#options.openTimeout, () => this.#finish(1006, "no connection", { retry: true }));
  }

  get url() { return this.#url.href; }
  get readyState() { return this.#readyState; }
  get protocol() { return this.#version === 2 ? PROTOCOL : ""; }
  get extensions() { return ""; }
  get bufferedAmount() { return this.#version === 1 ? this.#connection?.bufferedAmount ?? 0 : this.#outbox.octets; }
  get version() { return this.#version; }
  get channelId() { return this.#channelId; }
  get link() { return this.#link; }
  get limits() { return this.#limits; }
  get connected() { return this.#greeted; }
  get peers() { return this.#peers.all; }

  send(text) {
    if (typeof text !== "string") {
      throw new TypeError("The channel server relays text only.");
    }
    if (this.#readyState === CONNECTING) {
      throw new DOMException("The channel is not open yet.", "InvalidStateError");
    }
    if (this.#readyState !== OPEN) {
      return 0;
    }
    const octets = octetsOf(text);
    if (octets > (this.#limits?.maxMessage ?? Infinity)) {
      throw new ChannelError(1009, "message too big", false);
    }
    if (this.bufferedAmount + octets > this.#options.queueOctets) {
      throw new QueueFullError("queueOctets", this.#options.queueOctets);
    }
    if (this.#version === 2) {
      this.#outbox.requireRoom(this.#options);
      this.#outbox.add(text, octets);
    }
    const number = ++this.#outbox.sent;
    if (this.#greeted) {
      this.#connection.send(text);
      this.#expectAck();
    }
    return number;
  }

  accepted(number) {
    if (this.#version === 1) {
      return Promise.reject(new ChannelError(0, "version 1 acknowledges nothing", false));
    }
    if (number === 0) {
      return Promise.reject(this.#ended ?? new ChannelError(0, "sent after the close", false));
    }
    number ??= this.#outbox.sent;
    if (number <= this.#outbox.accepted) {
      return Promise.resolve();
    }
    return this.#readyState === CLOSED ? Promise.reject(this.#ended) : this.#outbox.whenAccepted(number);
  }

  close(code, reason = "") {
    requireClosable(code, reason);
    if (this.#readyState >= CLOSING) {
      return;
    }
    const opening = this.#readyState === CONNECTING;
    this.#readyState = CLOSING;
    this.#closing = code === undefined ? [] : [code, reason];
    this.#timers.start("close", opening ? 0 : this.#options.closeTimeout, () => {
      this.#abandonConnection();
      this.#finish(1006, "", { silent: true });
    });
    if (!opening) {
      this.#hurry(false);
      this.#leaveWhenAccepted();
    }
  }

  // Connections

  #connect() {
    this.#timers.stop("retry");
    const resuming = this.#token !== "";
    const offers = resuming || !this.#options.fallback || (this.#attempts + 1) % FALLBACK_EVERY !== 0;
    this.#attempts++;
    const url = resuming
      ? resumeUrl(this.#url, { channelId: this.#channelId, token: this.#token, received: this.#received })
      : this.#url.href;
    this.#connection = new Connection(this.#options.WebSocket, url, offers, {
      received: data => this.#read(data),
      closed: event => this.#disconnected(event),
    });
    this.#timers.start("attempt", this.#options.attemptTimeout, () => {
      this.#abandonConnection();
      this.#retry();
    });
  }

  #abandonConnection() {
    if (this.#connection) {
      this.#connection.silence();
      this.#stale.add(this.#connection);
    }
    this.#connection = null;
    this.#greeted = false;
    this.#timers.stop("attempt", "ack");
  }

  #discardStale() {
    this.#stale.forEach(connection => connection.discard());
    this.#stale.clear();
  }

  #disconnected({ code, reason, wasClean }) {
    const greeted = this.#greeted;
    this.#abandonConnection();
    if (this.#leaving) {
      this.#finish(code, reason, { wasClean, silent: true });
    } else if (FINAL.has(code) || !this.#canResume) {
      this.#finish(code, reason, { wasClean, retry: !FINAL.has(code) });
    } else {
      this.#retry(greeted);
    }
  }

  /** Before the greeting there is nothing to lose; after it only a token leads back. */
  get #canResume() { return this.#channelId === "" || this.#token !== ""; }

  #retry(wasGreeted = false) {
    if (wasGreeted) {
      this.#beginOutage();
    }
    const longest = Math.min(this.#options.backoffCap, this.#options.backoffBase * 2 ** Math.min(this.#attempts, 30));
    this.#timers.start("retry", this.#options.random() * longest, () => this.#connect());
  }

  /** Takes the seat over with a new connection, since the present one is in doubt. */
  #replaceConnection() {
    const greeted = this.#greeted;
    this.#abandonConnection();
    if (greeted) {
      this.#beginOutage();
    }
    this.#connect();
  }

  #beginOutage() {
    // A connection that ends at once without having brought anything is one more failed attempt.
    if (this.#clock.now() - this.#greetedAt > this.#options.backoffCap) {
      this.#attempts = 0;
    }
    this.#timers.start("outage", this.#options.resumeWindow, () => this.#finish(1006, "resume window over", { retry: true }));
    this.dispatchEvent(new Event("lost"));
  }

  // Frames

  #read(data) {
    const frame = parseFrame(data);
    if (frame === null) {
      return this.#finish(1002, "malformed frame");
    }
    if (!this.#greeted && this.#channelId === "") {
      this.#version = this.#connection.version;
    }
    if (this.#version === 2) {
      this.#timers.stop("ack");
      this.#readFrame(frame);
      this.#expectAck();
    } else if (this.#greeted) {
      this.#dispatchEnvelope(data, frame);
    } else if (!frame.channelid) {
      this.#finish(1002, "malformed frame");
    } else if (frame.resume && !this.#connection.offered) {
      // It speaks version 2 after all: what failed before had other causes.
      this.#connection.close();
      this.#abandonConnection();
      this.#attempts = 0;
      this.#retry();
    } else {
      this.#welcome(frame);
    }
  }

  #readFrame(frame) {
    switch (frame.type) {
      case "greeting": return this.#readGreeting(frame);
      case "message": return this.#readMessage(frame);
      case "ack": return this.#readAck(frame);
      case "peer":
        this.#peers.note(frame);
        return this.#tellPeer(frame);
      case "expiring": return this.dispatchEvent(eventOf("expiring", { expiresIn: frame.expires_in }));
      case "end": return this.#readEnd(frame);
      // A later server may have more to say.
    }
  }

  #readGreeting(frame) {
    this.#token = frame.resume ?? "";
    this.#limits = limitsOf(frame);
    const changes = this.#peers.replace(frame.peers);
    if (this.#channelId === "") {
      this.#welcome(frame);
      return;
    }
    this.#markGreeted();
    this.#discardStale();
    const news = this.#outbox.acceptUpTo(frame.received);
    if (news === null) {
      this.#finish(1002, "acknowledgement out of range");
      return;
    }
    // All that waits before any event: a listener may send more.
    this.#outbox.texts.forEach(text => this.#connection.send(text));
    this.dispatchEvent(new Event("resumed"));
    if (news > 0) {
      this.#tellAccepted();
    }
    changes.forEach(change => this.#tellPeer(change));
    this.#leaveWhenAccepted();
  }

  #welcome(frame) {
    this.#markGreeted();
    this.#attempts = 0;
    this.#channelId = frame.channelid;
    this.#link = frame.link;
    if (this.#readyState !== CONNECTING) {
      return; // Closed meanwhile: the timer of the close is due.
    }
    this.#readyState = OPEN;
    this.dispatchEvent(new Event("open"));
    this.#dispatchMessage(JSON.stringify({ channelid: frame.channelid, link: frame.link }));
  }

  #markGreeted() {
    this.#greeted = true;
    this.#greetedAt = this.#clock.now();
    this.#timers.stop("attempt", "outage");
  }

  #readMessage(frame) {
    if (frame.seq <= this.#received) {
      return;
    }
    if (frame.seq !== this.#received + 1) {
      this.#finish(1002, "gap in the sequence");
      return;
    }
    this.#received = frame.seq;
    this.#attempts = 0;
    this.#dispatchEnvelope(JSON.stringify({ message: frame.message, sender: frame.sender }), frame);
  }

  #dispatchEnvelope(data, { message, sender, peer, seq }) {
    this.dispatchEvent(eventOf("envelope", { message, sender, peer, seq }));
    this.#dispatchMessage(data);
  }

  #dispatchMessage(data) {
    this.dispatchEvent(new MessageEvent("message", { data, origin: this.#url.origin }));
  }

  #readAck({ received }) {
    const news = this.#outbox.acceptUpTo(received);
    if (news === null) {
      this.#finish(1002, "acknowledgement out of range");
    } else if (news > 0) {
      this.#attempts = 0;
      this.#tellAccepted();
      this.#leaveWhenAccepted();
    }
  }

  #tellAccepted() {
    this.#outbox.tellAccepted();
    this.dispatchEvent(eventOf("ack", { received: this.#outbox.accepted }));
  }

  #tellPeer({ peer, state, sender }) {
    this.dispatchEvent(eventOf("peer", { peer, state, sender }));
  }

  /** A connection that swallows messages and says nothing is dead, whatever the system believes. */
  #expectAck() {
    if (this.#greeted && this.#token !== "" && !this.#outbox.isEmpty && !this.#timers.has("ack")) {
      this.#timers.start("ack", this.#options.ackTimeout, () => this.#replaceConnection());
    }
  }

  #readEnd({ code, reason, retry }) {
    if (!retry || !this.#canResume || (this.#channelId !== "" && SEAT_GONE.has(code))) {
      this.#finish(code, reason, { wasClean: true, retry });
      return;
    }
    const greeted = this.#greeted;
    this.#abandonConnection();
    this.#retry(greeted);
  }

  // The end

  #leaveWhenAccepted() {
    if (this.#closing && this.#greeted && !this.#leaving && this.#outbox.isEmpty) {
      this.#leaving = true;
      this.#connection.close(...this.#closing);
    }
  }

  #finish(code, reason, { wasClean = false, retry = false, silent = false } = {}) {
    if (this.#readyState === CLOSED) {
      return;
    }
    this.#readyState = CLOSED;
    this.#timers.stopAll();
    this.#surroundings.ignore();
    const last = this.#greeted ? this.#connection : null;
    this.#abandonConnection();
    this.#stale.delete(last);
    last?.close();
    this.#discardStale();
    this.#ended = new ChannelError(code, reason, retry);
    this.#outbox.fail(this.#ended);
    if (!wasClean && !silent) {
      this.dispatchEvent(eventOf("error", { error: this.#ended, message: this.#ended.message }));
    }
    this.dispatchEvent(closeEventOf({ code, reason, wasClean, retry }));
  }

  #hurry(inDoubt) {
    if (this.#timers.has("retry")) {
      this.#attempts = 0;
      this.#connect();
    } else if (inDoubt && this.#token !== "" && !this.#leaving) {
      this.#replaceConnection();
    }
  }
}

shapeLikeWebSocket(ChannelSocket,
  ["open", "message", "close", "error", "envelope", "peer", "ack", "expiring", "lost", "resumed"]);
