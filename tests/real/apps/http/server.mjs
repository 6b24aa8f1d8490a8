// Plain HTTP: what an application does beside its WebSocket.
import { createServer } from 'node:http';
import { listening, sleep } from '../kit.mjs';

const bodyOf = async (request) => {
  let size = 0;
  for await (const chunk of request) size += chunk.length;
  return size;
};
const pages = {
  async '/hints'(request, response) {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    await sleep(1);
    response.end('page');
  },
  async '/upload'(request, response) {
    response.end(String(await bodyOf(request)));
  },
  // The answer comes at once, and a second later the connection ends with the upload unread.
  '/too-large'(request, response) {
    response.writeHead(413, { Connection: 'close' });
    response.end('too large', () => setTimeout(() => request.socket.destroy(), 1000));
  },
  async '/events'(request, response, { seconds }) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('data: first\n\n');
    await sleep(Number(seconds));
    response.end('data: last\n\n');
  },
  async '/slow'(request, response, { seconds }) {
    await sleep(Number(seconds));
    response.end('done');
  },
  '/download'(request, response) {
    const size = 64_000_000;
    response.writeHead(200, { 'Content-Length': size });
    response.end(Buffer.alloc(size, 1));
  },
  '/api'(request, response) {
    if (request.method === 'OPTIONS') {
      response.writeHead(204, {
        'Access-Control-Allow-Origin': request.headers.origin,
        'Access-Control-Allow-Methods': 'PUT',
      });
    }
    response.end();
  },
  async '/form'(request, response) {
    response.end(`from ${request.headers.origin}, ${await bodyOf(request)} bytes`);
  },
  // The server says nothing of it, and closes just after its answer.
  '/closes'(request, response) {
    response.end('here', () => setImmediate(() => request.socket.destroy()));
  },
  '/trailers'(request, response) {
    response.writeHead(200, { Trailer: 'x-sum' });
    response.write('body');
    response.addTrailers({ 'x-sum': '4' });
    response.end();
  },
  '/range'(request, response) {
    response.writeHead(206, { 'Content-Range': 'bytes 2-4/10', ETag: '"tag"' });
    response.end('cde');
  },
  '/forbidden'(request, response) {
    response.writeHead(403, { 'X-Application': 'mine' });
    response.end('not you');
  },
};
function answer(request, response) {
  const url = new URL(request.url, 'http://x');
  const page = pages[url.pathname];
  if (page) return page(request, response, Object.fromEntries(url.searchParams));
  response.writeHead(404).end();
}
const http = createServer(answer);
http.keepAliveTimeout = 1000;
http.on('checkContinue', (request, response) => {
  if (request.url === '/unwanted') {
    response.writeHead(401, { Connection: 'close' });
    response.end('not you');
    return;
  }
  response.writeContinue();
  answer(request, response);
});
listening(http);
