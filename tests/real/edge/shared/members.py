"""Members of a channel, whose frames are compared byte by byte."""

import asyncio

from ..wire import handshake

# A text that is published before what is compared.
BEGIN = b"begin"
MARKER = b"\x81" + bytes([len(BEGIN)]) + BEGIN


class Member(asyncio.Protocol):
    """What comes behind `BEGIN` has to be the frames that are expected; then a close frame may come."""

    def __init__(self, expected):
        self.expected, self.before, self.at = expected, b"", None
        self.wrong, self.behind = None, b""
        self.opened, self.begun, self.done, self.closed = (asyncio.Event() for _ in range(4))

    def data_received(self, data):
        if self.at is None:
            self.before += data
            if b"\r\n\r\n" in self.before:
                self.opened.set()
            _, found, data = self.before.partition(MARKER)
            if not found:
                return
            self.at = 0
            self.begun.set()
        wanted = self.expected[self.at:self.at + len(data)]
        if self.wrong is None and data[:len(wanted)] != wanted:
            self.wrong = f"{data[:40]!r} at {self.at}"
        self.at += len(wanted)
        self.behind += data[len(wanted):]
        if self.at == len(self.expected) or self.wrong:
            self.done.set()
        if self.behind[:1] == b"\x88" and len(self.behind) >= 2 + self.behind[1]:
            self.transport.close()

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _error):
        for event in [self.opened, self.done, self.closed]:
            event.set()

    @property
    def got(self):
        """The bytes behind the head, up to the mark."""
        return self.before.partition(b"\r\n\r\n")[2]

    @property
    def code(self):
        """That of the close frame behind what was expected; none without one."""
        return int.from_bytes(self.behind[2:4]) if self.behind[:1] == b"\x88" and self.closed.is_set() else None


async def join(gate, path, expected=b""):
    """A member, once its handshake is answered."""
    member = Member(expected)
    await asyncio.get_running_loop().create_connection(lambda: member, "127.0.0.1", gate.port)
    member.transport.write("\r\n".join([*handshake(path), "", ""]).encode())
    await asyncio.wait_for(member.opened.wait(), 30)
    assert b" 101 " in member.before, member.before
    return member


async def join_all(each, path, count, expected=b""):
    """So many on each gate, some at a time."""
    members = []
    for _ in range(0, count, 10):
        members += await asyncio.gather(*(join(gate, path, expected) for gate in each for _ in range(10)))
    return members


async def all_of(members, event, seconds=60):
    """Waits for an event of all of them; how many have had it."""
    waits = [asyncio.create_task(getattr(member, event).wait()) for member in members]
    done, late = await asyncio.wait(waits, timeout=seconds)
    for wait in late:
        wait.cancel()
    return len(done)
