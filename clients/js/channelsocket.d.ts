/// <reference lib="dom" />
// The reference brings WebSocket, Event and their kin to projects for Node.js too, whose own types lack some of them.

/** What is known about a sender; each member is absent when it is not. */
export interface Sender {
  readonly city?: string;
  readonly country?: string;
  readonly region?: string;
  readonly remote?: string;
  readonly ua?: string;
}

/** Another participant of the channel. `peer` is a short id, unique within the channel. */
export interface Peer {
  readonly peer: string;
  /** `away`: its connection is lost, its seat is kept for it. */
  readonly state: "here" | "away";
  readonly sender: Sender;
}

/** What the server told in its latest greeting. 0 means no limit. */
export interface ChannelLimits {
  /** Seconds that the channel had left then. */
  readonly expiresIn: number;
  /** Messages through the channel, of all senders together. */
  readonly maxExchanges: number;
  /** Octets of message text through the channel. */
  readonly maxData: number;
  /** Octets of one message. */
  readonly maxMessage: number;
}

/** A message of another participant. */
export interface EnvelopeEvent extends Event {
  readonly message: string;
  readonly sender: Sender;
  /** Absent in version 1. */
  readonly peer?: string;
  /** The number of the message on this seat, from 1. Absent in version 1. */
  readonly seq?: number;
}

export interface PeerEvent extends Event {
  readonly peer: string;
  readonly state: "joined" | "away" | "back" | "left";
  readonly sender?: Sender;
}

export interface AckEvent extends Event {
  /** The server has accepted the own messages with this number and all before it. */
  readonly received: number;
}

export interface ExpiringEvent extends Event {
  /** Seconds until the channel ends. */
  readonly expiresIn: number;
}

export interface ChannelErrorEvent extends Event {
  readonly error: ChannelError;
  readonly message: string;
}

/** Has all that a browser's CloseEvent has. */
export interface ChannelCloseEvent extends CloseEvent {
  /** Whether a new channel (or a new join) may fare better. */
  readonly retry: boolean;
}

/** Why a channel ended, or why a message cannot be sent. */
export class ChannelError extends Error {
  constructor(code: number, reason: string, retry: boolean);
  /** A close code of the protocol; 1006 for a connection that was lost for too long; 0 for none of these. */
  readonly code: number;
  readonly reason: string;
  readonly retry: boolean;
}

/** More messages wait for the server than an option allows. Nothing was queued. */
export class QueueFullError extends Error {
  constructor(limit: "queueMessages" | "queueOctets", value: number);
  /** The option that is the limit. */
  readonly limit: "queueMessages" | "queueOctets";
}

/** The part of a WebSocket that a ChannelSocket uses. */
export interface WebSocketLike {
  readonly protocol: string;
  readonly bufferedAmount: number;
  onmessage: any;
  onclose: any;
  onerror: any;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

/** Times in milliseconds. */
export interface ChannelSocketOptions {
  /** How long a lost connection is tried to be taken back. Below the server's `resume_window`. Default 50,000. */
  resumeWindow?: number;
  /** How long to try until the first greeting. Default 10,000. */
  openTimeout?: number;
  /** How long one attempt may take. Default 10,000. */
  attemptTimeout?: number;
  /** How long a connection may say nothing while a message waits for its acknowledgement. Default 15,000. */
  ackTimeout?: number;
  /** How long `close` may take to hand over what was sent before it. Default 5,000. */
  closeTimeout?: number;
  /** How long a page may have been hidden before its connection is in doubt. Default 10,000. */
  staleAfter?: number;
  /** Attempt n waits a random time of at most `backoffBase` times 2^n, and at most `backoffCap`. Defaults 200 and 5,000. */
  backoffBase?: number;
  backoffCap?: number;
  /** Messages that may wait for the server. Default 256. */
  queueMessages?: number;
  /** Octets of messages that may wait for the server. Default 1,048,576. */
  queueOctets?: number;
  /** Whether a server that does not know version 2 will do. Default true. */
  fallback?: boolean;
  /** Default: the global WebSocket. */
  WebSocket?: new (url: string, protocols?: string[]) => WebSocketLike;
  /** For tests. */
  clock?: { now(): number; setTimeout(action: () => void, delay: number): any; clearTimeout(timer: any): void };
  /** From 0 to 1. For tests. */
  random?: () => number;
}

export const DEFAULTS: Readonly<Required<Omit<ChannelSocketOptions, "WebSocket" | "clock" | "random">>>;

export interface ChannelSocketEventMap {
  open: Event;
  /** As a version 1 client receives it: first the greeting, then an envelope for each message. */
  message: MessageEvent<string>;
  error: ChannelErrorEvent;
  close: ChannelCloseEvent;
  /** A message, taken apart. Comes right before the `message` event with the same. */
  envelope: EnvelopeEvent;
  peer: PeerEvent;
  ack: AckEvent;
  expiring: ExpiringEvent;
  /** The connection is lost; the seat is not, yet. */
  lost: Event;
  /** The seat is taken back. */
  resumed: Event;
}

type Handler<E> = ((event: E) => any) | null;

/**
 * A channel that looks like a WebSocket and outlives its connections. Each message that a side sends while both have a seat
 * arrives once, and in order, as long as no outage is longer than the resume window.
 */
export class ChannelSocket extends EventTarget implements WebSocket {
  static readonly CONNECTING: 0;
  static readonly OPEN: 1;
  static readonly CLOSING: 2;
  static readonly CLOSED: 3;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;

  /** @param url `wss://host/v1/ws/` opens a channel, `wss://host/v1/ws/{id}` joins one. */
  constructor(url: string | URL, options?: ChannelSocketOptions);

  readonly url: string;
  /** OPEN from the first greeting to the end, outages included. */
  readonly readyState: 0 | 1 | 2 | 3;
  /** `channelserver.v2`, or empty in version 1. */
  readonly protocol: string;
  readonly extensions: string;
  binaryType: BinaryType;
  /** Octets that the server has not accepted yet. In version 1: that the connection has not taken yet. */
  readonly bufferedAmount: number;
  /** The version of the protocol in use, 0 until that is known. */
  readonly version: 0 | 1 | 2;
  readonly channelId: string;
  /** The path under which others join. */
  readonly link: string;
  /** Null until the greeting, and in version 1. */
  readonly limits: ChannelLimits | null;
  /** Whether there is a connection right now. */
  readonly connected: boolean;
  /** The others in the channel. Empty in version 1. */
  readonly peers: readonly Peer[];

  /**
   * Sends a message, or queues it during an outage. Returns its number on this seat, from 1; 0 when the channel is closing or
   * closed, and the message is discarded as a WebSocket does.
   * @throws {QueueFullError} Too much waits for the server.
   * @throws {ChannelError} The message has more than `limits.maxMessage` octets.
   */
  send(text: string): number;
  /**
   * Resolves when the server has accepted the message of that number (by default, of the last that was sent) and all before it.
   * Rejects with a ChannelError when the channel ends before, for the 0 of a message that was discarded, and always in version 1.
   */
  accepted(number?: number): Promise<void>;
  /** Leaves, once the server has accepted what was sent. */
  close(code?: number, reason?: string): void;

  onopen: Handler<Event>;
  onmessage: Handler<MessageEvent>;
  onerror: Handler<Event>;
  onclose: Handler<CloseEvent>;
  onenvelope: Handler<EnvelopeEvent>;
  onpeer: Handler<PeerEvent>;
  onack: Handler<AckEvent>;
  onexpiring: Handler<ExpiringEvent>;
  onlost: Handler<Event>;
  onresumed: Handler<Event>;

  addEventListener<K extends keyof ChannelSocketEventMap>(
    type: K, listener: (event: ChannelSocketEventMap[K]) => any, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof ChannelSocketEventMap>(
    type: K, listener: (event: ChannelSocketEventMap[K]) => any, options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}
