// What a channel server does not do on request, from a server that says what a test tells it to.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { ChannelError } from "@channelserver/client";
import { Client, Script, until, VirtualClock } from "./harness.js";

async function greeted(t, script, options) {
  const client = new Client(`${script.url}/pairing/v1/ws/?region=eu`, options);
  t.after(() => client.close());
  const connection = await script.next();
  connection.greet();
  await client.next("message");
  return { client, connection };
}

/** Waits until as many messages have come, and compares. */
async function frames(connection, ...expected) {
  await until(() => connection.frames.length >= expected.length, "frame");
  assert.deepEqual(connection.frames, expected);
}

test("a server that goes elsewhere is followed, with the token and the count", async t => {
  const script = await Script.start(t);
  const { client, connection } = await greeted(t, script);
  connection.say({ type: "message", seq: 1, peer: "2", message: "one", sender: {} });
  await client.next("envelope");
  ["a", "b", "c"].forEach(text => client.send(text));
  connection.say({ type: "ack", received: 1 });
  await client.accepted(1);
  connection.say({ type: "end", code: 1012, reason: "service restart", retry: true });
  connection.close(1012);

  const next = await script.next();
  assert.equal(next.url, `/pairing/v1/ws/AAAAAAAAAAAAAAAAAAAAAA?region=eu&resume=${"0".repeat(32)}&received=1`);
  next.greet({ received: 2, resume: "1".repeat(32) });
  await client.next("resumed");
  next.say({ type: "message", seq: 1, peer: "2", message: "one", sender: {} });
  next.say({ type: "message", seq: 2, peer: "2", message: "two", sender: {} });
  assert.equal((await client.next("envelope")).message, "two");
  await frames(next, "c");
  next.say({ type: "ack", received: 3 });
  await client.accepted();
  next.cut();
  const last = await script.next();
  assert.match(last.url, /resume=1{32}&received=2$/);
});

for (const [code, reason] of [[4408, "client timeout"], [1013, "try again later"]]) {
  test(`the seat is taken back after ${code}`, async t => {
    const script = await Script.start(t);
    const { client, connection } = await greeted(t, script);
    connection.say({ type: "end", code, reason, retry: true });
    connection.close(code, reason);
    (await script.next()).greet();
    await client.next("resumed");
  });
}

test("a close by something in between is a lost connection", async t => {
  const script = await Script.start(t);
  const { client, connection } = await greeted(t, script);
  connection.close(1001, "proxy reload");
  (await script.next()).greet();
  await client.next("resumed");
});

for (const [code, reason] of [[4401, "resume refused"], [4410, "channel expired"], [1008, "slow consumer"], [1001, "server shutdown"]]) {
  test(`${code} in the midst is the end, and nobody comes again`, async t => {
    const script = await Script.start(t);
    const { client, connection } = await greeted(t, script);
    client.send("unheard");
    const accepted = assert.rejects(client.accepted(), { code });
    connection.say({ type: "end", code, reason, retry: code === 1001 });
    connection.close(code, reason);
    const end = await client.expectEnd(code, reason, code === 1001);
    assert.equal(end.wasClean, true);
    await accepted;
    assert.equal(client.take("error").length, 0);
    assert.equal(script.waiting, 0);
  });
}

for (const [code, reason] of [[4404, "channel unavailable"], [4409, "channel full"]]) {
  for (const words of ["in words", "without words"]) {
    test(`${code} at the first attempt is the end (${words})`, async t => {
      const script = await Script.start(t);
      const client = new Client(`${script.url}/v1/ws/AAAAAAAAAAAAAAAAAAAAAA`);
      const connection = await script.next();
      if (words !== "without words") {
        connection.say({ type: "end", code, reason, retry: false });
      }
      connection.close(code, reason);
      await client.expectEnd(code, reason, false);
      assert.equal(client.take("open").length, 0);
      assert.equal(script.waiting, 0);
    });
  }
}

test("an upgrade that is refused is tried again, at the first attempt and at a resume", async t => {
  const script = await Script.start(t);
  script.refusals = [503, 429];
  const { client, connection } = await greeted(t, script, { fallback: false });
  assert.equal(script.refused, 2);
  script.refusals = [429, 503, 502];
  connection.cut();
  (await script.next()).greet();
  await client.next("resumed");
  assert.equal(script.refused, 5);
});

test("what is closed during an outage does not wait for the next attempt", async t => {
  const script = await Script.start(t);
  const clock = new VirtualClock();
  const { client, connection } = await greeted(t, script, { clock });
  connection.cut();
  await client.next("lost");
  client.close();
  const next = await script.next();
  next.greet();
  await client.expectEnd(1005, "", false);
});

test("what is closed during an outage that does not end is closed all the same", async t => {
  const script = await Script.start(t);
  const clock = new VirtualClock();
  const { client, connection } = await greeted(t, script, { clock });
  connection.cut();
  await client.next("lost");
  client.send("unheard");
  const accepted = assert.rejects(client.accepted(), { code: 1006 });
  client.close();
  (await script.next()).cut();
  clock.advance(4_999);
  assert.equal(client.readyState, client.CLOSING);
  clock.advance(1);
  await client.expectEnd(1006, "", false);
  await accepted;
  assert.equal(client.take("error").length, 0);
});

test("what is sent after the close is never accepted", async t => {
  const script = await Script.start(t);
  const { client } = await greeted(t, script);
  client.close();
  await assert.rejects(client.accepted(client.send("late")), error => error instanceof ChannelError && error.code === 0);
  await client.next("close");
  await assert.rejects(client.accepted(client.send("later")), ChannelError);
  await client.accepted();
});

test("nothing keeps the process alive behind the end, not even a connection that does not answer", { timeout: 20_000 }, async t => {
  const script = await Script.start(t);
  const program = `
    import { ChannelSocket } from "@channelserver/client";
    import { WebSocket } from "ws";
    const socket = new ChannelSocket("${script.url}", { WebSocket, closeTimeout: 100 });
    socket.onopen = () => socket.close();
    socket.onclose = ({ code }) => console.log(code);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill());
  const said = child.stdout.setEncoding("utf8").toArray();
  const connection = await script.next();
  connection.freeze();
  connection.greet();
  assert.deepEqual(await said, ["1006\n"]);
  const [status] = child.exitCode === null ? await once(child, "exit") : [child.exitCode];
  assert.equal(status, 0);
});

for (const frame of ["null", "1", "{", '{"type":"greeting"}', '{"type":"greeting","channelid":"A","peers":{}}']) {
  test(`${frame} is nothing that a channel server says`, async t => {
    const script = await Script.start(t);
    const client = new Client(script.url);
    const connection = await script.next();
    connection.say(frame);
    await client.expectEnd(1002, "malformed frame", false);
    await connection.closed;
  });
}

for (const [name, frame, reason] of [
  ["a gap in the sequence", { type: "message", seq: 2, peer: "2", message: "two", sender: {} }, "gap in the sequence"],
  ["an acknowledgement of what was not sent", { type: "ack", received: 1 }, "acknowledgement out of range"],
]) {
  test(`${name} is not passed over`, async t => {
    const script = await Script.start(t);
    const { client, connection } = await greeted(t, script);
    connection.say(frame);
    await client.expectEnd(1002, reason, false);
    await connection.closed;
  });
}

test("frames of an unknown type are passed over", async t => {
  const script = await Script.start(t);
  const { client, connection } = await greeted(t, script);
  connection.say({ type: "news", weather: "fine" });
  connection.say({ type: "message", seq: 1, peer: "2", message: "one", sender: {} });
  assert.equal((await client.next("envelope")).message, "one");
});

test("attempts are spread over a range that doubles up to the cap", async t => {
  const script = await Script.start(t);
  const clock = new VirtualClock();
  const { client, connection } = await greeted(t, script, { clock, random: () => 0.5, backoffBase: 200, backoffCap: 5_000 });
  clock.advance(6_000); // long enough that the count begins anew
  clock.delays.length = 0;
  connection.cut();
  await client.next("lost");
  const waits = [];
  for (let i = 0; i < 7; i++) {
    const wait = clock.delays.at(-1);
    waits.push(wait);
    clock.advance(wait);
    const attempt = await script.next();
    clock.delays.length = 0;
    attempt.cut();
    await until(() => clock.delays.length > 0, "wait");
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 2500, 2500]);
});

test("an attempt that gets no answer is given up, and its socket is not closed before the seat is back", async t => {
  const script = await Script.start(t);
  const clock = new VirtualClock();
  const { client, connection } = await greeted(t, script, { clock, random: () => 0 });
  connection.cut();
  await client.next("lost");
  clock.advance(0);
  const silent = await script.next();
  clock.advance(10_000);
  clock.advance(0);
  const second = await script.next();
  let closed = false;
  silent.closed.then(() => (closed = true));
  await new Promise(resolve => setTimeout(resolve, 50));
  assert.equal(closed, false);
  second.greet();
  await client.next("resumed");
  await silent.closed;
});

test("a server that knows only version 1 is spoken to in version 1", async t => {
  const script = await Script.start(t, { protocol: false });
  const client = new Client(`${script.url}/v1/ws/`);
  // This WebSocket fails the attempts that ask for the subprotocol, as browsers do.
  let connection;
  do {
    connection = await script.next();
    connection.say({ channelid: "AAAAAAAAAAAAAAAAAAAAAA", link: "/v1/ws/AAAAAAAAAAAAAAAAAAAAAA" });
  } while (client.readyState === client.CONNECTING && !(await Promise.race([client.next("open"), connection.closed.then(() => null)])));
  assert.equal(client.version, 1);
  assert.equal(client.protocol, "");
  assert.equal(JSON.parse((await client.next("message")).data).channelid, "AAAAAAAAAAAAAAAAAAAAAA");
  connection.say({ message: "hello", sender: { remote: "203.0.113.9" } });
  const envelope = await client.next("envelope");
  assert.equal(envelope.message, "hello");
  assert.equal((await client.next("message")).data, '{"message":"hello","sender":{"remote":"203.0.113.9"}}');
  client.send("answer");
  await assert.rejects(client.accepted(), /version 1/);
  await frames(connection, "answer");
  connection.cut();
  await client.expectEnd(1006, "", true);
});

test("a server that knows version 2 after all is asked again", async t => {
  const script = await Script.start(t);
  const client = new Client(`${script.url}/v1/ws/`);
  t.after(() => client.close());
  (await script.next()).cut();
  (await script.next()).cut();
  const third = await script.next();
  third.say({ channelid: "AAAAAAAAAAAAAAAAAAAAAA", link: "/v1/ws/AAAAAAAAAAAAAAAAAAAAAA", resume: "0".repeat(32) });
  await third.closed;
  (await script.next()).greet();
  await client.next("open");
  assert.equal(client.version, 2);
});

test("nobody who answers within the time to open is an error", async () => {
  const clock = new VirtualClock();
  const client = new Client("ws://127.0.0.1:9/v1/ws/", { clock });
  clock.advance(10_000);
  assert.equal((await client.next("error")).error.code, 1006);
  await client.expectEnd(1006, "no connection", true);
});
