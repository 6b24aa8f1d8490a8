"""WebSockets on HTTP/2 (RFC 8441), as Python's h2 and wsproto speak them."""

import asyncio
import ssl

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (ConnectionTerminated, DataReceived, RemoteSettingsChanged, ResponseReceived, StreamEnded,
                       StreamReset)
from h2.settings import SettingCodes
from wsproto.connection import Connection as Frames, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate

HOST = "a.test"
NO_ERROR = 0


class Session:
    """A WebSocket on a stream, or the refusal of one."""

    def __init__(self, connection, stream):
        self.connection, self.stream = connection, stream
        self.answered = asyncio.get_running_loop().create_future()
        self.extension = PerMessageDeflate()
        self.messages = asyncio.Queue()
        self.ended = asyncio.Event()
        self.head = self.frames = self.code = self.reset = None
        self.is_stalled, self.held = False, []
        self.sent = 0
        self.part = None

    def answer_with(self, headers):
        self.head = dict(headers)
        if self.head[":status"] == "200":
            chosen = self.head.get("sec-websocket-extensions")
            if chosen:
                self.extension.finalize(chosen)
            self.frames = Frames(ConnectionType.CLIENT, extensions=[self.extension] if chosen else [])
        self.answered.set_result(self.head)

    async def send(self, message):
        event = TextMessage(message) if isinstance(message, str) else BytesMessage(message)
        await self.write(self.frames.send(event))

    async def write(self, data):
        h2 = self.connection.h2
        while data:
            while (room := h2.local_flow_control_window(self.stream)) == 0:
                await self.connection.has_room()
            length = min(room, h2.max_outbound_frame_size, len(data))
            h2.send_data(self.stream, data[:length])
            self.sent += length
            data = data[length:]
            self.connection.flush()

    async def receive(self):
        return await asyncio.wait_for(self.messages.get(), 20)

    async def echoes(self, message):
        await self.send(message)
        return await self.receive() == message

    async def resume(self):
        self.is_stalled = False
        held, self.held = self.held, []
        for data, length in held:
            self.connection.h2.increment_flow_control_window(length, self.stream)
            self.take(data)
        self.connection.flush()

    def take(self, data):
        # The page of a refusal is none, and neither is the end of the stream behind a close frame.
        if self.frames is None or not data:
            return
        self.frames.receive_data(data)
        for event in self.frames.events():
            match event:
                case TextMessage() | BytesMessage():
                    self.part = event.data if self.part is None else self.part + event.data
                    if event.message_finished:
                        self.messages.put_nowait(self.part)
                        self.part = None
                case Ping():
                    self.answer(event.response())
                case CloseConnection():
                    self.code = event.code
                    self.answer(event.response())

    def answer(self, event):
        """A control frame fits into any window that is not stalled."""
        self.connection.h2.send_data(self.stream, self.frames.send(event))


class Connection:
    """A connection of HTTP/2 over TLS. `order` is what the gate ended, as it came."""

    @classmethod
    async def open(cls, port, ca, address="127.0.0.1"):
        context = ssl.create_default_context(cafile=str(ca))
        context.set_alpn_protocols(["h2"])
        reader, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=HOST)
        self = cls()
        self.protocol = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        self.reader, self.writer = reader, writer
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.sessions, self.order = {}, []
        self.settled, self.ended, self.room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.h2.initiate_connection()
        # What a stalled stream holds takes nothing from the others.
        self.h2.increment_flow_control_window(1 << 24)
        self.flush()
        self.reading = asyncio.create_task(self.read())
        await asyncio.wait_for(self.settled.wait(), 10)
        return self

    @property
    def has_websockets(self):
        return self.h2.remote_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL) == 1

    @property
    def goaways(self):
        return [code for kind, code in self.order if kind == "goaway"]

    def flush(self):
        data = self.h2.data_to_send()
        if data and not self.ended.is_set():
            self.writer.write(data)

    async def until_end(self, seconds):
        """Waits for the end of the connection, and for nothing more if it does not come."""
        await asyncio.wait([asyncio.create_task(self.ended.wait())], timeout=seconds)

    async def has_room(self):
        self.room.clear()
        await asyncio.wait_for(self.room.wait(), 20)

    def request(self, path, more=(), protocol="websocket"):
        """Sends the head of a handshake."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [
            (":method", "CONNECT"), (":protocol", protocol), (":scheme", "https"), (":path", path),
            (":authority", HOST), ("sec-websocket-version", "13"), *more])
        session = self.sessions[stream] = Session(self, stream)
        return session

    async def websocket(self, path, subprotocols=(), deflate=False, is_stalled=False):
        """Opens a session. A stalled one reads nothing: the window of its stream is not opened again."""
        more = [("sec-websocket-protocol", ", ".join(subprotocols))] if subprotocols else []
        if deflate:
            more.append(("sec-websocket-extensions", f"permessage-deflate; {PerMessageDeflate().offer()}"))
        session = self.request(path, more)
        session.is_stalled = is_stalled
        self.flush()
        await asyncio.wait_for(session.answered, 20)
        return session

    async def read(self):
        try:
            while head := await self.reader.readexactly(9):
                # Frame by frame: h2 takes a GOAWAY for the end, and whatever is behind it for an error.
                rest = await self.reader.readexactly(int.from_bytes(head[:3]))
                for event in self.h2.receive_data(head + rest):
                    self.handle(event)
                self.flush()
                match self.goaways:
                    case [NO_ERROR]:
                        break
                    case [_]:
                        await self.reader.read()
                        break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.ended.set()
            self.writer.close()

    def handle(self, event):
        session = self.sessions.get(getattr(event, "stream_id", None))
        match event:
            case RemoteSettingsChanged():
                self.settled.set()
            case ConnectionTerminated():
                self.order.append(("goaway", int(event.error_code)))
            case ResponseReceived() | DataReceived() | StreamEnded() | StreamReset() if session is None:
                pass  # of a stream that we have reset
            case ResponseReceived():
                session.answer_with(event.headers)
            case DataReceived() if session.is_stalled:
                session.held.append((event.data, event.flow_controlled_length))
                self.h2.increment_flow_control_window(event.flow_controlled_length)
            case DataReceived():
                if event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                session.take(event.data)
            case StreamEnded():
                self.order.append(("end", event.stream_id))
                if session.code is not None:
                    self.h2.end_stream(event.stream_id)
                session.ended.set()
            case StreamReset():
                self.order.append(("reset", event.stream_id))
                session.reset = int(event.error_code)
                session.ended.set()
        self.room.set()
