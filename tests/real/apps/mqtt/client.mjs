import mqtt from 'mqtt';
import { once, sleep, tried, wsBase } from '../kit.mjs';

const topic = (name) => `real/${process.pid}/${name}`;
const connect = (options = {}) =>
  mqtt.connectAsync(`${wsBase}/mqtt`, { keepalive: 5, reconnectPeriod: 0, connectTimeout: 10_000, ...options });

await tried('subscribe and publish with each quality of service', 30, async () => {
  const client = await connect();
  const got = [];
  client.on('message', (_, payload) => got.push(payload.toString()));
  await client.subscribeAsync(topic('qos/#'), { qos: 2 });
  for (const qos of [0, 1, 2]) await client.publishAsync(topic('qos/x'), `qos ${qos}`, { qos });
  await sleep(1);
  await client.endAsync();
  return got.join(', ');
});
await tried('a message of 256 KB', 30, async () => {
  const client = await connect();
  await client.subscribeAsync(topic('big'));
  const message = once(client, 'message');
  await client.publishAsync(topic('big'), Buffer.alloc(256_000, 5), { qos: 1 });
  const [, payload] = await message;
  await client.endAsync();
  return `${payload.length} bytes`;
});
await tried('a retained message', 30, async () => {
  const client = await connect();
  await client.publishAsync(topic('kept'), 'kept', { qos: 1, retain: true });
  const message = once(client, 'message');
  await client.subscribeAsync(topic('kept'));
  const [, payload, packet] = await message;
  await client.endAsync();
  return `${payload}, retained ${packet.retain}`;
});
await tried('the last will of a client that is gone', 30, async () => {
  const watcher = await connect();
  await watcher.subscribeAsync(topic('will'));
  const message = once(watcher, 'message');
  const client = await connect({ will: { topic: topic('will'), payload: Buffer.from('gone') } });
  client.stream.destroy();
  const [, payload] = await message;
  await watcher.endAsync();
  return payload;
});
await tried('a silence of 20 s with a keep-alive of 5', 40, async () => {
  const client = await connect();
  let lost = 'kept';
  client.on('close', () => (lost = 'lost'));
  await sleep(20);
  const was = lost;
  await client.endAsync();
  return was;
});
process.exit(0);
