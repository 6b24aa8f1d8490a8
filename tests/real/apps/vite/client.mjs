// What Vite's client in the browser does: the page, its modules, and updates over a WebSocket.
import WebSocket from 'ws';
import { base, once, tried, wsBase } from '../kit.mjs';

const text = async (path, headers = {}) => {
  const answer = await fetch(base + path, { headers });
  return [answer.status, await answer.text()];
};

await tried('the page', 20, async () => {
  const [status, page] = await text('/');
  return `${status}, Vite's client ${page.includes('/@vite/client') ? 'is in it' : 'is missing'}`;
});
const token = async () => {
  const [, client] = await text('/@vite/client');
  return client.match(/wsToken = "([^"]+)"/)?.[1];
};
const connect = async () => {
  const socket = new WebSocket(`${wsBase}/?token=${await token()}`, 'vite-hmr', { origin: base });
  const [message] = await once(socket, 'message');
  return [socket, JSON.parse(message)];
};
await tried('connected', 20, async () => {
  const [socket, message] = await connect();
  socket.close();
  return `${socket.protocol}, ${message.type}`;
});
await tried('an edit arrives', 30, async () => {
  await text('/main.js');
  const [socket] = await connect();
  const version = Date.now();
  const message = once(socket, 'message');
  await text(`/edit?version=${version}`);
  const update = JSON.parse((await message)[0]);
  socket.close();
  const [status, module] = await text(`/main.js?t=${update.updates?.[0].timestamp}`);
  return `${update.type} of ${update.updates?.[0].path}, module ${status} ${
    module.includes(String(version)) ? 'is the new one' : 'is the old one'}`;
});
await tried('an entity tag is asked for again', 20, async () => {
  const answer = await fetch(`${base}/main.js`);
  await answer.text();
  const [status] = await text('/main.js', { 'If-None-Match': answer.headers.get('etag') });
  return status;
});
await tried('a page of another site', 20, async () => {
  const socket = new WebSocket(`${wsBase}/?token=guessed`, 'vite-hmr', { origin: base });
  const [, response] = await once(socket, 'unexpected-response').catch(() => [0, {}]);
  return `refused with ${response.statusCode}`;
});
process.exit(0);
