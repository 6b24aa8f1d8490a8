import { execFile } from 'node:child_process';
import { Agent, request } from 'node:http';
import { promisify } from 'node:util';
import { base, once, sleep, tried } from '../kit.mjs';

const curl = async (...options) =>
  (await promisify(execFile)('curl', ['-sS', '--max-time', '60', ...options])).stdout.trim();
const read = async (answer) => {
  let text = '';
  for await (const chunk of answer) text += chunk;
  return text;
};
const send = (path, { method = 'GET', headers = {}, agent } = {}) => request(base + path, { method, headers, agent });
const ask = async (path, options = {}) => {
  const sent = send(path, options);
  sent.end(options.body);
  const [answer] = await Promise.race([once(sent, 'response'), once(sent, 'error').then(([e]) => Promise.reject(e))]);
  return { status: answer.statusCode, headers: answer.headers, text: await read(answer), trailers: answer.trailers };
};
const shown = ({ status, text }) => `${status} ${text}`.trim();

await tried('103 Early Hints', 10, async () => {
  const sent = send('/hints').end();
  const hints = [];
  sent.on('information', ({ statusCode, headers }) => hints.push(`${statusCode} ${headers.link}`));
  const [answer] = await once(sent, 'response');
  return `${hints} then ${answer.statusCode} ${await read(answer)}`;
});
await tried('Expect: 100-continue, wanted', 20, async () => {
  const sent = send('/upload', { method: 'PUT', headers: { Expect: '100-continue', 'Content-Length': 5_000_000 } });
  sent.flushHeaders();
  await once(sent, 'continue');
  sent.end(Buffer.alloc(5_000_000));
  const [answer] = await once(sent, 'response');
  return `100 then ${answer.statusCode} ${await read(answer)}`;
});
await tried('Expect: 100-continue, refused before the upload', 20, async () => {
  const sent = send('/unwanted', { method: 'PUT', headers: { Expect: '100-continue', 'Content-Length': 5_000_000 } });
  sent.flushHeaders();
  const first = await Promise.race([once(sent, 'continue').then(() => 'continue'), once(sent, 'response')]);
  const said = first === 'continue' ? 'asked for the upload' : `${first[0].statusCode} and no upload`;
  sent.destroy();
  return said;
});
await tried('curl with Expect', 30, () =>
  curl('-T', process.execPath, '-H', 'Expect: 100-continue', '-o', '/dev/null', '-w', '%{http_code}', `${base}/upload`));
await tried('413 with the upload unread, 20 times', 60, async () => {
  const statuses = {};
  for (let i = 0; i < 20; i += 1) {
    const status = await curl('-X', 'POST', '-H', 'Expect:', '--data-binary', `@${process.execPath}`,
      '-o', '/dev/null', '-w', '%{http_code}', `${base}/too-large`).catch((error) => `curl ${error.code}`);
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
  return JSON.stringify(statuses);
});
await tried('an event stream that is silent for 75 s', 100, async () => shown(await ask('/events?seconds=75')));
await tried('an answer after 40 s', 60, async () => shown(await ask('/slow?seconds=40')));
await tried('a download whose reader pauses for 20 s', 60, async () => {
  const sent = send('/download').end();
  const [answer] = await once(sent, 'response');
  let size = 0;
  for await (const chunk of answer) {
    if (size === 0) await sleep(20);
    size += chunk.length;
  }
  return `${size} bytes`;
});
await tried('a preflight', 10, async () => {
  const headers = { Origin: 'https://other.example', 'Access-Control-Request-Method': 'PUT' };
  const { status, headers: got } = await ask('/api', { method: 'OPTIONS', headers });
  return `${status} ${got['access-control-allow-origin']}`;
});
const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
await tried('form_post from an identity provider', 10, async () =>
  shown(await ask('/form', { method: 'POST', headers: { ...form, Origin: 'https://login.example' }, body: 'code=1' })));
await tried('a form of a no-referrer page', 10, async () =>
  shown(await ask('/form', {
    method: 'POST', headers: { ...form, Origin: 'null', 'Sec-Fetch-Site': 'same-origin' }, body: 'a=1',
  })));
await tried('a server that closes after each answer, 50 GETs', 30, async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const statuses = {};
  for (let i = 0; i < 50; i += 1) {
    const { status } = await ask('/closes', { agent }).catch(() => ask('/closes', { agent }));
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
  return JSON.stringify(statuses);
});
await tried('a GET with a body in chunks', 10, async () =>
  shown(await ask('/upload', { headers: { 'Transfer-Encoding': 'chunked' }, body: 'find this' })));
await tried('a client that offers HTTP/2 by Upgrade', 10, async () =>
  shown(await ask('/upload', {
    method: 'POST', headers: { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABk' }, body: 'five5',
  })));
await tried('trailers', 10, async () => {
  const { text, trailers } = await ask('/trailers', { headers: { TE: 'trailers' } });
  return `${text} ${JSON.stringify(trailers)}`;
});
await tried('a range', 10, async () => {
  const { status, headers, text } = await ask('/range', { headers: { Range: 'bytes=2-4' } });
  return `${status} ${headers['content-range']} ${headers.etag} ${text}`;
});
await tried('HEAD', 10, async () => {
  const { status, headers, text } = await ask('/download', { method: 'HEAD' });
  return `${status} ${headers['content-length']} ${text}`;
});
await tried("the application's own 403", 10, async () => {
  const { status, headers, text } = await ask('/forbidden');
  return `${status} ${headers['x-application']} ${text}`;
});
process.exit(0);
