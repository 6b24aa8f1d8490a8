// An MQTT broker (aedes) on a WebSocket.
import { createServer } from 'node:http';
import { Aedes } from 'aedes';
import { WebSocketServer, createWebSocketStream } from 'ws';
import { listening } from '../kit.mjs';

const broker = await Aedes.createBroker();
const http = createServer();
const sockets = new WebSocketServer({ server: http, path: '/mqtt', handleProtocols: (offer) => offer.has('mqtt') && 'mqtt' });
sockets.on('connection', (socket, request) => broker.handle(createWebSocketStream(socket), request));
listening(http);
