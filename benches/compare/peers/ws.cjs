// The broadcast of node's ws, as its page shows it, with a listener of its own for what is published.

const http = require("node:http");
const { WebSocket, WebSocketServer } = require("ws");

const [listen, publish] = process.argv.slice(2).map((address) => {
  const [host, port] = address.split(":");
  return { host, port, backlog: 4096 };
});

const server = new WebSocketServer({ ...listen, perMessageDeflate: false });

http
  .createServer((request, response) => {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      const text = Buffer.concat(pieces);
      for (const client of server.clients) {
        if (client.readyState === WebSocket.OPEN) {
          client.send(text, { binary: false });
        }
      }
      response.writeHead(200, { "Content-Length": 0 });
      response.end();
    });
  })
  .listen(publish);
