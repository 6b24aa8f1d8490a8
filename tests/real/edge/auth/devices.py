"""Keys of devices in a file."""

import asyncio
import base64
import hashlib
import json
import os

from ..gate import Gate
from ..wire import shake

SETTINGS = """
[[route]]
name = "header"
path = "/*"
upstream = "echo"
[route.headers]
set = {{ x-user = "{{subject}}" }}
[route.auth.keys]
file = "{file}"
"""

OPERATORS = "the-key-of-the-operator"

# A gateway: the client's key is taken out, and the operator's put in.
GATEWAY = """
[[route]]
name = "gateway"
path = "/v1/realtime"
upstream = "echo"
http = "forward"
[route.auth]
from = ["header:authorization", "subprotocol:openai-insecure-api-key."]
[route.auth.keys]
file = "{file}"
[route.headers]
set = {{ authorization = "Bearer ${{GATEWAY_KEY}}", host = "api.test" }}
"""


class Devices:
    def __init__(self, stage):
        self.stage, self.file = stage, stage.scratch / "devices.keys"
        self.first, self.second = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
        self.plain = os.urandom(32).hex()
        self.write(f"# keys\nfirst = {self.hash(self.first)}\nplain = {self.hash(self.plain)}\n")

    def hash(self, key):
        return "sha256:" + hashlib.sha256(key.encode()).hexdigest()

    def write(self, text):
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.rename(self.file)

    async def status(self, key):
        return (await shake(self.gate.port, "/", f"Authorization: Bearer {key}")).status

    async def all(self):
        self.gate = await Gate.start(self.stage, "devices", GATEWAY.format(file=self.file) + SETTINGS.format(file=self.file), "trace", {"GATEWAY_KEY": OPERATORS})
        found = await self.status(self.first), self.stage.upstream.last("x-user")
        self.stage.expect("a key of the file, and its name upstream", found, (101, "first"))
        self.stage.expect("a key that is not there, and a name", (await self.status(self.second), await self.status("first")), (401, 401))
        self.stage.expect("the hash of a key in the place of the key", await self.status(self.hash(self.first)), 401)
        await self.gateway()
        self.write(f"first = {self.hash(self.second)}\n")
        for _ in range(200):
            if await self.status(self.second) == 101:
                break
            await asyncio.sleep(0.1)
        self.stage.expect("the file was replaced: the key of before, the new one",
                          (await self.status(self.first), await self.status(self.second)), (401, 101))
        self.write("this is no file of keys\n")
        await self.gate.says(r"reload|ERROR|WARN")
        self.stage.expect("a broken file: the new key still counts", await self.status(self.second), 101)
        log = self.gate.log.read_text()
        self.stage.expect("keys in the log", [key for key in (self.first, self.second, OPERATORS) if key in log], [])
        await self.gate.end()

    async def gateway(self):
        upstream = self.stage.upstream
        prefix = "openai-insecure-api-key."
        # A subprotocol has fewer characters than base64.
        for tried, fields in [("header", [f"Authorization: Bearer {self.plain}"]),
                              ("subprotocol", [f"Sec-WebSocket-Protocol: realtime, {prefix}{self.plain}, chat"])]:
            answer = await shake(self.gate.port, "/v1/realtime?model=x", *fields)
            found = (answer.status, upstream.last("authorization"), upstream.last("host"), self.plain.encode() in upstream.heads[-1],
                     upstream.last("sec-websocket-protocol"), OPERATORS.encode() in answer.head)
            self.stage.expect(f"a gateway, the client's key by {tried}: upstream it is the operator's", found, (
                101, f"Bearer {OPERATORS}", "api.test", False, "realtime, chat" if tried == "subprotocol" else None, False))
        for tried, fields in [("none", []), ("another", ["Authorization: Bearer nobody"]), ("the operator's", [f"Authorization: Bearer {OPERATORS}"])]:
            self.stage.expect(f"a gateway, {tried} key", (await shake(self.gate.port, "/v1/realtime", *fields)).status, 401)
        _, settings = await self.gate.ask("GET", "/config")
        self.stage.expect("the operator's key in GET /config", OPERATORS in json.dumps(settings) if isinstance(settings, dict) else
                          OPERATORS.encode() in settings, False)
