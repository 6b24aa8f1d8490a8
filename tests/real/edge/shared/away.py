"""An engine that is stopped, frozen and started again, under traffic."""

import asyncio
import collections
import time

from .gates import are_up, end, gates, logged, session, status
from .server import Engine, programs, until

# What a handshake waits for the engine at most. Of what else it takes the gate has no figure, so that it is compared with
# the slowest one while the engine answers; and a machine that builds something beside this adds this much to one in a
# hundred.
BUDGET, SLACK = 0.025, 0.1

# As many handshakes each time, on each gate.
HANDSHAKES = 60

# How many in a row may find out that the engine does not answer, on each gate.
FINDERS = 3


class Away:
    """No session is lost, no handshake is late, and the log says each change once."""

    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        for on_failure, (name, program) in zip(["local", "deny"], [*programs().items()] * 2):
            engine = await Engine(self.stage, program, f"away-{on_failure}").start()
            limits = 'limits.per_ip.connections = 1000\nlimits.per_ip.handshakes = "10000/s"\nlimits.per_ip.messages = "1000/s"'
            each = await gates(self.stage, f"away-{on_failure}", f"redis://127.0.0.1:{engine.port}", limits, on_failure=on_failure)
            await Traffic(self.stage, f"{on_failure}, {name}", each, engine).through([101] if on_failure == "local" else [503])
            await end(each)


class Traffic:
    """Thirty sessions that talk, while the engine comes and goes."""

    def __init__(self, stage, name, each, engine):
        self.stage, self.name, self.each, self.engine = stage, name, each, engine
        self.lost, self.echoes, self.going = [], 0, True

    async def through(self, expected):
        sessions = await asyncio.gather(*(session(self.each[number % 3]) for number in range(30)))
        talking = [asyncio.create_task(self.talk(ws)) for ws in sessions]
        usual = await self.handshakes()
        self.stage.expect(f"{self.name}: statuses with the engine", [*usual], [101])
        self.say("with the engine", usual)
        for times, (what, stop, go_on) in enumerate([("killed", self.engine.kill, self.engine.start),
                                                     ("frozen", self.engine.freeze, self.engine.thaw)], 1):
            stop()
            found = await self.handshakes()
            self.judge(what, found, usual, expected)
            # What is between was lost without the engine, so that it counts again only behind both lines.
            await asyncio.gather(*(logged(gate, times, reason="shared_down") for gate in self.each))
            began = time.monotonic()
            await go_on()
            await asyncio.gather(*(logged(gate, times, message="the engine is back") for gate in self.each))
            self.stage.say(f"{self.name}, {what}: back {time.monotonic() - began:.2f} s after the engine")
            self.stage.expect(f"{self.name}, {what}: the gauge of all gates is 1 again", await are_up(self.each), True)
            found = await self.handshakes()
            self.stage.expect(f"{self.name}, {what}, and back: statuses", [*found], [101])
        await self.echo_once_more()
        self.going = False
        await asyncio.gather(*talking)
        self.stage.expect(f"{self.name}: sessions that were lost, of 30", self.lost, [])
        self.stage.say(f"{self.name}: {self.echoes} messages meanwhile")
        for gate in self.each:
            said = collections.Counter(line.get("message", "").split(":")[0] for line in gate.lines() if "shared" in line.get("reason", ""))
            self.stage.expect(f"{self.name}: {gate.name} says each change once", dict(said),
                              {"the engine is connected": 1, "the engine is away": 2, "the engine is back": 2})

    async def talk(self, ws):
        """Sends a message and waits for its echo, again and again."""
        try:
            while self.going:
                await ws.send("x")
                await asyncio.wait_for(ws.recv(), 30)
                self.echoes += 1
                await asyncio.sleep(0.05)
        except Exception as error:
            self.lost.append(repr(error))

    async def echo_once_more(self):
        """All of them, or they are lost."""
        wanted = self.echoes + 60

        async def have():
            return self.lost or self.echoes >= wanted
        await until(have)

    async def handshakes(self):
        """How long handshakes took, by status, one after the other."""
        found = collections.defaultdict(list)
        for _ in range(HANDSHAKES):
            for gate in self.each:
                at = time.monotonic()
                code, writer = await status(gate)
                found[code].append(time.monotonic() - at)
                if writer:
                    writer.close()
        return found

    def judge(self, what, found, usual, expected):
        self.say(what, found)
        times = sorted(took for some in found.values() for took in some)
        # The answer to one that was under way when the engine went may have come.
        self.stage.expect(f"{self.name}, {what}: statuses", {code for code, some in found.items() if len(some) > len(self.each)}, set(expected))
        bound = BUDGET + max(usual[101] + [SLACK])
        self.stage.expect(f"{self.name}, {what}: handshakes slower than {bound * 1000:.0f} ms", [took for took in times if took > bound], [])
        # So many wait for nothing that the time of most of them is that of others.
        most = times[-1 - len(self.each) * (FINDERS + 2) * 2]
        bound = sorted(usual[101])[-1 - len(usual[101]) // 20] + BUDGET / 2
        self.stage.expect(f"{self.name}, {what}: beyond the first ones nothing waits", most < bound or f"{most} {bound}", True)

    def say(self, what, found):
        def times(of):
            of = sorted(of)
            return f"{len(of)}, median {of[len(of) // 2] * 1000:.1f} ms, slowest {of[-1] * 1000:.1f} ms"
        self.stage.say(f"{self.name}, {what}: handshakes: " + "; ".join(f"{code}: {times(some)}" for code, some in sorted(found.items())))
