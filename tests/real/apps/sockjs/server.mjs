// A SockJS server with an echo.
import { createServer } from 'node:http';
import sockjs from 'sockjs';
import { listening } from '../kit.mjs';

const http = createServer();
const echo = sockjs.createServer({ prefix: '/echo', log: () => {}, heartbeat_delay: 4000 });
echo.on('connection', (connection) => {
  connection.on('data', (text) => {
    if (text === 'close') connection.close(4001, 'as you wish');
    else if (text.startsWith('later')) setTimeout(() => connection.write(text), 8000);
    else connection.write(text);
  });
});
echo.installHandlers(http);
listening(http);
