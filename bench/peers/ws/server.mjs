// The relay on Node.js and ws, with ws's own optional native masking. Arguments: port, heartbeat in seconds.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const [port, heartbeat] = process.argv.slice(2).map(Number);
const seatsOfChannel = 3;
const channels = new Map();
const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 65536, clientTracking: true });
const http = createServer((_, response) => response.writeHead(426).end());

function serve(socket, request) {
  const asked = request.url.slice('/v1/ws/'.length);
  const id = asked || randomBytes(16).toString('base64url');
  const channel = asked ? channels.get(id) : new Set();
  if (!channel) return socket.close(4404, 'channel unavailable');
  if (channel.size === seatsOfChannel) return socket.close(4409, 'channel full');
  channels.set(id, channel.add(socket));

  const remote = request.socket.remoteAddress.replace(/^::ffff:/, '');
  const ending = `,"sender":${JSON.stringify({ remote, ua: request.headers['user-agent'] })}}`;
  socket.on('message', (data, isBinary) => {
    if (isBinary) return socket.close(1003, 'text only');
    const envelope = `{"message":${JSON.stringify(data.toString().trim())}${ending}`;
    for (const other of channel) {
      if (other !== socket) other.send(envelope);
    }
  });
  socket.on('error', () => socket.terminate());
  socket.on('close', () => {
    channel.delete(socket);
    if (channel.size === 0) channels.delete(id);
  });
  socket.send(JSON.stringify({ channelid: id, link: `/v1/ws/${id}` }));
}

http.on('upgrade', (request, socket, head) => {
  if (!request.url.startsWith('/v1/ws/')) return socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
  webSockets.handleUpgrade(request, socket, head, serve);
});
setInterval(() => {
  for (const socket of webSockets.clients) socket.ping();
}, heartbeat * 1000);
http.listen({ port, host: '0.0.0.0', backlog: 4096 });
