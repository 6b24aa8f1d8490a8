import WebSocket from 'ws';
import { get } from 'node:http';
import { base, once, tried, wsBase } from '../kit.mjs';

const path = (document) => `/cool/${encodeURIComponent(document)}?WOPISrc=x&compat=/ws`;
const url = '/cool/https%3A%2F%2Foffice.example%2Fwopi%2Ffiles%2F12_ab%3Faccess_token%3Dx/ws?WOPISrc=https%3A%2F%2Foffice.example%2Ffiles&compat=/ws';

await tried('a WebSocket', 10, async () => {
  const socket = new WebSocket(wsBase + url, { origin: base });
  const [message] = await once(socket, 'message');
  socket.close();
  return message;
});
await tried('a page', 10, async () => {
  const [answer] = await once(get(base + path('https://office.example/files/1')), 'response');
  const chunks = [];
  for await (const chunk of answer) chunks.push(chunk);
  return `${answer.statusCode} ${Buffer.concat(chunks)}`;
});
process.exit(0);
