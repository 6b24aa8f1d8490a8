"""What the Python clients of tests/real share: `python client.py BASE` prints one line for each thing tried."""

import asyncio
import sys

BASE = sys.argv[1] if len(sys.argv) > 1 else ""
WS_BASE = BASE.replace("http", "ws", 1)


async def tried(what, seconds, action):
    """Does `action` within a deadline, and prints its result or its error."""
    try:
        result = await asyncio.wait_for(action(), seconds)
    except (TimeoutError, asyncio.TimeoutError):
        result = f"failed: nothing after {seconds} s"
    except Exception as error:  # whatever it is, it is the result
        result = f"failed: {type(error).__name__}: {error}"
    # The address is the one thing that has to differ.
    result = str(result).replace(BASE, "BASE").replace(WS_BASE, "BASE").replace("\n", " ")
    print(f"{what}\t{result}", flush=True)


def listening_socket():
    """A socket on a free port, of which the caller of the application is told."""
    import socket

    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    listener.setblocking(False)
    print(f"port {listener.getsockname()[1]}", flush=True)
    return listener
