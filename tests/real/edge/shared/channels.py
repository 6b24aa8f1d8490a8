"""Channels of three gates: what is published at one of them, and who is a member anywhere."""

import asyncio
import time

from ..publish.site import Publisher, publish_port
from ..publish.site import settings as publish_settings
from .gates import are_up, end, gates, logged
from .members import BEGIN, MARKER, all_of, join, join_all
from .server import Engine, cluster, move, programs, until

CHANNELS = 'channels.join = ["room.{path.room}"]\nchannels.queue = "4MiB"\nchannels.retain = 2'

# Lines of one request.
BATCH = 500


async def with_publishers(stage, name, url, channels, **options):
    """Three gates, and a publisher of each."""
    each = await gates(stage, name, url, channels, more=publish_settings(), path="/{room}", **options)
    for gate in each:
        gate.publisher = Publisher(await publish_port(gate))
    return each


async def reaches(each, channel, sessions):
    """Publishes from each gate until the two others get it, and all know of each other's sessions."""
    async def all_know():
        found = [await gate.publisher.publish(channel, "probe") for gate in each]
        return all((one["gates"], one["reached"]) == (2, sessions) for one in found)
    await until(all_know)


class Channels:
    """Publications, retained ones, members, and an engine that is lost meanwhile."""

    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        for name, program in programs().items():
            engine = await Engine(self.stage, program, f"channels-{name}").start()
            await self.play(name, f"redis://127.0.0.1:{engine.port}", engine)
        name, program = list(programs().items())[-1]
        engines = await cluster(self.stage, program, "channels-cluster")
        await self.play(f"{name}, a cluster", f"redis-cluster://127.0.0.1:{engines[0].port}", cluster=engines)

    async def play(self, name, url, engine=None, cluster=None):
        self.name = name
        each = self.each = await with_publishers(self.stage, f"channels-{name.replace(', a ', '-')}", url, CHANNELS)
        await self.in_order()
        await self.retained()
        if engine:
            await self.lost(engine)
        if cluster:
            await self.moves(cluster)
        await self.repeated()
        await end(each)

    async def in_order(self):
        count, of_each = self.stage.options.messages, self.stage.options.members
        bodies = [b"%08d" % number for number in range(count)]
        expected = b"".join(b"\x81\x08" + body for body in bodies)
        members = await join_all(self.each, "/one", of_each, expected)
        await reaches(self.each, "room.one", len(members))
        self.stage.expect(f"{self.name}: members of all gates, as each gate counts them",
                          [await self.count(gate, "room.one") for gate in self.each], [(len(members), 0)] * 3)
        other = await join(self.each[1], "/other")
        publisher = self.each[0].publisher
        await publisher.publish("room.one", BEGIN)
        began = time.monotonic()
        for at in range(0, count, BATCH):
            await publisher.batch([{"channel": "room.one", "text": body.decode()} for body in bodies[at:at + BATCH]])
        done = await all_of(members, "done")
        took = time.monotonic() - began
        wrong = [member.wrong for member in members if member.wrong]
        self.stage.expect(f"{self.name}: members of {len(members)} on three gates that got {count} messages of one, once and in order",
                          (done, sum(member.at == len(expected) for member in members), wrong[:3]), (len(members), len(members), []))
        self.stage.expect(f"{self.name}: what a member of another channel got", other.got, b"")
        self.stage.say(f"{self.name}: {count} messages to {len(members)} members in {took:.1f} s")

        status, found = await self.each[2].publisher.ask("DELETE", "/channels/room.one/sessions?code=4000&reason=over")
        self.stage.expect(f"{self.name}: sessions of a channel that one gate closes on all", (status, found["closed"]), (200, len(members)))
        await all_of(members, "closed")
        self.stage.expect(f"{self.name}: their close codes", {member.code for member in members}, {4000})
        self.stage.expect(f"{self.name}: and that of another channel", other.closed.is_set(), False)

        async def none_is_left():
            return [await self.count(gate, "room.one") for gate in self.each] == [(0, 0)] * 3
        await until(none_is_left)

    async def count(self, gate, channel):
        status, found = await gate.publisher.ask("GET", f"/channels/{channel}")
        assert status == 200, found
        return found["sessions"], found["missing_gates"]

    async def retained(self):
        for gate, text in [(0, "1"), (0, "2"), (1, "3")]:
            await self.each[gate].publisher.publish("room.late", text)
        expected = b"\x81\x012\x81\x013"
        late = await join(self.each[2], "/late")

        async def have_come():
            return len(late.got) >= len(expected)
        await until(have_come)
        await self.each[0].publisher.publish("room.late", BEGIN)
        await all_of([late], "begun")
        self.stage.expect(f"{self.name}: what the first member on a gate gets of what others retain", late.got, expected + MARKER)

    async def repeated(self):
        """A publication with a key comes to all gates, at once and again when the gate that has made it is killed."""
        member = await join(self.each[0], "/keys")
        victim = self.each[2]

        async def publish(gate, text, key):
            publisher = Publisher(gate.publisher.port)
            return (await publisher.publish("room.keys", text, Idempotency_Key=key))["repeated"]
        at_once = await asyncio.gather(*(publish(gate, "once", "at-once") for gate in self.each * 7))
        self.stage.expect(f"{self.name}: a key 21 times at once, on three gates: not repeated", at_once.count(False), 1)
        first = await publish(victim, "before", "killed")
        victim.process.child.kill()
        victim.process.child.wait()
        again = [await publish(gate, "behind", "killed") for gate in self.each[:2]]
        self.stage.expect(f"{self.name}: a key of a gate that is killed then: repeated", [first, *again], [False, True, True])
        await self.each[1].publisher.publish("room.keys", BEGIN)
        await all_of([member], "begun")
        self.stage.expect(f"{self.name}: what a member of another gate got", member.got, b"\x81\x04once\x81\x06before" + MARKER)

    async def moves(self, engines):
        """The slots of a channel, and of what gates ask each other, move to another server while there are members."""
        members = [await join(gate, "/moves") for gate in self.each]
        await reaches(self.each, "room.moves", 3)
        for tag in ["room.moves", "wsgate:gates"]:
            await move(engines, await engines[0].ask("CLUSTER", "KEYSLOT", tag))
        # Nobody tells the gates but the servers, which end their subscriptions.
        await reaches(self.each, "room.moves", 3)

        async def all_have_begun():
            await self.each[0].publisher.publish("room.moves", BEGIN)
            return all(member.begun.is_set() for member in members)
        await until(all_have_begun)
        self.stage.expect(f"{self.name}: slots that have moved: members of all gates, as each gate counts them",
                          [await self.count(gate, "room.moves") for gate in self.each], [(3, 0)] * 3)
        said = [line["message"] for gate in self.each for line in gate.lines() if line.get("reason") == "shared_down"]
        self.stage.expect(f"{self.name}: slots that have moved: what the log says of an engine that is away", said, [])

    async def lost(self, engine):
        """Members of the same gate get what is published without the engine, and the others what comes behind it."""
        members = [await join(gate, "/lost", b"\x81\x05after") for gate in self.each]
        await reaches(self.each, "room.lost", 3)
        before = [await gate.metric("wsgate_shared_interruptions_total") for gate in self.each]
        engine.kill()
        await asyncio.gather(*(logged(gate, reason="shared_down") for gate in self.each))
        found = await self.each[0].publisher.publish("room.lost", "alone")
        self.stage.expect(f"{self.name}: published without the engine: gates", found["gates"], 0)
        await engine.start()
        lines = await asyncio.gather(*(logged(gate, message="the engine is back") for gate in self.each))
        self.stage.expect(f"{self.name}: channels that were subscribed again, as the log says", [line["channels"] > 0 for line in lines], [True] * 3)
        after = [await gate.metric("wsgate_shared_interruptions_total") for gate in self.each]
        self.stage.expect(f"{self.name}: the gap is counted once", [now - then for now, then in zip(after, before)], [1] * 3)
        self.stage.expect(f"{self.name}: the gauge is 1 again", await are_up(self.each), True)
        # Without a probe: the channel is subscribed to before the log says so.
        for text in [BEGIN, "after"]:
            await self.each[0].publisher.publish("room.lost", text)
        await all_of(members, "done")
        self.stage.expect(f"{self.name}: and what was published then", [member.at for member in members], [7] * 3)
        self.stage.expect(f"{self.name}: what was published without the engine reached the gate's own member alone",
                          [b"\x05alone" in member.before for member in members], [True, False, False])
