import asyncio

import httpx
import websockets

from kit import BASE, WS_BASE, tried


def connect(**options):
    return websockets.connect(f"{WS_BASE}/ws/echo", origin=BASE, max_size=None, **options)


async def main():
    async with httpx.AsyncClient(base_url=BASE, timeout=30) as http:

        async def messages():
            async with connect(subprotocols=["a", "b"]) as socket:
                same = []
                for message in ["text", "é" * 1000, b"", bytes(3_000_000)]:
                    await socket.send(message)
                    same.append(await socket.recv() == message)
                deflate = [extension.name for extension in socket.protocol.extensions]
                return f"{socket.subprotocol}, {deflate}, {same}"

        async def closes():
            async with connect() as socket:
                await socket.send("close")
                try:
                    await socket.recv()
                except websockets.ConnectionClosed as closed:
                    return f"{closed.rcvd.code} {closed.rcvd.reason}"

        async def refuses():
            try:
                async with connect(additional_headers={"x-refuse": "yes"}):
                    return "let in"
            except websockets.InvalidStatus as error:
                return error.response.status_code

        async def events(count, every):
            got = []
            async with http.stream("GET", f"/events?count={count}&every={every}", timeout=None) as answer:
                async for line in answer.aiter_lines():
                    got += [line] if line else []
            return f"{answer.status_code}, {answer.headers['content-type']}, {got}"

        async def upload():
            answer = await http.post("/upload", files={"file": ("big", bytes(range(256)) * 80_000)})
            return f"{answer.status_code}, {answer.json()}"

        async def chunks():
            async def body():
                for _ in range(100):
                    yield b"z" * 100_000

            answer = await http.put("/chunks", content=body())
            return f"{answer.status_code}, {answer.text}"

        async def who():
            return (await http.get("/who")).json()

        await tried("messages, big and small, a subprotocol, compression", 30, messages)
        await tried("a close code of the application", 10, closes)
        await tried("a handshake that the application refuses", 10, refuses)
        await tried("server-sent events, one each second", 20, lambda: events(4, 1))
        await tried("server-sent events after a silence of 75 s", 100, lambda: events(2, 75))
        await tried("an upload of 20 MB as a form", 60, upload)
        await tried("an upload of 10 MB in chunks", 60, chunks)
        await tried("who the client is", 10, who)


asyncio.run(main())
