"""A cluster, Sentinel, and TLS."""

import asyncio
import collections
import time

from ..certificates import Authority
from ..gate import Gate
from .gates import end, gates, logged, settings, status, statuses
from .server import Engine, cluster, free_port, programs, until, users

LIMITS = 'limits.per_ip.handshakes = { rate = "60/h", burst = 4 }\nlimits.per_ip.connections = 100'


def addresses(count):
    return [f"198.51.100.{number}" for number in range(count)]


class Cluster:
    """Three servers share the keys; one moves some of its own, and one goes."""

    def __init__(self, stage):
        self.stage = stage

    async def exact(self, each, of):
        """How many of the addresses got their four handshakes and no fifth."""
        # One address after the other: more at once are too many for a machine with few cores.
        found = [(await statuses(each, 6, address))[0] for address in of]
        return sum(dict(codes) == {101: 4, 429: 2} for codes in found)

    async def all(self):
        for name, program in programs().items():
            engines = await cluster(self.stage, program, f"cluster-{name}")
            url = f"redis-cluster://{','.join(f'127.0.0.1:{engine.port}' for engine in engines[:2])}"
            each = await gates(self.stage, f"cluster-{name}", url, LIMITS)
            self.stage.expect(f"{name} cluster: addresses of 60 whose handshakes are exact on three gates",
                              await self.exact(each, addresses(60)), 60)
            used = [await engine.ask("DBSIZE") for engine in engines]
            self.stage.say(f"{name} cluster: keys on each server: {used}")
            self.stage.expect(f"{name} cluster: all three servers have keys", min(used) > 5, True)

            # A third of the slots of the first moves to the second, and no gate is told.
            nodes = [await engine.ask("CLUSTER", "MYID") for engine in engines]
            slots = range(0, 1800)
            counts = await engines[0].ask_all([("CLUSTER", "COUNTKEYSINSLOT", slot) for slot in slots])
            empty = [slot for slot, count in zip(slots, counts) if count == 0]
            # First the one that gets them.
            for engine in [engines[1], engines[0], engines[2]]:
                await engine.ask_all([("CLUSTER", "SETSLOT", slot, "NODE", nodes[1]) for slot in empty])
            moved = [f"203.0.113.{number}" for number in range(60)]
            self.stage.expect(f"{name} cluster: the same after slots have moved", await self.exact(each, moved), 60)

            await self.one_is_gone(name, each, engines)
            await end(each)

    async def one_is_gone(self, name, each, engines):
        """Its slots are nobody's; those of the others count as before."""
        engines[2].kill()
        await asyncio.gather(*(logged(gate, reason="shared_down") for gate in each))
        found = collections.Counter()
        for number in range(100, 140):
            found[(await status(each[0], f"192.0.2.{number}"))[0]] += 1
        self.stage.expect(f"{name} cluster: one server is gone: statuses", dict(found), {101: 40})
        exact = await self.exact(each, [f"198.51.100.{number}" for number in range(100, 160)])
        self.stage.say(f"{name} cluster: one server is gone: {exact} of 60 addresses are exact still")
        self.stage.expect(f"{name} cluster: one server is gone: those of the other servers are exact", 25 < exact < 60, True)
        await engines[2].start()
        await asyncio.gather(*(logged(gate, message="the engine is back") for gate in each))


class Sentinel:
    """The server that takes changes is killed, or frozen, and its copy takes its place."""

    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        for (name, program), what in zip([*programs().items()] * 2, ["killed", "frozen"]):
            await self.play(f"{name} Sentinel, {what}", f"sentinel-{what}", program, what)

    async def play(self, name, folder, program, what):
        # Once with users and passwords, those of the documents: the gates have others than the servers among themselves.
        user, own, servers, sentinels = "", None, [], []
        if what == "frozen":
            user, own = "wsgate:canary@", "own"
            every = ["requirepass own"]
            engine_user, sentinel_user = (line.replace("PASSWORD", "canary") for line in users())
            servers, sentinels = [*every, "masterauth own", engine_user], [*every, "sentinel auth-pass main own", sentinel_user]
        master = await Engine(self.stage, program, f"{folder}-master", *servers, password=own).start()
        copy = await Engine(self.stage, program, f"{folder}-copy", f"replicaof 127.0.0.1 {master.port}", *servers, password=own).start()
        lines = [f"sentinel monitor main 127.0.0.1 {master.port} 1", "sentinel down-after-milliseconds main 1000",
                 "sentinel failover-timeout main 5000", *sentinels]
        sentinel = await Engine(self.stage, program, f"{folder}-sentinel", *lines, sentinel=True, password=own).start()

        async def is_known():
            return "connected" in await copy.ask("ROLE") and len(await sentinel.ask("SENTINEL", "REPLICAS", "main")) == 1
        await until(is_known)
        each = await gates(self.stage, folder, f"redis-sentinel://{user}127.0.0.1:{sentinel.port}/main", "limits.per_ip.connections = 12")
        found, held = await statuses(each, 30)
        self.stage.expect(f"{name}: sessions of 30 handshakes, 12 allowed", dict(found), {101: 12, 429: 18})
        began = time.monotonic()
        master.kill() if what == "killed" else master.freeze()
        await asyncio.gather(*(logged(gate, message="the engine is back") for gate in each))
        self.stage.say(f"{name}: the gates were with the copy after {time.monotonic() - began:.1f} s")
        self.stage.expect(f"{name}: the copy takes changes", (await copy.ask("ROLE"))[0], "master")

        async def are_there():
            keys = await copy.ask("KEYS", "*:c")
            return bool(keys) and await copy.ask("ZCARD", keys[0]) == 12
        await until(are_there)
        found, _ = await statuses(each, 9)
        self.stage.expect(f"{name}: after the failover the sessions count still", dict(found), {429: 9})
        for gate in each:
            said = [line["message"].split(":")[0] for line in gate.lines() if "shared" in line.get("reason", "")]
            self.stage.expect(f"{name}: {gate.name} says each change once", said,
                              ["the engine is connected", "the engine is away", "the engine is back"])
        self.stage.expect(f"{name}: sessions that were lost", sum(writer.is_closing() for writer in held), 0)
        await end(each)
        if what == "frozen":
            await master.thaw()


class Tls:
    """rediss://, with an authority of one's own, and with a wrong one."""

    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        program = programs().get("redis")
        if program is None:
            self.stage.say("tls: left out: redis-server is not installed, and the other one has no TLS")
            return
        authority = Authority(self.stage.scratch / "tls")
        cert, key = authority.issue("engine", ["localhost"])
        engine = Engine(self.stage, program, "tls-engine")
        tls = free_port()
        engine.arguments = (f"tls-port {tls}", f"tls-cert-file {cert}", f"tls-key-file {key}", f"tls-ca-cert-file {authority.cert}",
                            "tls-auth-clients no")
        await engine.start()
        each = await gates(self.stage, "tls", f"rediss://localhost:{tls}", LIMITS, more=f'ca = "{authority.cert}"', count=2)
        found, _ = await statuses(each, 6)
        self.stage.expect("rediss:// with an authority of one's own", dict(found), {101: 4, 429: 2})
        await end(each)
        stranger = Authority(self.stage.scratch / "stranger")
        for what, url, ca in [("another authority", f"rediss://localhost:{tls}", stranger.cert),
                              ("another name", f"rediss://127.0.0.1:{tls}", authority.cert)]:
            text = settings(url, LIMITS, on_failure="deny", more=f'ca = "{ca}"')
            gate = await Gate.start(self.stage, f"tls-{what.split()[1]}", text)
            line = await logged(gate, reason="shared_down")
            self.stage.expect(f"rediss:// and {what}: the log says why", "certificate" in line["error"], True)
            self.stage.expect(f"rediss:// and {what}: a handshake", (await status(gate))[0], 503)
            await gate.end()
