import SockJS from 'sockjs-client';
import { base, tried } from '../kit.mjs';

/** Opens with one transport, gets a big message back, one after 8 s, and is closed by the server. */
function conversation(transport) {
  return new Promise((resolve) => {
    const said = [];
    const big = 'é'.repeat(50_000);
    const socket = new SockJS(`${base}/echo`, null, { transports: [transport], timeout: 5000 });
    socket.onopen = () => {
      said.push(socket.transport);
      socket.send(big);
    };
    socket.onmessage = ({ data }) => {
      if (data === big) {
        said.push('100 KB came back');
        socket.send('later');
      } else {
        said.push(data);
        socket.send('close');
      }
    };
    socket.onclose = ({ code, reason }) => resolve([...said, `closed ${code} ${reason}`].join(', '));
  });
}

await tried('/info', 10, async () => {
  const answer = await fetch(`${base}/echo/info`);
  const { websocket, cookie_needed } = await answer.json();
  return `${answer.status}, websocket ${websocket}, cookie ${cookie_needed}`;
});
await tried('/info for another site', 10, async () => {
  const answer = await fetch(`${base}/echo/info`, { headers: { Origin: 'http://page.example' } });
  return `${answer.status}, ${answer.headers.get('access-control-allow-origin')}`;
});
for (const transport of ['websocket', 'xhr-streaming', 'xhr-polling']) {
  await tried(transport, 40, () => conversation(transport));
}
process.exit(0);
