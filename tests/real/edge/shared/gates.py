"""Several gates, and what is asked of them."""

import asyncio
import collections

import websockets

from ..gate import Gate
from ..wire import handshake
from .server import until

SETTINGS = """
[client_ip]
trusted_proxies = ["127.0.0.0/8"]
[shared]
url = "{url}"
on_failure = "{on_failure}"
{more}
[[route]]
name = "chat"
path = "{path}"
upstream = "echo"
origin.missing = "allow"
# Sockets of these scenes are held without anybody who reads them.
keepalive.client.interval = "0s"
{limits}
"""

CONNECTED = "the engine is connected"


def settings(url, limits, on_failure="local", more="", path="/*"):
    return SETTINGS.format(url=url, limits=limits, on_failure=on_failure, more=more, path=path)


async def gates(stage, name, url, limits, count=3, level="info", **options):
    """Gates that share this engine, once they are connected with it."""
    text = settings(url, limits, **options)
    each = await asyncio.gather(*(Gate.start(stage, f"{name}-{number}", text, level=level) for number in range(count)))
    await asyncio.gather(*(logged(gate, message=CONNECTED) for gate in each))
    return each


async def logged(gate, count=1, **fields):
    """Waits until the log has so many lines with these fields, wherever they are; the last one."""
    found = []

    async def is_there():
        found[:] = [line for line in gate.lines() if all(line.get(name) == value for name, value in fields.items())]
        return len(found) >= count
    try:
        await until(is_there)
    except RuntimeError as error:
        raise RuntimeError(f"{error}: {fields} of {gate.name}, whose last lines are {gate.lines()[-8:]}") from error
    return found[-1]


async def status(gate, address="192.0.2.1", path="/"):
    """The status of a handshake of this address, and its session if it has one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    lines = [*handshake(path), f"X-Forwarded-For: {address}"]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    found = int(head.split(b" ", 2)[1])
    if found != 101:
        writer.close()
        writer = None
    return found, writer


# A gate waits for the engine for 25 ms, so that a machine with few cores must not have all of them at once.
AT_ONCE = 6


async def statuses(each, count, address="192.0.2.1"):
    """How many handshakes, some at once and by turns on all gates, had which status; and the sessions."""
    found = []
    for begin in range(0, count, AT_ONCE):
        some = range(begin, min(begin + AT_ONCE, count))
        found += await asyncio.gather(*(status(each[number % len(each)], address) for number in some))
    return collections.Counter(code for code, _ in found), [writer for _, writer in found if writer]


async def session(gate, address="192.0.2.1", path="/"):
    fields = {"X-Forwarded-For": address}
    return await websockets.connect(f"ws://127.0.0.1:{gate.port}{path}", additional_headers=fields, compression=None, ping_interval=None)


async def alone(each):
    """Handshakes that the gates have decided without the engine."""
    return sum([await gate.metric("wsgate_shared_failures_total", operation="handshake") for gate in each])


async def are_up(each):
    """Whether every connection of the gates with the engine is there."""
    return min([await gate.metric("wsgate_shared_up") for gate in each]) == 1


async def end(each):
    await asyncio.gather(*(gate.end() for gate in each))
