// A SignalR hub of the protocol's three transports, for Microsoft's own client. Microsoft's server needs .NET, which
// npm and PyPI do not have; this one has its time-outs: a silent poll lasts 90 s, and others are pinged every 15 s.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { listening, sleep } from '../kit.mjs';

const RECORD = '\x1e';
const connections = new Map();
const pack = (message) => JSON.stringify(message) + RECORD;

const hub = {
  Echo: (_, value) => value,
  async Later({ send }, seconds) {
    await sleep(seconds);
    send({ type: 1, target: 'hereItIs', arguments: [seconds] });
    return 'done';
  },
  Everybody(_, ...all) {
    for (const { send } of connections.values()) send?.({ type: 1, target: 'said', arguments: all });
  },
};

async function heard(connection, text) {
  for (const record of text.split(RECORD).filter(Boolean)) {
    const message = JSON.parse(record);
    if (message.protocol) connection.send({});
    if (message.type !== 1) continue;
    const result = await hub[message.target](connection, ...message.arguments);
    connection.send({ type: 3, invocationId: message.invocationId, result });
  }
}

function pinged(connection) {
  const timer = setInterval(() => connection.send({ type: 6 }), 15_000);
  return () => {
    clearInterval(timer);
    connections.delete(connection.id);
  };
}

/** Answers a poll with what waits, or when something comes, or after 90 s. */
function poll(connection, response) {
  const first = !connection.send;
  connection.waiting ??= '';
  connection.send = (message) => {
    connection.waiting += pack(message);
    connection.flush?.();
  };
  const flush = () => {
    clearTimeout(timer);
    connection.flush = undefined;
    response.end(connection.waiting);
    connection.waiting = '';
  };
  const timer = setTimeout(flush, 90_000);
  connection.flush = flush;
  if (first || connection.waiting) flush();
}

const bodyOf = async (request) => {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
};
const http = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://x');
  if (url.pathname === '/hub/negotiate') {
    const id = randomUUID();
    connections.set(id, { id });
    const formats = (transport) => ({ transport, transferFormats: ['Text'] });
    response.end(JSON.stringify({
      negotiateVersion: 1, connectionId: randomUUID(), connectionToken: id,
      availableTransports: ['WebSockets', 'ServerSentEvents', 'LongPolling'].map(formats),
    }));
    return;
  }
  const connection = connections.get(url.searchParams.get('id'));
  if (!connection) {
    response.writeHead(404).end();
  } else if (request.method === 'POST') {
    const text = await bodyOf(request);
    response.end();
    await heard(connection, text);
  } else if (request.method === 'DELETE') {
    connections.delete(connection.id);
    response.writeHead(202).end();
    connection.flush?.();
  } else if (request.headers.accept === 'text/event-stream') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
    response.write(':\r\n\r\n');
    connection.send = (message) => response.write(`data: ${pack(message)}\r\n\r\n`);
    response.on('close', pinged(connection));
  } else {
    poll(connection, response);
  }
});
new WebSocketServer({ server: http, path: '/hub' }).on('connection', (socket, request) => {
  const connection = connections.get(new URL(request.url, 'http://x').searchParams.get('id')) ?? { id: randomUUID() };
  connection.send = (message) => socket.send(pack(message));
  socket.on('message', (text) => heard(connection, text.toString()));
  socket.on('close', pinged(connection));
});
listening(http);
