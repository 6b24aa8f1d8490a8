"""A gate with its settings, its log and its admin interface."""

import asyncio
import json
import pathlib
import re
import signal

from harness import Process

from .wire import get

BASE = """
[[listen]]
address = "127.0.0.1:0"
[admin]
address = "127.0.0.1:0"
[log]
level = "{level}"
format = "json"
[drain]
spread = "0s"
[upstream.echo]
servers = ["ws://127.0.0.1:{port}"]
"""


class Gate:
    """The program, with settings of a scene behind those that all scenes have."""

    def __init__(self, stage, name, settings, level="info", environment=None):
        self.stage, self.name, self.level = stage, name, level
        self.file = stage.scratch / f"{name}.toml"
        self.log = stage.scratch / f"{name}.log"
        self.write(settings)
        self.process = Process(name, [stage.program, "run", str(self.file)], self.log, environment)
        stage.started.append(self.process)

    @classmethod
    async def start(cls, *arguments, **options):
        """A gate that listens."""
        gate = cls(*arguments, **options)
        # Servers of other scenes answer meanwhile.
        gate.port = int((await gate.says(r'"listening","address":"127\.0\.0\.1:(\d+)"'))[1])
        gate.admin = int((await gate.says(r'"admin interface listening","address":"127\.0\.0\.1:(\d+)"'))[1])
        return gate

    @property
    def ports(self):
        """Where it listens, in the order of its settings."""
        return [int(port) for port in re.findall(r'"listening","address":"127\.0\.0\.\d:(\d+)"', self.log.read_text())]

    def memory(self):
        """The resident memory in bytes."""
        status = pathlib.Path(f"/proc/{self.process.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    async def says(self, pattern):
        """Waits for a line of the log."""
        return await asyncio.to_thread(self.process.wait_for, pattern, 20)

    def write(self, settings):
        self.file.write_text(BASE.format(port=self.stage.upstream.port, level=self.level) + settings)

    async def reload(self, settings):
        self.write(settings)
        self.process.child.send_signal(signal.SIGHUP)
        await self.says(r"settings reloaded")

    async def ask(self, method, path, body=b"", kind="application/json"):
        """A request to the admin interface: the status, and the JSON."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await get(self.admin, path, f"Content-Type: {kind}", method=method, body=body, host=f"127.0.0.1:{self.admin}")
        try:
            return answer.status, json.loads(answer.body)
        except ValueError:
            return answer.status, answer.body

    async def sessions(self):
        """How many sessions it has."""
        status, found = await self.ask("GET", "/sessions")
        assert status == 200, found
        return found["total"]

    def lines(self):
        """What the log has said until now."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    async def metric(self, name, **labels):
        """The sum of a metric, over all of its lines with these labels."""
        _, text = await self.ask("GET", "/metrics")
        lines = re.findall(rf"^{name}(?:{{(.*)}})? ([0-9.e+]+)$", text.decode(), re.MULTILINE)
        return sum(float(value) for found, value in lines if all(f'{label}="{wanted}"' in found for label, wanted in labels.items()))

    async def outcomes(self, route):
        """How many handshakes of a route had which outcome."""
        _, text = await self.ask("GET", "/metrics")
        lines = re.findall(r"^wsgate_handshakes_total{(.*)} (\d+)", text.decode(), re.MULTILINE)
        return {re.search('outcome="(.*?)"', labels)[1]: int(count) for labels, count in lines if f'route="{route}"' in labels}

    async def end(self):
        await asyncio.to_thread(self.process.end)
        assert '"reason":"panic"' not in self.log.read_text(), f"{self.name} has panicked: {self.log}"
