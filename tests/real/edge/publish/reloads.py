"""Reloads under sessions in channels: tokens come and go, a route goes, sessions stay."""

import asyncio

from .judge import Socket
from .site import TOKENS, Publisher, publish_port, route, settings, start

NEW = {
    # The same right, with another secret.
    "all": ("another-secret-of-the-same-name-33", ["**"], True, True),
    # The same secret, with another right.
    "rooms": (TOKENS["rooms"][0], ["halls.*"], False, False),
}

STAYS = route("stays", "/stays/{room}", 'join = ["room.{path.room}"]')
CHANGES = route("stays", "/stays/{room}", 'join = ["halls.{path.room}"]')
GOES = route("goes", "/goes/{room}", 'join = ["room.{path.room}"]')


class Reloads:
    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        gate = self.gate = await start(self.stage, "reloads", settings() + STAYS + GOES)
        stays, goes = [await Socket.open(gate.port, path) for path in ["/stays/1", "/goes/1"]]
        old, rooms = Publisher(gate.publish), Publisher(gate.publish, "rooms")
        reached = (await old.publish("room.1", "before"))["reached"]
        self.stage.expect("before: reached", reached, 2)
        await rooms.publish("room.1", "before, too")
        await gate.reload(settings(NEW) + CHANGES)
        new = Publisher(await publish_port(gate), NEW["all"][0])
        self.stage.expect("a token that is no more, on its open connection", (await old.ask("POST", "/channels/room.1", "x"))[0], 401)
        found = [(await rooms.ask("POST", f"/channels/{channel}", "x"))[0] for channel in ["room.1", "halls.1"]]
        self.stage.expect("a token with other channels: the old one, the new one", found, [403, 200])
        await asyncio.wait_for(goes.closed.wait(), 20)
        self.stage.expect("a session of a route that is no more: close code", goes.code, 1001)
        answer = await new.publish("room.1", "after")
        found = answer["reached"], [await stays.receive() for _ in range(3)]
        self.stage.expect("a session whose route joins something else now: reached, and delivered", found, (1, ["before", "before, too", "after"]))
        late = await Socket.open(gate.port, "/stays/1")
        await new.publish("halls.1", "to the new")
        self.stage.expect("a session that comes then", await late.receive(), "to the new")
        self.stage.expect("and the old one beside it", (await stays.echoes("still here"), stays.messages.qsize()), (True, 0))
        await gate.reload(CHANGES)
        try:
            status, _ = await new.ask("GET", "/healthz")
        except (OSError, EOFError):
            status = None
        self.stage.expect("without [publish]: its listener", status, None)
        self.stage.expect("and the sessions", [await session.echoes("still here") for session in [stays, late]], [True, True])
        await gate.reload(settings(NEW) + CHANGES)
        again = Publisher(await publish_port(gate), NEW["all"][0])
        await again.publish("halls.1", "again")
        self.stage.expect("with it again", await late.receive(), "again")
        await asyncio.gather(stays.end(), late.end())
        await gate.end()

