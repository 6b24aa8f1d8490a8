"""An issuer that changes its keys, is away, or is flooded with what strangers make up."""

import asyncio
import gzip
import json
import time
import uuid

from joserfc.jwk import ECKey, RSAKey

from ..gate import Gate
from .issuer import Issuer
from ..wire import shake

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

SETTINGS_OF = """
[issuer.{name}]
issuer = "https://id.example.com/"
jwks = "http://127.0.0.1:{port}/{name}?secret=c4nary"
audience = ["chat"]
[[route]]
name = "{name}"
path = "/{name}/*"
upstream = "echo"
auth = {{ jwt = "{name}" }}
"""

RIGHT = {"right", "another-type", "chunked", "until-the-end", "hints-before"}

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


class Answers(Scene):
    """What an issuer may answer, right and wrong: a route for each."""

    async def all(self):
        body = json.dumps(document(self.first)).encode()
        length = f"Content-Length: {len(body)}"
        self.answers = {
            "right": self.answer("200 OK", length, body=body),
            "another-type": self.answer("200 OK", length, "Content-Type: text/html", body=body),
            "chunked": self.answer("200 OK", "Transfer-Encoding: chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)),
            "until-the-end": self.answer("200 OK", body=body),
            "hints-before": self.answer("103 Early Hints") + self.answer("200 OK", length, body=body),
            "redirect": self.answer("302 Found", "Location: /right", "Content-Length: 0"),
            "page": self.answer("200 OK", "Content-Length: 6", body=b"<html>"),
            "compressed": self.answer("200 OK", "Content-Encoding: gzip", body=gzip.compress(body)),
            "broken-off": self.answer("200 OK", length, body=body[:100]),
            "no-keys": self.answer("200 OK", "Content-Length: 11", body=b'{"keys":[]}'),
            "two-lengths": self.answer("200 OK", length, f"Content-Length: {len(body) + 1}", body=body),
            "no-http": b"hello\r\n\r\n",
            "silent": None,
            "endless": "endless",
            "dripping": "dripping",
        }
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.gate = await Gate.start(self.stage, "answers", "".join(SETTINGS_OF.format(name=name, port=port) for name in self.answers))
        token = self.stage.signed(self.first, {"alg": "RS256", "kid": "first"})

        async def status(name):
            return name, (await shake(self.gate.port, f"/{name}/x", f"Authorization: Bearer {token}")).status

        found = await asyncio.gather(*map(status, self.answers))
        for expected in (101, 503):
            names = [name for name, status in found if status == expected]
            self.stage.expect(f"answers of an issuer after which a token gets {expected}", names,
                              [name for name in self.answers if (name in RIGHT) == (expected == 101)])
        self.stage.expect("the query of an issuer's URL in the log", "c4nary" in self.gate.log.read_text(), False)
        await self.gate.end()
        server.close()

    def answer(self, status, *fields, body=b""):
        return "\r\n".join([f"HTTP/1.1 {status}", *fields]).encode() + b"\r\n\r\n" + body

    async def serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            match self.answers[head.split(b" ")[1].decode().strip("/").split("?")[0]]:
                case None:
                    await reader.read()
                case "endless" | "dripping" as kind:
                    writer.write(self.answer("200 OK", "Content-Length: 99999999"))
                    while not reader.at_eof():
                        writer.write(b"x" * (1 if kind == "dripping" else 65_536))
                        await writer.drain()
                        await asyncio.sleep(0.1 if kind == "dripping" else 0)
                case answer:
                    writer.write(answer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


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
