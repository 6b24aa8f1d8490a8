"""An authentication server: what it is asked, and what becomes of its answers."""

import asyncio
import time

import websockets

from ..gate import Gate
from ..wire import Answer, get, shake

SETTINGS = """
[[route]]
name = "forward"
path = "/*"
upstream = "echo"
http = {{ mode = "forward", origin = "check" }}
[route.headers]
set = {{ x-subject = "{{subject}}" }}
[route.auth.forward]
url = "http://127.0.0.1:{port}/check?gate=1"
copy = ["X-Team", "X-Mail"]
subject = "X-User"
timeout = "2s"
recheck = "1s"
"""

LONG = b"x" * (1 << 20)


def answer(status, *fields, body=b""):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


ALLOWED = answer("200 OK", "X-User: alice", "X-Team: red", "X-Team: blue", "X-Other: 1")


class Server:
    """Gives the same answer to everybody, after a while."""

    def __init__(self):
        self.answer, self.delay, self.heads, self.port, self.writers = ALLOWED, 0, [], 0, set()

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self):
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, reader, writer):
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            answer = self.answer
            await asyncio.sleep(self.delay)
            writer.write(answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Forward:
    def __init__(self, stage):
        self.stage, self.server = stage, Server()

    async def all(self):
        await self.server.start()
        self.gate = await Gate.start(self.stage, "forward", SETTINGS.format(port=self.server.port))
        await self.seen()
        await self.answers()
        await self.slow_and_absent()
        await self.rechecks()
        await self.gate.end()

    async def shake(self, *fields):
        return await shake(self.gate.port, "/a/%62?room=1", *fields)

    async def seen(self):
        """What the server sees of a request, and what the upstream sees of its answer."""
        answer = await self.shake(
            "Origin: http://a.test", "Cookie: a=1; b=2", "Authorization: Basic eDp5", "User-Agent: real", "Sec-WebSocket-Protocol: chat",
            "X-User: root", "X-Team: root", "X_Team: root", "X-Mail: root", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-User: root",
            "X-Original-URL: /open", "X-Forwarded-Uri: /open", "If-None-Match: *", "Range: bytes=0-1")
        head = self.server.heads[-1].decode()
        line, *fields = head.rstrip().split("\r\n")
        expected = ["authorization: Basic eDp5", "connection: close", "cookie: a=1; b=2", f"host: 127.0.0.1:{self.server.port}",
                    "origin: http://a.test", "user-agent: real", "x-forwarded-for: 127.0.0.1", "x-forwarded-host: a.test",
                    "x-forwarded-method: GET", "x-forwarded-proto: http", "x-forwarded-uri: /a/b?room=1"]
        self.stage.expect("the request line that the server sees", line, "GET /check?gate=1 HTTP/1.1")
        self.stage.expect("all fields that it sees", sorted(fields), expected)
        upstream = Answer(b"HTTP/1.1 000 \r\n" + self.stage.upstream.heads[-1])
        whole = self.stage.upstream.heads[-1].lower()
        found = (answer.status, upstream.field("x-subject"), whole.count(b"x-team: red") + whole.count(b"x-team: blue"), b"root" in whole,
                 b"x-other" in whole, upstream.field("cookie"))
        self.stage.expect("its answer, upstream: subject, X-Team, nothing of a forgery or else", found, (101, "alice", 2, False, False, "a=1; b=2"))
        plain = await get(self.gate.port, "/form", method="POST", body=b"hello")
        head = self.server.heads[-1].lower()
        self.stage.expect("a POST: its answer, how the server is asked, with a body", (
            plain.status, head.startswith(b"get /check"), b"x-forwarded-method: post" in head, b"content-length" in head),
            (200, True, True, False))

    async def answers(self):
        """What the client gets for an answer of the server."""
        for tried, told, status, body, field in [
            ("200 with 1 MiB", answer("200 OK", "X-User: al", body=LONG), 101, b"", None),
            ("204", answer("204 No Content"), 101, b"", None),
            ("401 with a body", answer("401 No", "WWW-Authenticate: Basic", body=b"log in"), 401, b"log in", "Basic"),
            ("401 with 1 MiB", answer("401 No", "WWW-Authenticate: Basic", body=LONG), 401, None, "Basic"),
            ("403 with a body", answer("403 No", body=b"not you"), 403, b"not you", None),
            ("302", answer("302 Found", "Location: https://login.test/"), 401, None, "Bearer"),
            ("500", answer("500 No"), 503, None, None),
            ("404", answer("404 No"), 503, None, None),
            ("no HTTP", b"hello\r\n\r\n", 503, None, None),
            ("two subjects", answer("200 OK", "X-User: a", "X-User: b"), 503, None, None),
            ("a body that breaks off", b"HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\nab", 503, None, None),
        ]:
            self.server.answer = told
            got = await self.shake()
            found = (got.status, got.body if body is not None else len(got.body) < 200, got.field("www-authenticate"), got.field("location"))
            self.stage.expect(f"the server answers {tried}", found, (status, body if body is not None else True, field, None))
        self.server.answer = ALLOWED

    async def slow_and_absent(self):
        self.server.delay, began = 5, time.monotonic()
        answers = await asyncio.gather(*(self.shake() for _ in range(50)))
        taken = time.monotonic() - began
        self.stage.expect("a server that takes 5 s: 50 at once get 503 after its timeout of 2 s",
                          ({answer.status for answer in answers}, 1.9 < taken < 5), ({503}, True))
        self.server.delay = 0
        await self.server.stop()
        self.stage.expect("no server", (await self.shake()).status, 503)
        await self.server.start()
        self.stage.expect("a server again", (await self.shake()).status, 101)

    async def open(self):
        return await websockets.connect(f"ws://127.0.0.1:{self.gate.port}/", compression=None, ping_interval=None)

    async def rechecks(self):
        opened = await self.open()
        asked = len(self.server.heads)
        await asyncio.sleep(3.5)
        self.stage.expect("a live session: asked again each second, about", 2 <= len(self.server.heads) - asked <= 5, True)
        self.server.answer = answer("500 No")
        await asyncio.sleep(2.5)
        await opened.send("still here")
        self.stage.expect("a server that decides nothing for a while", await asyncio.wait_for(opened.recv(), 5), "still here")
        self.server.answer, began = answer("403 No"), time.monotonic()
        try:
            await asyncio.wait_for(opened.recv(), 20)
        except websockets.ConnectionClosed:
            pass
        print(f"a refusal reached the session after {time.monotonic() - began:.1f} s", flush=True)
        self.stage.expect("a refusal of a live session", opened.close_code, 4403)
