"""A page with a socket, behind the gate: `/`, and `/ws/`, which echoes."""

import asyncio
import http

import websockets

PAGE = """<!doctype html><title>page</title><script>
const socket = new WebSocket(`wss://${location.host}/ws/`, ["echo.v1"]);
const state = { opened: 0, closed: 0, echoed: [] };
socket.onopen = () => { state.opened += 1; };
socket.onclose = (event) => { state.closed += 1; state.code = event.code; };
socket.onmessage = (event) => state.echoed.push(event.data);
</script>"""


async def echo(socket):
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosed:
        pass


def page(connection, request):
    if request.path == "/":
        answer = connection.respond(http.HTTPStatus.OK, PAGE)
        del answer.headers["content-type"]
        answer.headers["content-type"] = "text/html"
        return answer
    if not request.path.startswith("/ws/"):
        return connection.respond(http.HTTPStatus.NOT_FOUND, "")


async def main():
    serving = websockets.serve(echo, "127.0.0.1", 0, process_request=page, subprotocols=["echo.v1"], ping_interval=None)
    async with serving as server:
        print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
