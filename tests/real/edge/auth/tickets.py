"""One-time tickets, from the admin interface to a client."""

import asyncio
import time

import websockets

from ..gate import Gate
from ..wire import shake

SETTINGS = """
[[route]]
name = "{name}"
path = "/{name}/*"
upstream = "echo"
[route.headers]
set = {{ x-user = "{{subject}}", x-team = "{{claim.team}}" }}
[route.auth]
from = ["query:ticket"]
tickets = {{ lifetime = "{lifetime}" }}
"""

AT_ONCE = 100


class Tickets:
    def __init__(self, stage):
        self.stage, self.tickets = stage, []

    async def issue(self, route="chat", **more):
        status, answer = await self.gate.ask("POST", "/tickets", {"route": route, "subject": "alice", **more})
        assert status == 201, (status, answer)
        self.tickets.append(answer["ticket"])
        return answer["ticket"]

    async def use(self, ticket, route="chat"):
        return (await shake(self.gate.port, f"/{route}/x?ticket={ticket}&a=1")).status

    async def all(self):
        routes = [("chat", "30s"), ("brief", "1s")]
        self.gate = await Gate.start(self.stage, "tickets", "".join(SETTINGS.format(name=name, lifetime=lifetime) for name, lifetime in routes), level="trace")
        ticket = await self.issue(claims={"team": "red"})
        found = (await self.use(ticket), self.stage.upstream.last("x-user"), self.stage.upstream.last("x-team"),
                 self.stage.upstream.heads[-1].split(b" ")[1])
        self.stage.expect("a ticket: subject, claim and query upstream", found, (101, "alice", "red", b"/chat/x?a=1"))
        self.stage.expect("the same once more", await self.use(ticket), 401)
        ticket = await self.issue()
        statuses = await asyncio.gather(*(self.use(ticket) for _ in range(AT_ONCE)))
        self.stage.expect(f"{AT_ONCE} clients with one ticket", (statuses.count(101), statuses.count(401)), (1, AT_ONCE - 1))
        ticket = await self.issue()
        found = await self.use(ticket, "brief"), await self.use(ticket)
        self.stage.expect("on another route, then on its own", found, (401, 101))
        ticket = await self.issue("brief")
        await asyncio.sleep(1.2)
        self.stage.expect("after its lifetime", await self.use(ticket, "brief"), 401)
        await self.expires()
        for body, status in [({"route": "nobody", "subject": "a"}, 404), ({"route": "chat", "subject": ""}, 400), ({"route": "chat"}, 400)]:
            self.stage.expect(f"POST /tickets {body}", (await self.gate.ask("POST", "/tickets", body))[0], status)
        whole = self.gate.log.read_text()
        self.stage.expect("tickets in the log at level trace", [ticket for ticket in self.tickets if ticket in whole], [])
        await self.gate.end()

    async def expires(self):
        moment = int(time.time()) + 3
        ticket = await self.issue(session_expires=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)))
        socket = await websockets.connect(f"ws://127.0.0.1:{self.gate.port}/chat/x?ticket={ticket}", compression=None)
        try:
            await asyncio.wait_for(socket.recv(), 20)
        except websockets.ConnectionClosed:
            pass
        late = time.time() - moment
        print(f"closed {late * 1000:.0f} ms after `session_expires`", flush=True)
        self.stage.expect("`session_expires`: close code, within a second", (socket.close_code, 0 <= late < 1), (4401, True))
