// A Socket.IO server, as its documentation begins.
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { listening, sleep } from '../kit.mjs';

const http = createServer();
const io = new Server(http, { maxHttpBufferSize: 4e6, cors: { origin: 'http://page.example', credentials: true } });

io.on('connection', (socket) => {
  socket.on('echo', (value, answer) => answer(value));
  socket.on('later', async (seconds) => {
    await sleep(seconds);
    socket.emit('here it is', seconds);
  });
  socket.on('join', (room, answer) => {
    socket.join(room);
    answer('joined');
  });
  socket.on('say', (room, text) => io.to(room).emit('said', text));
  socket.on('throw me out', () => socket.disconnect(true));
});
io.of('/admin').use((socket, next) => {
  next(socket.handshake.auth.token === 'right' ? undefined : new Error('not authorized'));
});
listening(http);
