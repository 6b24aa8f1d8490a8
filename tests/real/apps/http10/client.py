import asyncio
import re
import urllib.parse

import httpx

from kit import BASE, tried

PLACE = urllib.parse.urlsplit(BASE)


async def raw(request):
    """The answer to `request`, up to the end of the connection."""
    reader, writer = await asyncio.open_connection(PLACE.hostname, PLACE.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def main():
    async def get():
        async with httpx.AsyncClient() as http:
            answer = await http.get(BASE)
            return f"{answer.status_code}, {len(answer.content)} bytes"

    async def twice():
        async with httpx.AsyncClient() as http:
            return [(await http.post(BASE, content=b"x" * size)).text for size in [10, 100_000]]

    async def old_client(host):
        answer = await raw(b"GET / HTTP/1.0\r\n" + host + b"\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        framing = re.findall(rb"(?im)^(?:content-length|transfer-encoding):[^\r]*", head)
        return f"{head.split()[1].decode()}, {len(body)} bytes, {framing}"

    await tried("a body that ends with the connection", 20, get)
    await tried("two uploads", 20, twice)
    await tried("a client of HTTP/1.0 with a Host", 20, lambda: old_client(b"Host: x\r\n"))
    await tried("a client of HTTP/1.0 without a Host", 20, lambda: old_client(b""))


asyncio.run(main())
