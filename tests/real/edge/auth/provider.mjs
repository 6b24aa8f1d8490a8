// An identity provider with a key of its own: `provider.mjs PORT`, 0 for a free one. It prints its issuer, and for each line of its input a
// token with that subject, signed with the newest key; `+ALGORITHM` makes a new key first.
import readline from "node:readline";
import { OAuth2Server } from "oauth2-mock-server";

const server = new OAuth2Server();
await server.issuer.keys.generate("RS256");
await server.start(Number(process.argv[2]), "localhost");
console.log(server.issuer.url);
let kid;
for await (const line of readline.createInterface({ input: process.stdin })) {
  if (line.startsWith("+")) {
    kid = (await server.issuer.keys.generate(line.slice(1))).kid;
    continue;
  }
  const claim = (header, payload) => Object.assign(payload, { aud: ["chat", "mail"], sub: line });
  console.log(await server.issuer.buildToken({ kid, scopesOrTransform: claim }));
}
await server.stop();
