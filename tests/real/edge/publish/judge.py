"""Sessions whose client is wsproto, which takes nothing for right that is not, and a server whose bytes come in pieces."""

import asyncio

from wsproto.connection import Connection as Frames, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate

from .. import http2
from ..wire import Answer, acceptance, handshake


class Socket(http2.Session):
    """A session with a connection of its own, on HTTP/1.1."""

    def __init__(self, reader, writer):
        super().__init__(None, None)
        self.reader, self.writer = reader, writer
        self.closed = asyncio.Event()
        self.error = None

    @classmethod
    async def open(cls, port, path, deflate=False, fields=(), **options):
        reader, writer = await asyncio.open_connection(**{"host": "127.0.0.1", "port": port, **options})
        self = cls(reader, writer)
        offer = [f"Sec-WebSocket-Extensions: permessage-deflate; {PerMessageDeflate().offer()}"] if deflate else []
        writer.write("\r\n".join([*handshake(path), *offer, *fields, "", ""]).encode())
        self.answered = Answer(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20))
        if self.answered.status != 101:
            raise ConnectionRefusedError(self.answered.status)
        chosen = self.answered.field("sec-websocket-extensions")
        if chosen:
            self.extension.finalize(chosen)
        self.frames = Frames(ConnectionType.CLIENT, extensions=[self.extension] if chosen else [])
        self.reading = asyncio.create_task(self.read())
        return self

    async def read(self):
        try:
            while data := await self.reader.read(1 << 16):
                self.take(data)
        except OSError:
            pass
        except Exception as error:  # wsproto's, for what is no right frame
            self.error = repr(error)
        finally:
            self.closed.set()
            self.writer.close()

    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()

    def answer(self, event):
        self.writer.write(self.frames.send(event))

    async def end(self):
        self.writer.close()
        await asyncio.wait_for(self.closed.wait(), 20)


def frame(opcode, payload, is_last=True):
    """A frame as a server sends it."""
    length = len(payload)
    size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2) if length < 1 << 16 else b"\x7f" + length.to_bytes(8)
    return bytes([128 * is_last | opcode]) + size + payload


async def send_parts(session, message, parts):
    """Sends a message in so many frames."""
    kind = TextMessage if isinstance(message, str) else BytesMessage
    size = len(message) // parts + 1
    pieces = [message[at:at + size] for at in range(0, max(1, len(message)), size)]
    for number, piece in enumerate(pieces, 1):
        await session.write(session.frames.send(kind(piece, message_finished=number == len(pieces))))


class Splitting:
    """A server that answers each message with the same one, in frames and writes that chance divides."""

    def __init__(self, random):
        self.random, self.splits = random, 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def serve(self, reader, writer):
        try:
            head = Answer(b"HTTP/1.1 000 \r\n" + await reader.readuntil(b"\r\n\r\n"))
            extension, offered = PerMessageDeflate(), head.field("sec-websocket-extensions")
            accepted = extension.accept(offered) if offered else None
            fields = [f"Sec-WebSocket-Extensions: permessage-deflate; {accepted}".encode()] if offered else []
            writer.write(acceptance(head, fields))
            frames = Frames(ConnectionType.SERVER, extensions=[extension] if offered else [])
            part = None
            while data := await reader.read(1 << 16):
                frames.receive_data(data)
                for event in frames.events():
                    match event:
                        case TextMessage() | BytesMessage():
                            part = event.data if part is None else part + event.data
                            if event.message_finished:
                                await self.answer(writer, frames, type(event), part, bool(offered))
                                part = None
                        case Ping():
                            writer.write(frames.send(event.response()))
                        case CloseConnection():
                            writer.write(frames.send(event.response()))
                            return
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()

    async def answer(self, writer, frames, kind, message, is_compressed):
        is_text = kind is TextMessage
        if not is_compressed and is_text:
            # In bytes, so that frames divide characters too.
            message = message.encode()
        cuts = sorted(self.random.randrange(len(message) + 1) for _ in range(self.random.choice([0, 0, 1, 3])))
        data, starts = b"", []
        for number, (begin, end) in enumerate(zip([0, *cuts], [*cuts, len(message)])):
            starts.append(len(data))
            piece, is_last = message[begin:end], number == len(cuts)
            data += frames.send(kind(piece, message_finished=is_last)) if is_compressed else \
                frame((1 if is_text else 2) if number == 0 else 0, piece, is_last)
        # Half of the places are in and around the heads of frames.
        near = [start + self.random.randrange(14) for start in starts for _ in range(2)]
        anywhere = [self.random.randrange(len(data)) for _ in range(4)]
        places = sorted({place for place in [*near, *anywhere] if 0 < place < len(data)})
        for begin, end in zip([0, *places], [*places, len(data)]):
            writer.write(data[begin:end])
            await writer.drain()
            self.splits += 1
            # So that publications come meanwhile.
            await asyncio.sleep(self.random.choice([0, 0, 0, 0.001]))
