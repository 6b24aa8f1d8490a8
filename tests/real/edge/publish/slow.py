"""Members that do not read: what each `on_slow` does with them, and what the others notice."""

import asyncio
import socket
import sys
import time

from .judge import Socket
from .site import Publisher, route, settings, start

WAYS = ["close", "drop_oldest", "latest"]
QUEUE = 64 * 1024
SIZE = 4096
# More than what the sockets on both sides hold.
FLOOD = 1000
QUICK = 10

KEEPALIVE = '[route.keepalive]\nclient = { interval = "0s" }\n[route.timeouts]\nwrite = "5m"\n'


class Site:
    """A gate, quick members of its channel, and their publisher."""

    def __init__(self):
        self.number = 0

    @classmethod
    async def start(cls, stage, name):
        self = cls()
        channels = f'join = ["all", "other"]\nqueue = "{QUEUE // 1024}KiB"\n'
        routes = (route(way, f"/{way}", f'{channels}on_slow = "{way}"', KEEPALIVE) for way in WAYS)
        self.gate = await start(stage, name, settings() + "".join(routes) + route("quick", "/quick", channels, KEEPALIVE))
        self.publisher = Publisher(self.gate.publish)
        self.quick = [await Socket.open(self.gate.port, "/quick") for _ in range(QUICK)]
        return self

    async def publish(self, size, channel="all"):
        sent, number = time.monotonic(), self.number
        self.number += 1
        await self.publisher.publish(channel, f"{number:08}".ljust(size), "text/plain")
        return sent, number

    async def publish_to_quick(self, size):
        """How long each quick member waited for a publication, from its request."""
        sent, number = await self.publish(size)

        async def receive(session):
            assert int((await session.receive())[:8]) == number
            return time.monotonic() - sent

        return await asyncio.gather(*map(receive, self.quick))

    async def paced(self, seconds):
        """The 99th percentile of that, in seconds."""
        taken, until = [], time.monotonic() + seconds
        while time.monotonic() < until:
            taken += await self.publish_to_quick(128)
            await asyncio.sleep(0.005)
        return sorted(taken)[len(taken) * 99 // 100]

    async def end(self):
        await asyncio.gather(*(session.end() for session in self.quick))
        self.publisher.close()
        await self.gate.end()


class Slow:
    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        site, elsewhere = [await Site.start(self.stage, name) for name in ["slow", "quick"]]
        self.site, self.gate = site, site.gate
        before, first = self.gate.memory(), site.number
        slow = {way: await self.open(f"/{way}") for way in WAYS}
        await self.flood()
        # Before its close frame is waited for in vain.
        closed = await self.rest(slow["close"])
        await self.flood()
        # At the same time, because the machine may have other work.
        beside, alone = await asyncio.gather(site.paced(3), elsewhere.paced(3))
        grown = self.gate.memory() - before
        # Below 10 ms it is this client and the machine that are measured.
        print(f"p99 of {QUICK} members: {beside * 1000:.2f} ms beside {len(WAYS)} that do not read, and {alone * 1000:.2f} ms of as many of another "
              f"gate without them; memory + {grown / 1024:.0f} KiB", file=sys.stderr)
        self.stage.expect("p99 of the others beside them: at most twice that of another gate", beside <= max(2 * alone, 0.01), True)
        self.stage.expect("memory of the gate: less than 4 MiB more", grown < 4 << 20, True)
        # One of another channel, and then more of this one than the queue holds.
        _, other = await site.publish(8, "other")
        for _ in range(2 * QUEUE // SIZE):
            await site.publish(SIZE)
        last = site.number - 1
        self.closed(slow["close"], closed, first)
        for way in ["drop_oldest", "latest"]:
            numbers = await self.rest(slow[way])
            self.dropped(way, numbers, first, last)
            self.stage.expect(f"on_slow = {way!r}: the last one of another channel", other in numbers, way == "latest")
            lost = last + 1 - first - len(numbers)
            self.stage.expect(f"on_slow = {way!r}: wsgate_deliveries_dropped_total", await self.gate.metric("wsgate_deliveries_dropped_total", route=way), lost)
        self.stage.expect("the others are open", [session.closed.is_set() for session in site.quick].count(False), QUICK)
        await asyncio.gather(site.end(), elsewhere.end())

    async def open(self, path):
        """A session that reads nothing until it is resumed, with a small buffer."""
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", self.gate.port))
        session = await Socket.open(None, path, host=None, sock=narrow)
        session.writer.transport.pause_reading()
        return session

    async def flood(self):
        for _ in range(FLOOD):
            await self.site.publish_to_quick(SIZE)

    async def rest(self, session):
        """The numbers of what it gets, once it reads, until nothing comes for a second."""
        session.writer.transport.resume_reading()
        numbers = []
        while True:
            try:
                numbers.append(int((await asyncio.wait_for(session.messages.get(), 1))[:8]))
            except asyncio.TimeoutError:
                assert session.error is None, session.error
                return numbers

    def closed(self, session, numbers, first):
        self.stage.expect("on_slow = 'close': whole messages in their order, until the queue is full",
                          (numbers == list(range(first, first + len(numbers))), 0 < len(numbers) < FLOOD), (True, True))
        self.stage.expect("on_slow = 'close': close code", session.code, 1008)
        reasons = [line.get("reason") for line in self.gate.lines() if line.get("message") == "session closed"]
        self.stage.expect("on_slow = 'close': the word of the log, once", reasons.count("channel_slow"), 1)

    def dropped(self, way, numbers, first, last):
        until = next(index for index, number in enumerate(numbers) if number != first + index)
        # Of a channel's newest alone, and of all that fits behind a gap, the last ones are without a gap.
        since = next(index for index in range(len(numbers)) if numbers[index:] == list(range(numbers[index], last + 1)))
        self.stage.expect(f"on_slow = {way!r}: in their order, the oldest from the start, the newest to the end, not all",
                          (numbers == sorted(set(numbers)), until > 0, numbers[since:][-1:], len(numbers) < last + 1 - first), (True, True, [last], True))
