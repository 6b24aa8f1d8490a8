"""What JupyterLab does: starts kernels, runs code over the WebSocket of a kernel, saves notebooks."""

import asyncio
import json
import uuid

import httpx
import websockets

from kit import BASE, WS_BASE, tried

TOKEN = {"Authorization": "token real-token"}


def channels(kernel, token="real-token"):
    return websockets.connect(
        f"{WS_BASE}/api/kernels/{kernel}/channels?session_id={uuid.uuid4().hex}&token={token}",
        origin=BASE, open_timeout=30, max_size=None,
    )


async def execute(socket, code):
    """The output of `code`, as the kernel streams it."""
    message = uuid.uuid4().hex
    header = {"msg_id": message, "msg_type": "execute_request", "username": "", "session": "real", "version": "5.3"}
    await socket.send(json.dumps({
        "header": header, "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
        "content": {"code": code, "silent": False, "store_history": False, "user_expressions": {},
                    "allow_stdin": False, "stop_on_error": True},
    }))
    output = ""
    async for text in socket:
        answer = json.loads(text)
        if answer["parent_header"].get("msg_id") != message:
            continue
        if answer["msg_type"] == "stream":
            output += answer["content"]["text"]
        if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
            return output


async def main():
    async with httpx.AsyncClient(base_url=BASE, headers=TOKEN, timeout=30) as http:
        kernel = None

        async def start():
            nonlocal kernel
            answer = await http.post("/api/kernels", json={"name": "slow"})
            kernel = answer.json()["id"]
            async with channels(kernel) as socket:  # at once, while the kernel still starts
                output = await execute(socket, "print(6 * 7)")
            return f"{answer.status_code}, {output.strip()}"

        async def big():
            async with channels(kernel) as socket:
                return len(await execute(socket, "print('x' * 5_000_000)"))

        async def busy():
            async with channels(kernel) as socket:
                return await execute(socket, "import time\nfor i in range(3):\n    time.sleep(6)\n    print(i)")

        async def refused(token):
            try:
                async with channels(kernel, token):
                    return "let in"
            except websockets.InvalidStatus as error:
                return error.response.status_code

        async def save():
            path = f"/api/contents/{uuid.uuid4().hex}.txt"
            text = "y" * 20_000_000
            put = await http.put(path, json={"type": "file", "format": "text", "content": text})
            got = await http.get(path)
            return f"{put.status_code}, {got.status_code}, {got.json()['content'] == text}"

        async def login():
            async with httpx.AsyncClient(base_url=BASE, timeout=30) as other:
                return (await other.get("/api/contents")).status_code

        async def stop():
            return (await http.delete(f"/api/kernels/{kernel}")).status_code

        await tried("a kernel that starts in 8 s, then code", 40, start)
        await tried("an output of 5 MB", 30, big)
        await tried("a cell of 18 s", 40, busy)
        await tried("a wrong token", 20, lambda: refused("wrong"))
        await tried("a file of 20 MB is saved and read", 60, save)
        await tried("without a token", 20, login)
        await tried("the kernel is stopped", 20, stop)


asyncio.run(main())
