"""Faults at random, while there are sessions, publications and handshakes: what holds whatever becomes of the engine."""

import asyncio
import random
import signal
import time

from ..publish.site import Publisher
from ..wire import handshake
from .channels import with_publishers
from .gates import are_up, end
from .server import Engine, cluster, move, programs, until

ROUTE = """channels = { join = ["room.{path.room}"], queue = "4MiB", retain = 2 }
limits.per_ip.handshakes = { rate = "6000/m", burst = 1000 }
limits.per_ip.connections = 1000
limits.per_ip.messages = { rate = "1000/s", burst = 1000 }"""

CHANNEL = "room.storm"

# On each of three gates.
MEMBERS = 15


class Witness(asyncio.Protocol):
    """A member that looks at the order of what it gets: `GATE:NUMBER` in small texts."""

    def __init__(self, number):
        self.number, self.buffer, self.status = number, b"", None
        self.last, self.wrong, self.is_lost = {}, [], False
        self.opened = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _error):
        self.is_lost = True
        self.opened.set()

    def data_received(self, data):
        self.buffer += data
        if self.status is None:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self.status, self.buffer = int(head.split(b" ", 2)[1]), rest
            self.opened.set()
        while len(self.buffer) >= 2 and len(self.buffer) >= 2 + self.buffer[1]:
            length = 2 + self.buffer[1]
            opcode, text, self.buffer = self.buffer[0], self.buffer[2:length], self.buffer[length:]
            if opcode == 0x81 and b":" in text:
                self.got(*(int(part) for part in text.split(b":")))

    def got(self, gate, number):
        before = self.last.get(gate)
        # What its own gate publishes comes whole. Of what others publish some may be missing, as long as the engine is away.
        is_own = gate == self.number and before is not None and number != before + 1
        if is_own or before is not None and number <= before:
            self.wrong.append(f"gate {self.number} had {before} of gate {gate}, then {number}")
        self.last[gate] = number

    async def enter(self, gate):
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", gate.port)
        lines = [*handshake("/storm"), f"X-Forwarded-For: 198.51.100.{random.randrange(250)}", "", ""]
        self.transport.write("\r\n".join(lines).encode())
        await asyncio.wait_for(self.opened.wait(), 20)
        return self


class Storm:
    """One engine, a cluster, and Sentinel, each for some time."""

    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        seed = self.stage.options.seed or random.randrange(1_000_000)
        self.stage.say(f"storm: --seed {seed}")
        random.seed(seed)
        for name, program in programs().items():
            engine = await Engine(self.stage, program, f"storm-{name}").start()
            await self.play(f"{name}, storm", f"redis://127.0.0.1:{engine.port}", [engine])
            engines = await cluster(self.stage, program, f"storm-cluster-{name}")
            await self.play(f"{name}, storm in a cluster", f"redis-cluster://127.0.0.1:{engines[0].port},127.0.0.1:{engines[1].port}", engines,
                            is_cluster=True)
            await self.play(f"{name}, storm with Sentinel", *await self.watched(name, program))

    async def watched(self, name, program):
        """A server, its copy, and who watches them."""
        main = await Engine(self.stage, program, f"storm-main-{name}").start()
        copy = await Engine(self.stage, program, f"storm-copy-{name}", f"replicaof 127.0.0.1 {main.port}").start()
        sentinel = await Engine(self.stage, program, f"storm-sentinel-{name}", f"sentinel monitor main 127.0.0.1 {main.port} 1",
                                "sentinel down-after-milliseconds main 1000", "sentinel failover-timeout main 3000", sentinel=True).start()

        async def is_known():
            return "connected" in await copy.ask("ROLE") and len(await sentinel.ask("SENTINEL", "REPLICAS", "main")) == 1
        await until(is_known)
        return f"redis-sentinel://127.0.0.1:{sentinel.port}/main", [main, copy]

    async def play(self, name, url, engines, is_cluster=False):
        self.engines, self.is_cluster, self.is_over = engines, is_cluster, False
        self.each = await with_publishers(self.stage, name.replace(", ", "-").replace(" ", "-"), url, ROUTE)
        self.statuses, self.keys = [], []
        members = [await Witness(number).enter(gate) for number, gate in enumerate(self.each) for _ in range(MEMBERS)]
        tasks = [*(asyncio.create_task(self.publish(number)) for number in range(3)), *(asyncio.create_task(self.come_and_go()) for _ in range(2))]
        await self.faults()

        async def are_back():
            return await are_up(self.each)
        took = await until(are_back)
        self.is_over = True
        published = (await asyncio.gather(*tasks))[:3]

        async def all_know():
            found = [await gate.publisher.publish(CHANNEL, "probe") for gate in self.each]
            return all((one["gates"], one["reached"]) == (2, len(members)) for one in found)
        await until(all_know)
        expect = self.stage.expect
        expect(f"{name}: sessions that were lost", sum(member.is_lost for member in members), 0)
        expect(f"{name}: what came twice, late, or not though its own gate published it", [wrong for member in members for wrong in member.wrong][:3], [])
        behind = [member.number for member in members if member.last[member.number] != published[member.number]]
        expect(f"{name}: members without the last publication of their gate", behind, [])
        expect(f"{name}: handshakes that were refused", [status for status in self.statuses if status != 101], [])
        expect(f"{name}: publications with a key, and what `repeated` was for the first and the second", {*self.keys}, {(False, True)})
        self.stage.say(f"{name}: {sum(published)} publications, {len(self.statuses)} handshakes; the gates were back after {took:.1f} s")
        await end(self.each)

    async def publish(self, number):
        """Publishes on a gate as fast as it answers; how often."""
        gate, count = self.each[number], 0
        publisher = Publisher(gate.publisher.port)
        while not self.is_over:
            count += 1
            key = {"Idempotency_Key": f"{number}-{count}"} if count % 3 == 0 else {}
            tries = [await publisher.publish(CHANNEL, f"{number}:{count}", **key) for _ in range(2 if key else 1)]
            if key:
                self.keys.append(tuple(answer["repeated"] for answer in tries))
            await asyncio.sleep(0.01)
        return count

    async def come_and_go(self):
        while not self.is_over:
            number = random.randrange(3)
            member = await Witness(number).enter(self.each[number])
            self.statuses.append(member.status)
            await asyncio.sleep(random.random() / 5)
            random.choice([member.transport.abort, member.transport.close])()

    async def faults(self):
        over = time.monotonic() + self.stage.options.seconds
        faults = [self.killed, self.frozen, self.slow, self.cut, self.reloaded, *([self.moved] if self.is_cluster else [])]
        while time.monotonic() < over:
            await asyncio.sleep(random.random() * 3)
            try:
                await random.choice(faults)(random.choice(self.engines))
            except (RuntimeError, OSError, asyncio.IncompleteReadError) as error:
                # A server that copies or joins refuses some commands; the next fault comes soon.
                self.stage.say(f"storm: a fault that was refused: {error}")

    async def killed(self, engine):
        engine.kill()
        await asyncio.sleep(random.random() * 5)
        await engine.start()

    async def frozen(self, engine):
        engine.freeze()
        await asyncio.sleep(random.random() * random.choice([0.1, 1, 7]))
        await engine.thaw()

    async def slow(self, engine):
        for _ in range(10):
            engine.freeze()
            await asyncio.sleep(0.05)
            await engine.thaw()
            await asyncio.sleep(random.random() / 10)

    async def cut(self, engine):
        await engine.ask("CLIENT", "KILL", "TYPE", random.choice(["normal", "pubsub"]))

    async def reloaded(self, _engine):
        random.choice(self.each).process.child.send_signal(signal.SIGHUP)

    async def moved(self, _engine):
        for tag in [CHANNEL, "wsgate:gates"]:
            await move(self.engines, await self.engines[0].ask("CLUSTER", "KEYSLOT", tag))
