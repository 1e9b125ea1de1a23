// Compiled, never run: what a caller may write, and what not.
import { ChannelError, type ChannelLimits, ChannelSocket, DEFAULTS, type Peer, QueueFullError } from "@channelserver/client";

const channel = new ChannelSocket("wss://channel.example/v1/ws/", { resumeWindow: 20_000, WebSocket });

// It stands in where a library takes a WebSocket, as an object and as a class.
const asSocket: WebSocket = channel;
const asClass: new (url: string) => WebSocket = ChannelSocket;

channel.onmessage = ({ data }) => console.log(data);
channel.onclose = ({ code, reason, wasClean }) => console.log(code, reason, wasClean);
channel.addEventListener("envelope", ({ message, sender, seq }) => {
  const city: string | undefined = sender.city;
  const number: number | undefined = seq;
  console.log(message.trim(), city, number);
});
channel.addEventListener("peer", ({ peer, state }) => {
  const whole: "joined" | "away" | "back" | "left" = state;
  console.log(peer, whole);
});
channel.addEventListener("close", ({ code, retry }) => console.log(code.toFixed(), retry === true));
channel.addEventListener("error", ({ error }) => console.log(error.reason));
channel.addEventListener("ack", ({ received }) => console.log(received.toFixed()));
channel.addEventListener("expiring", ({ expiresIn }) => console.log(expiresIn.toFixed()));
channel.addEventListener("resumed", () => {}, { once: true });

const number: number = channel.send("text");
const accepted: Promise<void> = channel.accepted(number);
const limits: ChannelLimits | null = channel.limits;
const peers: readonly Peer[] = channel.peers;
const window: number = DEFAULTS.resumeWindow;
console.log(asSocket, asClass, accepted, limits, peers, window, ChannelError, QueueFullError);

// @ts-expect-error Text only.
channel.send(new Uint8Array(1));
// @ts-expect-error No such option.
new ChannelSocket("wss://channel.example/v1/ws/", { patience: 1 });
// @ts-expect-error What the server tells cannot be set.
channel.channelId = "";
