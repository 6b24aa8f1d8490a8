"""A WebSocket server on wsproto: /echo answers each message, /pour sends numbered ones for as long as they are taken."""

import asyncio

from wsproto import ConnectionType, WSConnection
from wsproto.events import (AcceptConnection, BytesMessage, CloseConnection, Ping, Request, TextMessage)
from wsproto.extensions import PerMessageDeflate


async def pour(websocket, writer):
    number = 0
    while True:
        writer.write(websocket.send(BytesMessage(number.to_bytes(8) + bytes(16 * 1024 - 8))))
        await writer.drain()
        number += 1


async def serve(reader, writer):
    websocket, pouring, whole = WSConnection(ConnectionType.SERVER), None, None
    try:
        while data := await reader.read(1 << 16):
            websocket.receive_data(data)
            for event in websocket.events():
                match event:
                    case Request():
                        chosen = "chat" if "chat" in event.subprotocols else None
                        writer.write(websocket.send(AcceptConnection(chosen, [PerMessageDeflate()])))
                        if event.target.startswith("/pour"):
                            pouring = asyncio.create_task(pour(websocket, writer))
                    case TextMessage() | BytesMessage():
                        whole = event.data if whole is None else whole + event.data
                        if event.message_finished:
                            writer.write(websocket.send(type(event)(whole)))
                            whole = None
                    case Ping():
                        writer.write(websocket.send(event.response()))
                    case CloseConnection():
                        writer.write(websocket.send(event.response()))
                        return
            await writer.drain()
    except OSError:
        pass
    finally:
        if pouring:
            pouring.cancel()
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
