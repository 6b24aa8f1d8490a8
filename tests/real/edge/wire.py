"""A handshake on the bytes of the wire, and a server that keeps the heads that it gets."""

import asyncio
import base64
import hashlib
import os

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Answer:
    """What came back for a request: the status, the head and the body as bytes."""

    def __init__(self, head, body=b""):
        self.head, self.body = head, body
        self.status = int(head.split(b" ", 2)[1])

    def field(self, name):
        """The value of a header; none without it."""
        for line in self.head.split(b"\r\n")[1:]:
            found, _, value = line.partition(b":")
            if found.lower() == name.encode().lower():
                return value.strip().decode()
        return None


def handshake(path, host="a.test"):
    """The lines of a right one."""
    return [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}"]


async def shake(port, path, *fields, host="a.test", seconds=20):
    """A handshake with these further fields, `name: value` each: its answer. An accepted session is dropped at once."""
    return await asyncio.wait_for(ask(port, [*handshake(path, host), *fields]), seconds)


async def get(port, path, *fields, method="GET", body=b"", host="a.test", seconds=20):
    """A plain request, with its answer."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", f"Content-Length: {len(body)}", *fields]
    return await asyncio.wait_for(ask(port, lines, body), seconds)


async def ask(port, lines, body=b""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head = await reader.readuntil(b"\r\n\r\n")
        answer = Answer(head)
        if answer.status != 101:
            answer.body = await reader.read(1 << 22) if answer.field("content-length") is None \
                else await reader.readexactly(int(answer.field("content-length")))
        return answer
    finally:
        writer.close()


def acceptance(request, fields=()):
    """The head that accepts a handshake, with these further lines."""
    accept = base64.b64encode(hashlib.sha1(request.field("sec-websocket-key").encode() + GUID).digest())
    lines = [b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Accept: " + accept]
    return b"\r\n".join([*lines, *fields, b"", b""])


class Upstream:
    """A WebSocket server that keeps each head, answers messages, and chooses the subprotocol `chat` where it is offered."""

    def __init__(self):
        self.heads, self.fields = [], []

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def last(self, name):
        """A field of the newest head."""
        return Answer(b"HTTP/1.1 000 \r\n" + self.heads[-1]).field(name)

    async def serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            request = Answer(b"HTTP/1.1 000 \r\n" + head)
            if request.field("upgrade") is None:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")
                return
            offered = (request.field("sec-websocket-protocol") or "").replace(" ", "").split(",")
            chosen = [b"Sec-WebSocket-Protocol: chat"] if "chat" in offered else []
            writer.write(acceptance(request, [*chosen, *self.fields]))
            while await self.answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, reader, writer):
        """Sends a short frame back unmasked; whether more may come."""
        first, second = await reader.readexactly(2)
        opcode, length = first & 15, second & 127
        if length == 126:
            length = int.from_bytes(await reader.readexactly(2))
        mask = await reader.readexactly(4)
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(await reader.readexactly(length)))
        if opcode == 10:
            return True
        opcode = 10 if opcode == 9 else opcode
        size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2)
        writer.write(bytes([128 | opcode]) + size + payload)
        return opcode != 8
