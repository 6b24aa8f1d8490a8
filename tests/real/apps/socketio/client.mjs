import { io } from 'socket.io-client';
import { base, once, sleep, tried } from '../kit.mjs';

const open = (options = {}, path = '') =>
  io(base + path, { forceNew: true, reconnection: false, extraHeaders: { Origin: base }, ...options });

/** Connects, uses the socket, and says how often it was lost meanwhile. */
async function using(options, use) {
  const socket = open(options);
  let lost = 0;
  socket.on('disconnect', () => (lost += 1));
  await Promise.race([
    once(socket, 'connect'),
    once(socket, 'connect_error').then(([error]) => Promise.reject(error)),
  ]);
  const result = await use(socket);
  const lostBefore = lost;
  socket.disconnect();
  return `${result}, lost ${lostBefore} times`;
}
const echo = (socket, value) => new Promise((resolve) => socket.emit('echo', value, resolve));

await tried('polling, then an upgrade to WebSocket', 20, () =>
  using({}, async (socket) => {
    const { engine } = socket.io;
    if (engine.transport.name !== 'websocket') await once(engine, 'upgrade');
    const big = Buffer.alloc(1_000_000, 7);
    const back = Buffer.from(await echo(socket, big));
    return `${engine.transport.name}, 1 MB ${back.equals(big) ? 'came back' : 'is broken'}`;
  }));
await tried('polling only, an event after 8 s', 30, () =>
  using({ transports: ['polling'] }, async (socket) => {
    socket.emit('later', 8);
    const [seconds] = await once(socket, 'here it is');
    return `event after ${seconds} s, ${await echo(socket, 'text')}`;
  }));
await tried('polling only, 1 MB in each direction', 30, () =>
  using({ transports: ['polling'] }, async (socket) => {
    const big = Buffer.alloc(1_000_000, 9);
    return Buffer.from(await echo(socket, big)).equals(big) ? 'came back' : 'is broken';
  }));
await tried('WebSocket only', 20, () =>
  using({ transports: ['websocket'] }, (socket) => echo(socket, 'text')));
await tried('a silence of 35 s, with the pings of Socket.IO', 60, () =>
  using({ transports: ['polling'] }, async (socket) => {
    await sleep(35);
    return echo(socket, 'still here');
  }));
await tried('a room of two', 20, () =>
  using({}, (first) =>
    using({ transports: ['polling'] }, async (second) => {
      for (const socket of [first, second]) {
        await new Promise((resolve) => socket.emit('join', base, resolve));
      }
      const heard = Promise.all([once(first, 'said'), once(second, 'said')]);
      first.emit('say', base, 'hello');
      return (await heard).flat().join(' and ');
    })));
await tried('a namespace that refuses', 20, async () => {
  const socket = open({ auth: { token: 'wrong' } }, '/admin');
  const [error] = await once(socket, 'connect_error');
  socket.disconnect();
  return error.message;
});
await tried('thrown out by the server', 20, async () => {
  const socket = open({ transports: ['websocket'] });
  await once(socket, 'connect');
  socket.emit('throw me out');
  const [reason] = await once(socket, 'disconnect');
  return reason;
});
await tried('a preflight of another site', 20, async () => {
  const answer = await fetch(`${base}/socket.io/?EIO=4&transport=polling`, {
    method: 'OPTIONS',
    headers: { Origin: 'http://page.example', 'Access-Control-Request-Method': 'POST' },
  });
  return `${answer.status}, ${answer.headers.get('access-control-allow-origin')}`;
});
process.exit(0);
