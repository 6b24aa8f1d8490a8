import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr';
import { base, sleep, tried } from '../kit.mjs';

const transports = {
  'negotiate, then what both can': undefined,
  WebSockets: HttpTransportType.WebSockets,
  'server-sent events': HttpTransportType.ServerSentEvents,
  'long polling': HttpTransportType.LongPolling,
};
for (const [name, transport] of Object.entries(transports)) {
  await tried(name, 60, async () => {
    const connection = new HubConnectionBuilder()
      .withUrl(`${base}/hub`, { transport, headers: { Origin: base } })
      .configureLogging(LogLevel.None)
      .build();
    let lost = 'kept';
    connection.onclose(() => (lost = 'lost'));
    const heard = [];
    connection.on('hereItIs', (seconds) => heard.push(`event after ${seconds} s`));
    connection.on('said', (text, whose) => whose === base && heard.push(text));
    await connection.start();
    const big = 'x'.repeat(100_000);
    heard.push((await connection.invoke('Echo', big)) === big ? '100 KB came back' : 'broken');
    heard.push(await connection.invoke('Later', 8));
    await connection.invoke('Everybody', 'hello', base);
    await sleep(1);
    heard.push(lost);
    await connection.stop();
    return heard.filter((text, place) => heard.indexOf(text) === place).join(', ');
  });
}
await tried('long polling, a silence of 70 s', 100, async () => {
  const connection = new HubConnectionBuilder()
    .withUrl(`${base}/hub`, { transport: HttpTransportType.LongPolling, headers: { Origin: base } })
    .configureLogging(LogLevel.None)
    .build();
  // Microsoft's server sends no pings to a client that polls, and such a client expects none.
  await connection.start();
  const said = await connection.invoke('Later', 70);
  await connection.stop();
  return said;
});
process.exit(0);
