"""`broadcast` of Python's websockets, with a listener of its own for what is published."""

import asyncio
import sys

from websockets.asyncio.server import broadcast, serve

members = set()


async def session(websocket):
    members.add(websocket)
    try:
        await websocket.wait_closed()
    finally:
        members.discard(websocket)


async def publications(reader, writer):
    while head := await reader.readuntil(b"\r\n\r\n"):
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
        text = await reader.readexactly(int(fields[b"content-length"]))
        broadcast(members, text, text=True)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


async def main(listen, publish):
    await asyncio.start_server(publications, *publish)
    async with serve(session, *listen, compression=None, ping_interval=None, backlog=4096) as server:
        await server.serve_forever()


asyncio.run(main(*(address.split(":") for address in sys.argv[1:])))
