"""A thousand sessions whose tokens expire at the same moment."""

import asyncio
import resource
import time

from ..gate import Gate
from .sources import ISSUER
from ..wire import handshake, shake

SESSIONS = 1000
BATCH = 25

ROUTE = """
[[route]]
name = "header"
path = "/*"
upstream = "echo"
[route.auth]
jwt = "id"
"""


class Session(asyncio.Protocol):
    """A session that only notes when it is closed, so that a thousand of them do not wait for each other here."""

    def __init__(self):
        self.opened, self.closed, self.head = asyncio.Event(), asyncio.Event(), b""
        self.code = self.at = None

    def data_received(self, data):
        if not self.opened.is_set():
            self.head += data
            if b"\r\n\r\n" in self.head:
                self.opened.set()
        elif self.code is None:
            # A close frame is two bytes, then the code.
            self.at, self.code = time.time(), int.from_bytes(data[2:4]) if data[0] == 0x88 else data
            self.closed.set()

    def connection_lost(self, _error):
        self.opened.set()
        self.closed.set()


class Expiry:
    def __init__(self, stage):
        self.stage = stage
        # Each is a socket here, and one of the upstream, which is in this process too.
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192) if most > 0 else 8192, most))

    async def all(self):
        self.gate = await Gate.start(self.stage, "expiry", ISSUER.format(jwks=self.stage.jwks_file()) + ROUTE)
        expires = int(time.time()) + self.stage.options.expiry
        token = self.stage.signed(exp=expires)
        opened = []
        for _ in range(0, SESSIONS, BATCH):
            opened += await asyncio.gather(*(self.open(token) for _ in range(BATCH)))
        early = sum(session.closed.is_set() for session in opened)
        self.stage.expect(f"{SESSIONS} sessions are open before their token expires", (early, time.time() < expires), (0, True))
        self.stage.expect("sessions that the gate lists", await self.gate.sessions(), SESSIONS)
        await asyncio.wait_for(asyncio.gather(*(session.closed.wait() for session in opened)), self.stage.options.expiry + 20)
        late = [session.at - expires for session in opened]
        print(f"closed {min(late) * 1000:.0f} to {max(late) * 1000:.0f} ms after `exp`", flush=True)
        self.stage.expect("their close codes", {session.code for session in opened}, {4401})
        self.stage.expect("each within a second of `exp`, and none before", (min(late) >= 0, max(late) < 1), (True, True))
        again = await shake(self.gate.port, "/", f"Authorization: Bearer {token}")
        self.stage.expect("the same token, within the leeway", again.status, 101)
        await self.gate.end()

    async def open(self, token):
        loop = asyncio.get_running_loop()
        transport, session = await loop.create_connection(Session, "127.0.0.1", self.gate.port)
        transport.write("\r\n".join([*handshake("/"), f"Authorization: Bearer {token}", "", ""]).encode())
        await asyncio.wait_for(session.opened.wait(), 30)
        assert session.head.startswith(b"HTTP/1.1 101"), session.head
        return session
