// What a browser can show of a credential: `credentials.mjs chrome|firefox PROGRAM URL OTHER_URL TOKEN BRIEF_TOKEN`. It prints a line of JSON with
// the outcome of each socket. OTHER_URL is the same gate under another host, and BRIEF_TOKEN expires soon.
import puppeteer from "puppeteer-core";

const [kind, executablePath, url, otherUrl, token, brief] = process.argv.slice(2);
const browser = await puppeteer.launch({
  browser: kind, executablePath, headless: true, acceptInsecureCerts: true, protocol: "webDriverBiDi",
  args: kind === "chrome" ? ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] : [],
});

// Opens a socket in a page, and has a word echoed: the subprotocol, the word and the close code, as far as it comes.
const open = (page, path, protocols, waitsForEnd) => page.evaluate(async (address, protocols, waitsForEnd) => {
  const seen = { opened: false };
  let socket;
  try {
    socket = protocols === null ? new WebSocket(address) : new WebSocket(address, protocols);
  } catch (error) {
    return { thrown: error.name };
  }
  return new Promise((resolve) => {
    socket.onopen = () => { seen.opened = true; seen.protocol = socket.protocol; socket.send("hello"); };
    socket.onmessage = (event) => { seen.echoed = event.data; if (!waitsForEnd) socket.close(1000); };
    socket.onclose = (event) => { seen.code = event.code; resolve(seen); };
  });
}, new URL(path, url).href.replace("https:", "wss:"), protocols, waitsForEnd);

const page = await browser.newPage();
await page.goto(url, { timeout: 60_000 });
const outcomes = { nothing: await open(page, "/ws/cookie", null) };
// Sent by other sites' pages too, as far as the browser lets them.
await page.evaluate((token) => { document.cookie = `session=${token}; Secure; SameSite=None; Path=/ws/cookie`; }, token);
outcomes.cookie = await open(page, "/ws/cookie", null);
outcomes.query = await open(page, `/ws/query?access_token=${token}`, null);
outcomes.marker = await open(page, "/ws/subprotocol", ["bearer", `bearer.${token}`]);
outcomes.chat = await open(page, "/ws/subprotocol", ["bearer", `bearer.${token}`, "chat"]);
outcomes.alone = await open(page, "/ws/subprotocol", [`bearer.${token}`]);
outcomes.markerAlone = await open(page, "/ws/subprotocol", ["bearer"]);
outcomes.brief = await open(page, "/ws/subprotocol", ["bearer", `bearer.${brief}`], true);
outcomes.header = await open(page, "/ws/header", { headers: { Authorization: `Bearer ${token}` } });
await page.goto(otherUrl, { timeout: 60_000 });
outcomes.otherPage = await open(page, "/ws/cookie", null);
outcomes.otherPageWithToken = await open(page, "/ws/subprotocol", ["bearer", `bearer.${token}`]);
console.log(JSON.stringify(outcomes));
await browser.close();
