"""A server of WebSockets that echo, and of `/who`, which says who asks."""

import asyncio
import http

import websockets


async def echo(socket):
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosed:
        pass


def who(connection, request):
    if request.path == "/who":
        said = ",".join(request.headers.get(name, "-") for name in ["x-client", "x-forwarded-proto"])
        return connection.respond(http.HTTPStatus.OK, said)


async def main():
    async with websockets.serve(echo, "127.0.0.1", 0, process_request=who, max_size=None, ping_interval=None) as server:
        print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
