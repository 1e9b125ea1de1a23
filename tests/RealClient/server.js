// A channel server process for the tests: the one that CHANNEL_SERVER_URL names, or one of our own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { fileURLToPath } from "node:url";

const built = fileURLToPath(new URL("../../src/ChannelServer/bin/Release/net10.0/channelserver.dll", import.meta.url));

/** @param settings Arguments for the server, if it is one of our own. */
export async function startServer(...settings) {
  if (process.env.CHANNEL_SERVER_URL) {
    return { url: process.env.CHANNEL_SERVER_URL, stop: async () => {} };
  }
  const given = settings.find(setting => setting.startsWith("--port="))?.slice(7);
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOn(Number(given ?? await freePort()), settings);
    } catch (error) {
      // Somebody else may have taken the port since it was found free.
      if (given || attempt === 5 || !error.message.includes("the port is in use")) {
        throw error;
      }
    }
  }
}

async function startOn(port, settings) {
  const [program, ...first] = (process.env.CHANNEL_SERVER_COMMAND || `dotnet ${built}`).split(" ");
  const engine = process.env.CHANNEL_SERVER_ENGINE ? [`--engine=${process.env.CHANNEL_SERVER_ENGINE}`] : [];
  const server = spawn(program, [...first, ...engine, "--hostname=127.0.0.1", ...settings, `--port=${port}`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  server.stdout.on("data", chunk => (log += chunk));
  server.stderr.on("data", chunk => (log += chunk));
  const ended = once(server, "exit");
  const closed = once(server, "close");
  const deadline = Date.now() + 30_000;
  while (!(await answers(port))) {
    if (server.exitCode !== null || Date.now() > deadline) {
      server.kill("SIGKILL");
      // All that it wrote has come only then.
      await closed;
      throw new Error(`The server did not start.\n${log}`);
    }
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  return {
    url: `ws://127.0.0.1:${port}`,
    port,
    /** Ends it as a crash does. */
    async kill() {
      server.kill("SIGKILL");
      await ended;
    },
    async stop() {
      server.kill("SIGTERM");
      const [status] = await ended;
      if (status !== 0) {
        throw new Error(`The server ended with status ${status}.\n${log}`);
      }
    },
  };
}

/** Below those that systems give to outgoing connections, so that none of these takes it before it is used. */
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 18_000);
    const probe = net.createServer().listen(port, "127.0.0.1");
    try {
      await once(probe, "listening");
    } catch (error) {
      if (error.code !== "EADDRINUSE") {
        throw error;
      }
      continue;
    }
    probe.close();
    await once(probe, "close");
    return port;
  }
}

/** A connection alone proves little: a server may look whether its port is free. */
function answers(port) {
  return new Promise(resolve => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => socket.write("GET /__lbheartbeat__ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    socket.once("data", () => { socket.destroy(); resolve(true); });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}
