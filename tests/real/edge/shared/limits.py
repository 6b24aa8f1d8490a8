"""Limits that count over three gates, and what becomes of them when a gate is killed."""

import asyncio
import collections
import json
import time

from .gates import alone, end, gates, logged, session, status, statuses
from .server import Engine, programs, until, users


class Handshakes:
    """As many as the rate allows, however many come at once and wherever."""

    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        for name, program in programs().items():
            engine = await Engine(self.stage, program, f"handshakes-{name}").start()
            each = await gates(self.stage, f"handshakes-{name}", f"redis://127.0.0.1:{engine.port}",
                               'limits.per_ip.handshakes = { rate = "60/h", burst = 30 }')
            found, _ = await statuses(each, 150)
            self.stage.expect(f"{name}: 150 handshakes on three gates, a burst of 30", dict(found), {101: 30, 429: 120})
            found, _ = await statuses(each, 30, "192.0.2.2")
            self.stage.expect(f"{name}: another address", dict(found), {101: 30})
            keys = await engine.ask("KEYS", "*")
            self.stage.expect(f"{name}: keys that name an address", [key for key in keys if "192" in key], [])
            self.stage.expect(f"{name}: handshakes that were decided without the engine", await alone(each), 0)
            await end(each)


class Sessions:
    """As many as the limit allows, and free within a minute after a gate is killed."""

    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        program = next(iter(programs().values()))
        engine = await Engine(self.stage, program, "sessions").start()
        each = await gates(self.stage, "sessions", f"redis://127.0.0.1:{engine.port}", "limits.per_ip.connections = 30")
        found, held = await statuses(each, 90)
        self.stage.expect("90 handshakes on three gates, 30 sessions allowed", dict(found), {101: 30, 429: 60})
        for writer in held[:5]:
            writer.close()

        async def are_free():
            return await engine.ask("ZCARD", (await engine.ask("KEYS", "*:c"))[0]) == 25
        took = await until(are_free)
        self.stage.expect("five end: seconds until their places are free, below", took < 1, True)
        found, more = await statuses(each, 10)
        self.stage.expect("ten more", dict(found), {101: 5, 429: 5})

        of_victim = await each[0].sessions()
        each[0].process.child.kill()
        key = (await engine.ask("KEYS", "*:c"))[0]

        async def are_free_again():
            seconds, micros = map(int, await engine.ask("TIME"))
            return await engine.ask("ZCOUNT", key, f"({seconds * 1000 + micros // 1000}", "+inf") == 30 - of_victim
        took = await until(are_free_again, 70)
        # Three seconds are for a machine that looks seldom.
        self.stage.say(f"kill -9 of a gate with {of_victim} sessions: the last place was free after {took:.1f} s")
        self.stage.expect("kill -9: its places are free within 60 s", took < 63 or took, True)
        # The other gates keep theirs, so that exactly those of the victim are free.
        found, again = await statuses(each[1:], of_victim + 3)
        self.stage.expect("and no more than those", dict(found), {101: of_victim, 429: 3})

        await engine.ask("FLUSHALL")
        async def are_back():
            keys = await engine.ask("KEYS", "*:c")
            return bool(keys) and await engine.ask("ZCARD", keys[0]) == 30
        took = await until(are_back)
        self.stage.say(f"FLUSHALL: all places were there again after {took:.1f} s")
        self.stage.expect("FLUSHALL: all places are there again within 21 s", took < 21, True)
        _ = held, more, again
        await end(each[1:])


class Messages:
    """As many as the rate allows, and a slice more for each gate but one at most."""

    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        program = list(programs().values())[-1]
        engine = await Engine(self.stage, program, "messages").start()
        limits = 'limits.on_exceed = "drop"\nlimits.per_ip.messages = { rate = "100/s", burst = 80 }'
        each = await gates(self.stage, "messages", f"redis://127.0.0.1:{engine.port}", limits)
        sessions = await asyncio.gather(*(session(gate) for gate in each))
        began = time.monotonic()
        for quiet in [0, 3]:
            await asyncio.sleep(quiet)
            passed, seconds = await self.flood(sessions, 4)
            exact = 80 + 100 * seconds
            self.stage.say(f"flood of three gates for {seconds:.2f} s after {quiet} s of quiet: {passed} messages of {exact:.0f}, "
                           f"{passed - exact:+.0f}")
            self.stage.expect(f"messages of three gates, after {quiet} s of quiet: over by two slices at most, and 5 % under",
                              exact * 0.95 <= passed <= exact + 2 * 10 + 5, True)
        loans = await engine.ask("INFO", "commandstats")
        calls = sum(int(line.split("calls=")[1].split(",")[0]) for line in loans.splitlines() if line.startswith("cmdstat_evalsha:"))
        seconds = time.monotonic() - began
        self.stage.say(f"scripts of the engine for {self.sent} messages in {seconds:.0f} s: {calls}")
        # A gate asks for what is over the limit every 50 ms, and seldom for what is not.
        self.stage.expect("scripts of the engine a second and gate, below 50", calls < 50 * 3 * seconds or calls, True)
        await end(each)

    async def flood(self, sessions, seconds):
        """What came back of a flood on all sessions."""
        counts, self.sent = collections.Counter(), getattr(self, "sent", 0)
        began = time.monotonic()

        async def send(ws):
            while time.monotonic() - began < seconds:
                await ws.send("x")
                self.sent += 1
                await asyncio.sleep(0.001)

        async def count(ws):
            async for _ in ws:
                counts["passed"] += 1
        readers = [asyncio.create_task(count(ws)) for ws in sessions]
        await asyncio.gather(*map(send, sessions))
        took = time.monotonic() - began
        await asyncio.sleep(0.3)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        return counts["passed"], took


class Rights:
    """A user with the rights of the documents, and a password that is nowhere."""

    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        line, _ = users()
        program = next(iter(programs().values()))
        engine = await Engine(self.stage, program, "rights", "user default off", line.replace("PASSWORD", "canary")).start()
        url = f"redis://wsgate:canary@127.0.0.1:{engine.port}"
        each = await gates(self.stage, "rights", url, "limits.per_ip.connections = 2", count=2, level="trace")
        found, _ = await statuses(each, 5)
        self.stage.expect("a user with the rights of the documents", dict(found), {101: 2, 429: 3})
        _, shown = await each[0].ask("GET", "/config")
        told = json.dumps(shown) + "".join(gate.log.read_text() for gate in each)
        engine.kill()
        await logged(each[0], reason="shared_down")
        told += "".join(gate.log.read_text() for gate in each)
        self.stage.expect("the password in the log at level trace, and in GET /config", "canary" in told, False)
        await end(each)
