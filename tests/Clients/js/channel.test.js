// The client against a running server, with nothing in between.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { ChannelError, ChannelSocket, QueueFullError } from "@channelserver/client";
import { WebSocket } from "ws";
import { startServer } from "../../RealClient/server.js";
import { Client, serverWith } from "./harness.js";

test("two clients meet, see each other, and talk", async t => {
  const { url } = await serverWith();
  const first = await Client.open(t, url);
  assert.equal(first.protocol, "channelserver.v2");
  assert.equal(first.version, 2);
  assert.equal(first.url, `${url}/v1/ws/`);
  assert.match(first.channelId, /^[\w-]{22}$/);
  assert.equal(first.link, `/v1/ws/${first.channelId}`);
  assert.deepEqual(first.peers, []);
  assert.equal(first.limits.maxExchanges, 10);

  const second = await Client.join(t, url, first.channelId);
  const joined = await first.next("peer");
  assert.equal(joined.state, "joined");
  assert.equal(second.peers.length, 1);
  assert.equal(second.peers[0].state, "here");

  assert.equal(second.send("h\u00e9llo \ud83e\udd8a"), 1);
  const { message, sender, seq, peer } = await first.next("envelope");
  assert.deepEqual({ message, seq, peer }, { message: "h\u00e9llo \ud83e\udd8a", seq: 1, peer: joined.peer });
  assert.equal(sender.remote, "127.0.0.1");
  await second.accepted(1);
  assert.equal((await second.next("ack")).received, 1);
  assert.equal(second.bufferedAmount, 0);

  second.close(3001, "done");
  await second.expectEnd(3001, "", false);
  assert.equal((await first.next("peer")).state, "left");
  assert.deepEqual(first.peers, []);
});

test("its message events are those of a version 1 client", async t => {
  const { url } = await serverWith();
  const first = await Client.open(t, url);
  const second = await Client.join(t, url, first.channelId);
  assert.deepEqual(JSON.parse((await first.next("message")).data), { channelid: first.channelId, link: first.link });
  second.send("x");
  const { data, origin } = await first.next("message");
  const envelope = JSON.parse(data);
  assert.deepEqual(Object.keys(envelope), ["message", "sender"]);
  assert.equal(envelope.message, "x");
  assert.equal(origin, url);
});

test("it has what a WebSocket has", async t => {
  const { url } = await serverWith();
  const client = new Client(`${url}/v1/ws/`);
  for (const name of ["CONNECTING", "OPEN", "CLOSING", "CLOSED"]) {
    assert.equal(ChannelSocket[name], WebSocket[name]);
    assert.equal(client[name], WebSocket[name]);
  }
  assert.equal(client.readyState, client.CONNECTING);
  assert.throws(() => client.send("early"), { name: "InvalidStateError" });
  const seen = [];
  client.onopen = event => seen.push(event.type);
  client.onmessage = () => seen.push("replaced");
  client.onmessage = event => seen.push(event.type);
  client.onclose = event => seen.push(event.type);
  client.onerror = event => seen.push(event.type);
  await client.next("message");
  assert.equal(client.readyState, client.OPEN);
  assert.throws(() => client.send(new Uint8Array(1)), TypeError);
  assert.throws(() => client.close(1001), { name: "InvalidAccessError" });
  assert.throws(() => client.close(1000, "x".repeat(124)), { name: "SyntaxError" });
  client.close();
  assert.equal(client.readyState, client.CLOSING);
  assert.equal(client.send("late"), 0);
  const end = await client.expectEnd(1000, "", false);
  assert.equal(end.wasClean, true);
  assert.deepEqual(seen, ["open", "message", "close"]);
});

test("what was sent right before the close arrives", async t => {
  const { url } = await serverWith();
  const first = await Client.open(t, url);
  const second = await Client.join(t, url, first.channelId);
  ["1", "2", "3"].forEach(text => second.send(text));
  second.close();
  for (const text of ["1", "2", "3"]) {
    assert.equal((await first.next("envelope")).message, text);
  }
  await second.expectEnd(1000, "", false);
});

test("one that is closed before it is open ends without an error", async () => {
  const { url } = await serverWith();
  const client = new Client(`${url}/v1/ws/`);
  client.close();
  await client.expectEnd(1006, "", false);
  assert.equal(client.take("error").length, 0);
});

test("a join of an unknown channel is refused", async () => {
  const { url } = await serverWith();
  const client = new Client(`${url}/v1/ws/AAAAAAAAAAAAAAAAAAAAAA`);
  await client.expectEnd(4404, "channel unavailable", false);
  assert.equal(client.take("error").length, 0);
});

test("the message beyond the exchange limit ends the channel, and is known not to be accepted", async t => {
  const { url } = await serverWith("--max_exchanges=2");
  const first = await Client.open(t, url);
  const second = await Client.join(t, url, first.channelId);
  [1, 2, 3].forEach(i => first.send(`m${i}`));
  await first.accepted(2);
  await assert.rejects(first.accepted(3), error => error instanceof ChannelError && error.code === 4429 && !error.retry);
  await first.expectEnd(4429, "exchange limit", false);
  await second.expectEnd(4429, "exchange limit", false);
  await assert.rejects(first.accepted(3), { code: 4429 });
});

test("a channel ends with its time", async t => {
  const { url } = await serverWith("--conn_lifespan=1");
  const client = await Client.open(t, url);
  const end = await client.expectEnd(4410, "channel expired", false);
  assert.equal(end.wasClean, true);
});

test("the end of a channel is announced", async t => {
  const { url } = await serverWith("--conn_lifespan=32");
  const client = await Client.open(t, url);
  // A turn of the server that is late tells of less.
  assert.ok([30, 31, 32].includes(client.limits.expiresIn), `The greeting tells of ${client.limits.expiresIn} s.`);
  const { expiresIn } = await client.next("expiring");
  assert.ok([28, 29, 30].includes(expiresIn), `The notice tells of ${expiresIn} s.`);
});

test("a message that the server would not take is refused before it is sent", async t => {
  const { url } = await serverWith("--max_message=10");
  const client = await Client.open(t, url);
  assert.throws(() => client.send("\u20ac\u20ac\u20ac\u20ac"), error => error instanceof ChannelError && error.code === 1009);
  assert.equal(client.send("\u20ac\u20ac\u20ac."), 1);
  await client.accepted();
});

test("the queue has two limits, and says which was met", async t => {
  const { url } = await serverWith();
  const byCount = await Client.open(t, url, { queueMessages: 3 });
  ["1", "2", "3"].forEach(text => byCount.send(text));
  assert.throws(() => byCount.send("4"), error => error instanceof QueueFullError && /queueMessages is 3/.test(error.message));
  await byCount.accepted();
  assert.equal(byCount.send("5"), 4);
  const byOctets = await Client.open(t, url, { queueOctets: 10 });
  byOctets.send("12345678");
  assert.equal(byOctets.bufferedAmount, 8);
  assert.throws(() => byOctets.send("\u20ac"), error => error instanceof QueueFullError && error.limit === "queueOctets");
});

test("a version 1 client in the same channel is understood, and understands", async t => {
  const { url } = await serverWith();
  const client = await Client.open(t, url);
  const old = new WebSocket(url + client.link);
  t.after(() => old.terminate());
  const [greeting] = await once(old, "message");
  assert.equal(JSON.parse(greeting).channelid, client.channelId);
  assert.equal((await client.next("peer")).state, "joined");
  client.send("to version 1");
  assert.equal(JSON.parse((await once(old, "message"))[0]).message, "to version 1");
  old.send("to version 2");
  assert.equal((await client.next("envelope")).message, "to version 2");
  old.close();
  assert.equal((await client.next("peer")).state, "left");
});

test("a server that came back without the channel refuses the resume", async t => {
  let server = await startServer();
  const { port, url } = server;
  const client = await Client.open(t, url);
  client.send("kept by nobody");
  await client.accepted();
  await server.kill();
  await client.next("lost");
  assert.equal(client.readyState, ChannelSocket.OPEN);
  server = await startServer(`--port=${port}`);
  t.after(() => server.stop());
  await client.expectEnd(4401, "resume refused", false);
});

test("a server that stops tells that a new channel may be tried", async t => {
  const server = await startServer("--drain_window=0");
  const client = await Client.open(t, server.url);
  await server.stop();
  await client.expectEnd(1001, "server shutdown", true);
});
