"""The order of one publisher's messages, and that each member gets each of them once: on the bytes of the wire."""

import asyncio

from ..wire import handshake
from .site import Publisher, route, settings, start

MEMBERS = 5
BATCH = 1000


class Member(asyncio.Protocol):
    """What comes has to be the frames that are expected, byte by byte."""

    def __init__(self, expected):
        self.expected, self.head, self.at, self.wrong = expected, b"", 0, None
        self.opened, self.done = asyncio.Event(), asyncio.Event()

    def data_received(self, data):
        if not self.opened.is_set():
            self.head += data
            if b"\r\n\r\n" not in self.head:
                return
            self.opened.set()
            data = self.head.split(b"\r\n\r\n", 1)[1]
        if self.wrong is None and data != self.expected[self.at:self.at + len(data)]:
            self.wrong = f"{data[:40]!r} at {self.at}"
        self.at += len(data)
        if self.at >= len(self.expected) or self.wrong:
            self.done.set()

    def connection_lost(self, _error):
        self.opened.set()
        self.done.set()


class Order:
    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        channels = 'join = ["all"]\nqueue = "16MiB"'
        text = settings() + route("all", "/*", channels, '[route.keepalive]\nclient = { interval = "0s" }\n')
        gate = await start(self.stage, "order", text)
        count = self.stage.options.messages
        alone = count // 10
        bodies = [b"%08d" % number for number in range(count)]
        # Text of eight bytes is ten on the wire, one frame each.
        expected = memoryview(b"".join(b"\x81\x08" + body for body in bodies))
        members = [await self.join(gate.port, expected) for _ in range(MEMBERS)]
        publisher = Publisher(gate.publish)
        reached = set()
        for body in bodies[:alone]:
            reached.add((await publisher.publish("all", body))["reached"])
        for at in range(alone, count, BATCH):
            lines = [{"channel": "all", "text": body.decode()} for body in bodies[at:at + BATCH]]
            reached |= {answer.get("reached") for answer in await publisher.batch(lines)}
        self.stage.expect(f"{count} messages, {alone} with a request each: how many each reached", reached, {MEMBERS})
        self.stage.expect("connections of the publisher", publisher.connections, 1)
        await asyncio.wait([asyncio.create_task(member.done.wait()) for member in members], timeout=60)
        found = {(member.at == len(expected), member.wrong) for member in members}
        self.stage.expect(f"each of {MEMBERS} members has all, in their order, and nothing else", found, {(True, None)})
        publisher.close()
        await gate.end()

    async def join(self, port, expected):
        loop = asyncio.get_running_loop()
        transport, member = await loop.create_connection(lambda: Member(expected), "127.0.0.1", port)
        transport.write("\r\n".join([*handshake("/"), "", ""]).encode())
        await asyncio.wait_for(member.opened.wait(), 20)
        assert member.head.startswith(b"HTTP/1.1 101"), member.head
        return member
