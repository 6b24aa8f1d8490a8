"""An issuer that changes its keys, is away, or is flooded with what strangers make up."""

import asyncio
import time
import uuid

from joserfc.jwk import ECKey, RSAKey

from .gate import Gate
from .issuer import Issuer
from .wire import shake

SETTINGS = """
[issuer.id]
issuer = "https://id.example.com/"
jwks = "http://127.0.0.1:{port}/jwks"
audience = ["chat"]
[[route]]
name = "header"
path = "/*"
upstream = "echo"
[route.auth]
jwt = "id"
"""

PAUSE = 30
AT_ONCE = 16


def document(*keys):
    return {"keys": [key.as_dict(private=False) for key in keys]}


class Scene:
    """A gate and its issuer."""

    def __init__(self, stage):
        self.stage = stage
        self.first = RSAKey.generate_key(2048, {"kid": "first"})
        self.issuer = Issuer(document(self.first))

    async def begin(self, name):
        await self.issuer.start()
        self.gate = await Gate.start(self.stage, name, SETTINGS.format(port=self.issuer.port))

    async def status(self, key, kid):
        header = {"alg": "RS256" if isinstance(key, RSAKey) else "ES256", "kid": kid}
        token = self.stage.signed(key, header)
        return (await shake(self.gate.port, "/", f"Authorization: Bearer {token}")).status

    async def until_let_in(self, key, kid, seconds):
        """How long it takes until this key is known."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if await self.status(key, kid) == 101:
                return time.monotonic() - began
            await asyncio.sleep(0.2)
        return None

    def expect_within(self, tried, found, seconds):
        print(f"{tried}: {'never' if found is None else f'{found:.1f} s'}", flush=True)
        self.stage.expect(f"{tried}: within {seconds} s", found is not None and found <= seconds, True)


class Rotation(Scene):
    """Keys that change, without a restart; then the issuer is away."""

    async def all(self):
        await self.begin("rotation")
        self.stage.expect("a token of the first key", await self.status(self.first, "first"), 101)
        second = ECKey.generate_key("P-256", {"kid": "second"})
        self.issuer.document = document(self.first, second)
        self.stage.expect("a new key: its first token", await self.status(second, "second"), 101)
        self.stage.expect("the key before", await self.status(self.first, "first"), 101)
        changed = ECKey.generate_key("P-256", {"kid": "second"})
        self.issuer.document = document(changed)
        self.expect_within("another key of the same name", await self.until_let_in(changed, "second", PAUSE + 15), PAUSE + 10)
        self.stage.expect("the key that had the name, and the one that is gone",
                          (await self.status(second, "second"), await self.status(self.first, "first")), (401, 401))
        await self.issuer.stop()
        fetches = len(self.issuer.asked)
        self.stage.expect("the issuer is away: a known key, an unknown one",
                          (await self.status(changed, "second"), await self.status(self.first, "other")), (101, 401))
        self.stage.expect("nobody has asked meanwhile", len(self.issuer.asked), fetches)
        await self.gate.end()


class Start(Scene):
    """The gate is there before its issuer."""

    async def all(self):
        await self.issuer.start()
        await self.issuer.stop()
        self.gate = await Gate.start(self.stage, "start", SETTINGS.format(port=self.issuer.port))
        self.stage.expect("no issuer yet", await self.status(self.first, "first"), 503)
        await asyncio.sleep(1)
        await self.issuer.start()
        self.expect_within("the issuer has come", await self.until_let_in(self.first, "first", 20), 12)
        said = [line["reason"] for line in self.gate.lines() if line.get("reason", "").startswith("keys_")]
        self.stage.expect("what the log says of the keys", said, ["keys_failed", "keys_fetched"])
        await self.gate.end()


class Flood(Scene):
    """Strangers make keys up, all the time; and in the middle of that the issuer changes its own."""

    async def all(self):
        await self.begin("flood")
        self.stage.expect("a token of the first key", await self.status(self.first, "first"), 101)
        kids, seconds = self.stage.options.kids, self.stage.options.flood
        began, sent, found = time.monotonic(), 0, None
        stranger = ECKey.generate_key("P-256", {"kid": "stranger"})
        # The signature need not be right, so that making them takes no time.
        template = self.stage.signed(stranger, {"alg": "ES256", "kid": "stranger"}).split(".", 1)[1]
        statuses = set()

        async def made_up(number):
            nonlocal sent
            await asyncio.sleep(max(0, began + seconds * number / kids - time.monotonic()))
            header = self.stage.make.b64({"alg": "ES256", "kid": str(uuid.uuid4())})
            answer = await shake(self.gate.port, "/", f"Authorization: Bearer {header}.{template}")
            statuses.add(answer.status)
            sent += 1

        async def strangers(first):
            for number in range(first, kids, AT_ONCE):
                await made_up(number)

        async def rotation():
            await asyncio.sleep(5)
            second = ECKey.generate_key("P-256", {"kid": "second"})
            self.issuer.document = document(second)
            return await self.until_let_in(second, "second", PAUSE + 15)

        *_, found = await asyncio.gather(*map(strangers, range(AT_ONCE)), rotation())
        taken = time.monotonic() - began
        fetches = self.issuer.fetches_since(began)
        print(f"{sent} keys were made up in {taken:.0f} s; the issuer was asked {fetches} times", flush=True)
        self.stage.expect(f"{kids} keys that are made up: all sent, all 401", (sent, statuses), (kids, {401}))
        self.stage.expect("the issuer is asked once in 30 s at most", fetches <= 1 + taken // PAUSE, True)
        self.expect_within("a change of keys amid the flood", found, PAUSE + 10)
        await self.gate.end()
