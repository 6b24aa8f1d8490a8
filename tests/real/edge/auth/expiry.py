"""A thousand sessions whose tokens expire at the same moment."""

import asyncio
import resource
import time

import websockets

from .gate import Gate
from .sources import ISSUER
from .wire import shake

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


class Expiry:
    def __init__(self, stage):
        self.stage = stage
        # Each is a socket here, and one of the upstream, which is in this process too.
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192) if most > 0 else 8192, most))
        self.gate = Gate(stage, "expiry", ISSUER.format(jwks=stage.jwks_file()) + ROUTE)

    async def all(self):
        expires = int(time.time()) + self.stage.options.expiry
        token = self.stage.signed(exp=expires)
        opened = []
        for _ in range(0, SESSIONS, BATCH):
            opened += await asyncio.gather(*(self.open(token) for _ in range(BATCH)))
        early = sum(socket.close_code is not None for socket in opened) or time.time() >= expires
        self.stage.expect(f"{SESSIONS} sessions are open before their token expires", early, False)
        self.stage.expect("sessions that the gate lists", await self.gate.sessions(), SESSIONS)
        ends = await asyncio.wait_for(asyncio.gather(*map(self.end, opened)), self.stage.options.expiry + 20)
        late = [end - expires for end, _ in ends]
        print(f"closed {min(late) * 1000:.0f} to {max(late) * 1000:.0f} ms after `exp`", flush=True)
        self.stage.expect("their close codes", {code for _, code in ends}, {4401})
        self.stage.expect("each within a second of `exp`, and none before", (min(late) >= 0, max(late) < 1), (True, True))
        again = await shake(self.gate.port, "/", f"Authorization: Bearer {token}")
        self.stage.expect("the same token, within the leeway", again.status, 101)
        self.gate.end()

    async def open(self, token):
        return await websockets.connect(f"ws://127.0.0.1:{self.gate.port}/", additional_headers={"Authorization": f"Bearer {token}"},
                                        compression=None, ping_interval=None, open_timeout=30, close_timeout=5)

    async def end(self, socket):
        """When the session ends, and with which code."""
        try:
            await socket.recv()
        except websockets.ConnectionClosed:
            pass
        return time.time(), socket.close_code
