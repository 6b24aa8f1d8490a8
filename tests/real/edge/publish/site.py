"""A gate whose sessions are in channels, and connections to its publish listener."""

import asyncio
import json
import re
import urllib.parse

from ..gate import Gate
from ..wire import Answer

# Each is allowed something else. The tokens are as long as real ones.
TOKENS = {
    "all": ("all-of-the-channels-of-this-gate-0", ["**"], True, True),
    "rooms": ("only-the-channels-that-are-rooms-1", ["room.*"], False, False),
    "tree": ("everything-below-the-word-tree-222", ["tree.**", "news"], False, False),
}

SETTINGS = """
[publish]
address = "127.0.0.1:0"
message_size = "{size}"
tokens = [
{tokens}]
"""


def settings(tokens=None, size="1MiB"):
    """The table, with these tokens: name → token, patterns, direct, tickets."""
    lines = (f'  {{ name = "{name}", token = "{token}", channels = {json.dumps(patterns)}, direct = {str(direct).lower()}, '
             f'tickets = {str(tickets).lower()} }},\n' for name, (token, patterns, direct, tickets) in (tokens or TOKENS).items())
    return SETTINGS.format(size=size, tokens="".join(lines))


def route(name, path, channels="", more=""):
    """A route whose upstream sees the session's name."""
    return (f'[[route]]\nname = "{name}"\npath = "{path}"\nupstream = "echo"\n[route.headers]\nset = {{ x-session = "{{session}}" }}\n{more}\n'
            f"[route.channels]\n{channels}\n")


async def start(stage, name, text, **options):
    """A gate that listens for publications too."""
    gate = await Gate.start(stage, name, text, **options)
    gate.publish = await publish_port(gate)
    return gate


async def publish_port(gate):
    """Where it listens for publications."""
    for _ in range(1000):
        if ports := re.findall(r'"publish interface listening","address":"127\.0\.0\.1:(\d+)"', gate.log.read_text()):
            return int(ports[-1])
        await asyncio.sleep(0.02)
    raise RuntimeError(f"{gate.name} does not listen for publications")


class Publisher:
    """One connection, which stays open."""

    def __init__(self, port, token="all"):
        self.port, self.token = port, token
        self.reader = self.writer = None
        self.connections = 0

    async def ask(self, method, path, body=b"", kind=None, seconds=20, **fields):
        """A request: the status, and the JSON or the bytes of the answer."""
        answer = await asyncio.wait_for(self.exchange(method, path, body, kind, fields), seconds)
        try:
            return answer.status, json.loads(answer.body)
        except ValueError:
            return answer.status, answer.body

    async def exchange(self, method, path, body=b"", kind=None, fields=()):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
            self.connections += 1
        body = body.encode() if isinstance(body, str) else body
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
        if self.token is not None:
            lines.append(f"Authorization: Bearer {TOKENS[self.token][0] if self.token in TOKENS else self.token}")
        if kind is not None:
            lines.append(f"Content-Type: {kind}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in dict(fields).items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        answer = Answer(await self.reader.readuntil(b"\r\n\r\n"))
        length = answer.field("content-length")
        answer.body = await self.reader.read() if length is None else await self.reader.readexactly(int(length))
        if answer.field("connection") == "close" or length is None:
            self.close()
        return answer

    async def publish(self, channel, body, kind=None, exclude=None, **fields):
        """Publishes to a channel; what was answered has to be right."""
        query = f"?exclude={exclude}" if exclude else ""
        status, answer = await self.ask("POST", f"/channels/{urllib.parse.quote(channel, safe='')}{query}", body, kind, **fields)
        assert status == 200, (status, answer)
        return answer

    async def batch(self, lines):
        """Publishes several at once: what each line came to."""
        body = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
        answer = await asyncio.wait_for(self.exchange("POST", "/publish", body, "application/x-ndjson"), 60)
        assert answer.status == 200, (answer.status, answer.body)
        return [json.loads(line) for line in answer.body.splitlines()]

    async def members(self, channel):
        """The sessions of a channel as the listener lists them, by their names."""
        status, answer = await self.ask("GET", f"/channels/{urllib.parse.quote(channel, safe='')}")
        assert status == 200, (status, answer)
        return {member["session"]: member for member in answer["members"]}

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None
