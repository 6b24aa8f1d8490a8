"""Users whose sessions are on all gates: what is published to them, and how they are sent away."""

from .channels import with_publishers
from .gates import end
from .members import all_of, join
from .server import Engine, programs

ROUTE = """channels.join = ["room.{path.room}"]
auth.from = ["query:ticket"]
auth.tickets = { lifetime = "30s" }"""


class Kicks:
    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        for name, program in programs().items():
            engine = await Engine(self.stage, program, f"kicks-{name}").start()
            each = await with_publishers(self.stage, f"kicks-{name}", f"redis://127.0.0.1:{engine.port}", ROUTE)
            alice, bob = [[await self.come_in(gate, subject) for gate in each] for subject in ["alice", "bob"]]
            await self.published(name, each, alice + bob)
            await self.revoked(name, each, alice, bob)
            await end(each)

    async def come_in(self, gate, subject):
        status, answer = await gate.publisher.ask("POST", "/tickets", f'{{"route": "chat", "subject": "{subject}"}}', "application/json")
        assert status == 201, (status, answer)
        return await join(gate, f"/{subject}?ticket={answer['ticket']}")

    async def published(self, name, each, members):
        status, found = await each[0].publisher.ask("POST", "/subjects/alice", "begin")
        self.stage.expect(f"{name}: sessions of a user on three gates that one gate publishes to", (status, found["reached"]), (200, 3))
        await all_of(members[:3], "begun")
        self.stage.expect(f"{name}: and who got it", [member.begun.is_set() for member in members], [True] * 3 + [False] * 3)

    async def revoked(self, name, each, alice, bob):
        status, found = await each[1].ask("DELETE", "/sessions?subject=alice")
        self.stage.expect(f"{name}: DELETE /sessions?subject=alice at one gate", (status, found), (200, {"closed": 1}))
        await all_of(alice, "closed")
        self.stage.expect(f"{name}: the close codes of alice on all gates", [member.code for member in alice], [4403] * 3)
        self.stage.expect(f"{name}: sessions of bob that are closed", [member.closed.is_set() for member in bob], [False] * 3)
        again = await self.come_in(each[2], "alice")
        self.stage.expect(f"{name}: a ticket that was asked for later comes in", again.closed.is_set(), False)
