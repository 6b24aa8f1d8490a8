// A server with a document's address in its path, as Collabora Online has it.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { listening } from '../kit.mjs';

const http = createServer((request, response) => response.end(`page ${request.url}`));
const sockets = new WebSocketServer({ server: http });
sockets.on('connection', (socket, request) => socket.send(`socket ${request.url}`));
listening(http);
