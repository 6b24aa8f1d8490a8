"""The server behind the proxies of `beside`, and its WebSocket client: small, and slow where it is asked to be."""

import asyncio
import base64
import hashlib
import os
import struct
import urllib.parse

DOWNLOAD = 64_000_000


async def read_head(reader):
    """The first line of a head and its headers, or None at the end of the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.split("\r\n")[:-2]
    return first, {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}


async def read_frame(reader):
    """Opcode and payload of a frame."""
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length == 126:
        length = struct.unpack(">H", await reader.readexactly(2))[0]
    elif length == 127:
        length = struct.unpack(">Q", await reader.readexactly(8))[0]
    mask = await reader.readexactly(4) if second & 0x80 else b"\0\0\0\0"
    payload = await reader.readexactly(length)
    return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def frame(opcode, payload, masked):
    head = bytes([0x80 | opcode, (0x80 if masked else 0) | len(payload)])
    return head + (b"\0\0\0\0" if masked else b"") + payload


class Origin:
    """The server. A query says what it does: `/slow?seconds=8`."""

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=512)
        return self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            while head := await read_head(reader):
                target = urllib.parse.urlsplit(head[0].split()[1])
                query = dict(urllib.parse.parse_qsl(target.query))
                name = target.path.rsplit("/", 1)[1]
                if not await getattr(self, f"do_{name}")(reader, writer, head[1], **query):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def answer(self, writer, body, status="200 OK"):
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return True

    async def do_slow(self, reader, writer, headers, seconds="0"):
        await asyncio.sleep(float(seconds))
        return await self.answer(writer, b"done")

    async def do_closes(self, reader, writer, headers):
        await self.answer(writer, b"done")
        return False

    async def do_large(self, reader, writer, headers):
        await self.answer(writer, b"too large", "413 Content Too Large")
        return False

    async def do_download(self, reader, writer, headers):
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {DOWNLOAD}\r\n\r\n".encode())
        for _ in range(DOWNLOAD // 64_000):
            writer.write(bytes(64_000))
            await writer.drain()
        return True

    async def do_upload(self, reader, writer, headers, busy):
        await asyncio.sleep(float(busy))
        size, left = 0, headers.get("content-length")
        while left is not None and size < int(left):
            got = await reader.read(1 << 20)
            if not got:
                return False
            size += len(got)
        while left is None:
            length = int(await reader.readuntil(b"\r\n"), 16)
            await reader.readexactly(length + 2)
            size += length
            if not length:
                break
        return await self.answer(writer, str(size).encode())

    async def do_events(self, reader, writer, headers, seconds):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: first\n\n")
        await asyncio.sleep(float(seconds))
        writer.write(b"data: last\n\n")
        await writer.drain()
        return False

    async def do_ws(self, reader, writer, headers, seconds="0", blocked="0"):
        await asyncio.sleep(float(seconds))
        accept = base64.b64encode(hashlib.sha1(
            (headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        writer.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        while True:
            opcode, payload = await read_frame(reader)
            if opcode == 1:
                await asyncio.sleep(float(blocked))
                writer.write(frame(1, payload, False))
            elif opcode == 9:
                writer.write(frame(10, payload, False))
            elif opcode == 8:
                writer.write(frame(8, payload, False))
                return False


class Socket:
    """A WebSocket client. It answers pings while it waits for a message."""

    @classmethod
    async def open(cls, port, path, seconds):
        """The status of the handshake, and the socket if that is 101."""
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: app.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        head = await asyncio.wait_for(read_head(self.reader), seconds)
        if head is None:
            return "closed", self
        return head[0].split()[1], self

    async def hear(self):
        """The next message, or how the socket was closed."""
        while True:
            try:
                opcode, payload = await read_frame(self.reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                return "cut without a close frame"
            if opcode == 9:
                self.writer.write(frame(10, payload, True))
            elif opcode == 8:
                return f"closed with {struct.unpack('>H', payload[:2])[0] if payload else 1005}"
            elif opcode == 1:
                return payload.decode()

    def say(self, text):
        self.writer.write(frame(1, text.encode(), True))

    def close(self):
        self.writer.close()
