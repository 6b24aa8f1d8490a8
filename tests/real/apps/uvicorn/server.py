"""A Starlette application on uvicorn: WebSockets, server-sent events, uploads."""

import asyncio

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from kit import listening_socket


async def echo(socket):
    if socket.headers.get("x-refuse"):
        await socket.close(1008)  # before the accept: a 403
        return
    await socket.accept(subprotocol=(socket.scope["subprotocols"] or [None])[0])
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") == "close":
                await socket.close(4001, "as you wish")
                return
            if message.get("text") is not None:
                await socket.send_text(message["text"])
            else:
                await socket.send_bytes(message["bytes"])
    except WebSocketDisconnect:
        pass


async def events(request):
    async def stream():
        for count in range(int(request.query_params["count"])):
            if count:
                await asyncio.sleep(float(request.query_params["every"]))
            yield f"data: {count}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


async def upload(request):
    form = await request.form()
    file = await form["file"].read()
    return JSONResponse({"size": len(file), "sum": sum(file) % 1000})


async def chunks(request):
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return PlainTextResponse(str(size))


async def who(request):
    return JSONResponse({"client": request.client.host, "scheme": request.url.scheme, "host": request.url.hostname})


app = Starlette(routes=[
    WebSocketRoute("/ws/echo", echo),
    Route("/events", events),
    Route("/upload", upload, methods=["POST"]),
    Route("/chunks", chunks, methods=["PUT"]),
    Route("/who", who),
])
settings = uvicorn.Config(app, proxy_headers=True, forwarded_allow_ips="127.0.0.1", log_level="error")
uvicorn.Server(settings).run([listening_socket()])
