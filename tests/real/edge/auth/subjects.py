"""The limits of one user, who comes from everywhere at once."""

import asyncio

import websockets

from ..gate import Gate
from .sources import ISSUER
from ..wire import shake

ROUTE = """
[[route]]
name = "header"
path = "/*"
upstream = "echo"
[route.auth]
jwt = "id"
[route.limits.per_subject]
connections = 5
"""

AT_ONCE = 50


class Subjects:
    def __init__(self, stage):
        self.stage = stage

    async def open(self, token):
        """A session, or the status that it is refused with."""
        fields = {"Authorization": f"Bearer {token}"}
        try:
            return await websockets.connect(f"ws://127.0.0.1:{self.gate.port}/", additional_headers=fields, compression=None)
        except websockets.InvalidStatus as refused:
            return refused.response.status_code

    async def all(self):
        self.gate = await Gate.start(self.stage, "subjects", ISSUER.format(jwks=self.stage.jwks_file()) + ROUTE)
        tokens = [self.stage.signed(jti=f"token-{number}") for number in range(AT_ONCE)]
        found = await asyncio.gather(*map(self.open, tokens))
        opened = [session for session in found if not isinstance(session, int)]
        self.stage.expect(f"{AT_ONCE} handshakes of one user at once, 5 allowed: sessions, and the other statuses",
                          (len(opened), {status for status in found if isinstance(status, int)}), (5, {429}))
        other = (await shake(self.gate.port, "/", f"Authorization: Bearer {self.stage.signed(sub='bob')}")).status
        self.stage.expect("another user", other, 101)
        await opened.pop().close()
        for _ in range(100):
            if await self.gate.sessions() == 4:
                break
            await asyncio.sleep(0.05)
        self.stage.expect("one ends, and two come", [isinstance(await self.open(tokens[0]), int) for _ in range(2)], [False, True])
        await self.gate.end()
