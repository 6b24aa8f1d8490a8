"""Holds many sessions over TLS: `holder.py PORT CA COUNT`. Each line of its input asks for a word of each session."""

import asyncio
import ssl
import sys

import websockets


async def main():
    port, ca, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    context = ssl.create_default_context(cafile=ca)
    connecting = asyncio.Semaphore(50)

    async def connect():
        async with connecting:
            return await websockets.connect(f"wss://a.test:{port}/ws/", host="127.0.0.1", ssl=context, ping_interval=None)

    sockets = await asyncio.gather(*(connect() for _ in range(count)))
    print(f"open {len(sockets)}", flush=True)

    async def answers(socket, word):
        try:
            await socket.send(word)
            return await asyncio.wait_for(socket.recv(), 30) == word
        except (websockets.ConnectionClosed, TimeoutError):
            return False

    loop = asyncio.get_running_loop()
    while word := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        same = await asyncio.gather(*(answers(socket, word) for socket in sockets))
        print(f"answered {sum(same)}", flush=True)


asyncio.run(main())
