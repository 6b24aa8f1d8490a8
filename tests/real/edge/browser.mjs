// A browser that has the page open: `browser.mjs chrome|firefox PROGRAM URL`. Each line of its input is sent by the page's socket; the output
// is a line of JSON with what the page has seen by then.
import readline from "node:readline";
import puppeteer from "puppeteer-core";

const [kind, executablePath, url] = process.argv.slice(2);
const browser = await puppeteer.launch({
  browser: kind, executablePath, headless: true, acceptInsecureCerts: true, protocol: "webDriverBiDi",
  args: kind === "chrome" ? ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] : [],
});
const page = await browser.newPage();
await page.goto(url, { timeout: 60_000 });
const say = (value) => console.log(JSON.stringify(value));
await page.waitForFunction(() => state.opened === 1 || state.closed > 0, { timeout: 30_000 });
const protocol = () => performance.getEntriesByType("navigation")[0].nextHopProtocol;
say({ ...(await page.evaluate(() => state)), page: await page.evaluate(protocol) });
for await (const line of readline.createInterface({ input: process.stdin })) {
  await page.evaluate((word) => socket.send(word), line);
  await page.waitForFunction((word) => state.echoed.includes(word) || state.closed > 0, { timeout: 30_000 }, line);
  say(await page.evaluate(() => state));
}
await browser.close();
