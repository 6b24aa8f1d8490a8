// A client of wss over node's TLS: `talk.mjs PORT CA`.
import fs from "node:fs";
import WebSocket from "ws";

const [port, ca] = process.argv.slice(2);
const socket = new WebSocket(`wss://127.0.0.1:${port}/ws/`, {
  ca: fs.readFileSync(ca), servername: "a.test", headers: { host: "a.test" },
});
const messages = ["a word", "ü".repeat(1000), Buffer.alloc(3_000_000, 7), ""];
let at = 0;
socket.on("open", () => socket.send(messages[at]));
socket.on("message", (data, isBinary) => {
  const sent = messages[at];
  const same = isBinary ? Buffer.compare(data, sent) === 0 : data.toString() === sent;
  if (!same) { console.log(`message ${at} differs`); process.exit(1); }
  at += 1;
  if (at < messages.length) socket.send(messages[at]);
  else socket.close(4321, "over");
});
socket.on("close", (code, reason) => { console.log(`${at} messages, ${code} ${reason}`); process.exit(0); });
socket.on("error", (error) => { console.log(`failed: ${error.message}`); process.exit(1); });
