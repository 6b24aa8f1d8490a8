"""A provider says that a login has ended (OpenID Connect Back-Channel Logout 1.0)."""

import asyncio
import time
import urllib.parse

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
"""


class Logout:
    def __init__(self, stage):
        self.stage, self.make, self.maker = stage, stage.make, stage.maker

    async def open(self, token):
        return await websockets.connect(f"ws://127.0.0.1:{self.gate.port}/", additional_headers={"Authorization": f"Bearer {token}"},
                                        compression=None, ping_interval=None)

    async def end(self, token, issuer="id"):
        """Posts a token of a logout."""
        body = urllib.parse.urlencode({"logout_token": token}).encode()
        return await self.gate.ask("POST", f"/logout/{issuer}", body, "application/x-www-form-urlencoded")

    async def code(self, socket, seconds=5):
        """The close code of a session that ends soon, none if it stays."""
        try:
            await asyncio.wait_for(socket.recv(), seconds)
        except websockets.ConnectionClosed:
            return socket.close_code
        except TimeoutError:
            return None

    def logout(self, **changes):
        self.maker.now = int(time.time())
        return self.make.sign(self.make.LT, self.maker.logout(iat=self.maker.now, **changes), self.maker.rsa)

    async def all(self):
        self.gate = await Gate.start(self.stage, "logout", ISSUER.format(jwks=self.stage.jwks_file()) + ROUTE)
        await self.wrong()
        await self.of_a_login()
        await self.of_a_subject()
        await self.gate.end()

    async def wrong(self):
        self.maker.now = int(time.time())
        socket = await self.open(self.stage.signed())
        cases = {name: (token, fault) for name, (token, fault) in self.maker.logouts().items() if fault}
        wrong = []
        for name, (token, fault) in cases.items():
            status, _ = await self.end(token)
            if status != 400:
                wrong.append((name, status))
        self.stage.expect(f"{len(cases)} wrong tokens of a logout: those that are not refused with 400", wrong, [])
        self.stage.expect("a token that lets in, as a token of a logout", (await self.end(self.stage.signed()))[0], 400)
        self.stage.expect("of an issuer that is not known", (await self.end(self.logout(), "nobody"))[0], 404)
        self.stage.expect("the session meanwhile", await self.code(socket, 0.5), None)
        await socket.close()

    async def of_a_login(self):
        tokens = [self.stage.signed(sub="carol", sid=login, jti=login) for login in ("at-work", "at-home")]
        work, home = [await self.open(token) for token in tokens]
        status, answer = await self.end(self.logout(sub="carol", sid="at-work"))
        self.stage.expect("the end of one of two logins", (status, answer), (200, {"closed": 1}))
        self.stage.expect("their sessions", (await self.code(work), await self.code(home, 0.5)), (4403, None))
        found = [(await shake(self.gate.port, "/", f"Authorization: Bearer {token}")).status for token in tokens]
        self.stage.expect("their tokens", found, [401, 101])
        await home.close()

    async def of_a_subject(self):
        token = self.stage.signed(sub="dora", sid=None)
        other = self.stage.signed(sub="emil")
        sessions = [await self.open(token) for _ in range(3)]
        bystander = await self.open(other)
        status, answer = await self.end(self.logout(sub="dora"))
        self.stage.expect("the end of all logins of a subject", (status, answer), (200, {"closed": 3}))
        self.stage.expect("their sessions, and one of another subject",
                          ([await self.code(session) for session in sessions], await self.code(bystander, 0.5)), ([4403] * 3, None))
        # Times in tokens are whole seconds.
        await asyncio.sleep(1.2)
        later = self.stage.signed(sub="dora", iat=int(time.time()))
        found = [(await shake(self.gate.port, "/", f"Authorization: Bearer {token}")).status for token in (token, later, other)]
        self.stage.expect("the same token, a later one, one of another subject", found, [401, 101, 101])
