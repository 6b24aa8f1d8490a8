import asyncio
import re

import httpx
import websockets

from kit import BASE, WS_BASE, tried


def connect(origin=BASE, **options):
    return websockets.connect(f"{WS_BASE}/ws", origin=origin, max_size=None, **options)


async def main():
    async with httpx.AsyncClient(base_url=BASE, timeout=30) as http:

        async def messages():
            async with connect(subprotocols=["a", "b"]) as socket:
                same = []
                for message in ["text", bytes(1_000_000), "x" * 70_000]:
                    await socket.send(message)
                    same.append(await socket.recv() == message)
                deflate = [extension.name for extension in socket.protocol.extensions]
                return f"{socket.subprotocol}, {deflate}, {same}"

        async def fragments():
            async with connect() as socket:
                await socket.send(["a", "b", "c"])
                return await socket.recv()

        async def closes():
            async with connect() as socket:
                await socket.send("close")
                try:
                    await socket.recv()
                except websockets.ConnectionClosed as closed:
                    return f"{closed.rcvd.code} {closed.rcvd.reason}"

        async def other_site():
            try:
                async with connect(origin="http://other.example"):
                    return "let in"
            except websockets.InvalidStatus as error:
                return error.response.status_code

        async def form(send):
            page = await http.get("/form")
            token = re.search('value="([^"]+)"', page.text).group(1)
            answer = await http.post("/form", data={"name": "you", **({"_xsrf": token} if send else {})},
                                     headers={"Origin": BASE})
            return f"{answer.status_code} {answer.text if send else ''}"

        async def slow():
            return (await http.get("/slow?seconds=12")).text

        await tried("messages, a subprotocol, compression", 30, messages)
        await tried("a message in three fragments", 10, fragments)
        await tried("a close code of the application", 10, closes)
        await tried("a page of another site", 10, other_site)
        await tried("a form with its XSRF token", 10, lambda: form(True))
        await tried("a form without it", 10, lambda: form(False))
        await tried("an answer after 12 s", 20, slow)


asyncio.run(main())
