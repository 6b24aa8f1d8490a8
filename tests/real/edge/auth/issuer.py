"""The server of an issuer's keys, which can fail, and counts who asks."""

import asyncio
import json
import time


class Issuer:
    """Answers each request with its document, as long as it is there."""

    def __init__(self, document):
        self.document, self.asked = document, []
        self.server, self.port = None, 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def stop(self):
        self.server.close()
        await self.server.wait_closed()

    def fetches_since(self, moment):
        return sum(asked >= moment for asked in self.asked)

    async def serve(self, reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked.append(time.monotonic())
            body = json.dumps(self.document).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: max-age=1\r\nConnection: close\r\n"
                         b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
