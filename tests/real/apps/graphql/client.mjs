import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { base, once, tried, wsBase } from '../kit.mjs';

class BrowserLike extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { origin: base });
  }
}
const open = (options = {}) =>
  createClient({ url: `${wsBase}/graphql`, webSocketImpl: BrowserLike, retryAttempts: 0, ...options });

await tried('a query', 10, async () => {
  const client = open();
  for await (const { data } of client.iterate({ query: '{ hello }' })) return data.hello;
});
await tried('a subscription, slow', 40, async () => {
  const client = open({ keepAlive: 3000 });
  const counts = [];
  for await (const { data } of client.iterate({ query: 'subscription { count(every: 5) }' })) counts.push(data.count);
  return counts.join(' ');
});
await tried('a query that is wrong', 10, async () => {
  const client = open();
  try {
    for await (const _ of client.iterate({ query: '{ nothing }' })) return 'an answer';
  } catch ([error]) {
    return error.message;
  }
});
const closed = async (protocol, messages) => {
  const socket = new WebSocket(`${wsBase}/graphql`, protocol, { origin: base });
  try {
    await once(socket, 'open');
  } catch (error) {
    return error.message;
  }
  for (const message of messages) socket.send(message);
  const [code, reason] = await once(socket, 'close');
  return `${code} ${reason}`;
};
const init = (payload) => JSON.stringify({ type: 'connection_init', payload });
await tried('a token that is wrong', 10, () => closed('graphql-transport-ws', [init({ token: 'wrong' })]));
await tried('a message that is wrong', 10, () => closed('graphql-transport-ws', ['{}']));
await tried('a client that says nothing', 10, () => closed('graphql-transport-ws', []));
await tried('a second connection_init', 10, () => closed('graphql-transport-ws', [init(), init()]));
await tried('another subprotocol', 10, () => closed('graphql-ws', [init()]));
process.exit(0);
