// What the clients of tests/real share: `node client.mjs BASE` prints one line for each thing tried.

export const base = process.argv[2] ?? '';
export const wsBase = base.replace(/^http/, 'ws');

/** Does `action` within a deadline, and prints its result or its error. */
export async function tried(what, seconds, action) {
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing after ${seconds} s`)), seconds * 1000);
  });
  let result;
  try {
    result = await Promise.race([action(), deadline]);
  } catch (error) {
    result = `failed: ${error?.message ?? error}`;
  }
  clearTimeout(timer);
  // The address is the one thing that has to differ.
  result = String(result).replaceAll(base, 'BASE').replaceAll(wsBase, 'BASE').replaceAll('\n', ' ');
  console.log(`${what}\t${result}`);
}

/** The first time that `emitter` emits `event`, with its arguments; an error ends the wait. */
export function once(emitter, event) {
  return new Promise((resolve, reject) => {
    emitter.on('error', reject);
    emitter.once(event, (...all) => resolve(all));
  });
}

export const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** How a server says where it is. */
export function listening(server) {
  server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
}
