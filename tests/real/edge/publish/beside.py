"""What is published beside what the upstream sends: neither ever stands inside the other."""

import asyncio
import base64
import random
import ssl

from .. import http2
from ..certificates import Authority
from .judge import Socket, Splitting, send_parts
from .site import Publisher, route, settings, start

TLS = """
[[listen]]
address = "127.0.0.2:0"
[listen.tls]
certificates = [{{ cert = "{cert}", key = "{key}" }}]
"""

CHANNELS = """
join = ["all"]
queue = "16MiB"
"""

# Of each kind of session, compressed and not.
SESSIONS = 4
# At least.
PUBLICATIONS = 300
# Around the steps of a frame's head, and some that need many reads.
SIZES = [0, 1, 2, 125, 126, 127, 1000, 4096, 65_535, 65_536, 70_000, 200_000]
LETTERS = "wsgate ünïcödé 語 🙂 "


class Beside:
    def __init__(self, stage):
        self.stage, self.random = stage, random.Random(stage.options.seed)
        self.published, self.is_over = [], False

    async def all(self):
        upstream = self.stage.upstream = await Splitting(self.random).start()
        authority = Authority(self.stage.scratch / "beside")
        cert, key = authority.issue("a", [http2.HOST])
        text = TLS.format(cert=cert, key=key) + settings() + route("all", "/*", CHANNELS)
        gate = await start(self.stage, "beside", text)
        secure = gate.ports[1]
        context = ssl.create_default_context(cafile=str(authority.cert))
        over_tls = {"ssl": context, "server_hostname": http2.HOST, "host": "127.0.0.2"}
        multiplexed = await http2.Connection.open(secure, authority.cert, "127.0.0.2")
        kinds = {
            "HTTP/1.1": lambda deflate: Socket.open(gate.port, "/", deflate),
            "HTTP/1.1 and TLS": lambda deflate: Socket.open(secure, "/", deflate, **over_tls),
            "HTTP/2 and TLS": lambda deflate: multiplexed.websocket("/", deflate=deflate),
        }
        opened = {(kind, deflate): [await open_one(deflate) for _ in range(SESSIONS)]
                  for kind, open_one in kinds.items() for deflate in [False, True]}
        publishing = asyncio.create_task(self.publish(gate))
        sessions = [session for group in opened.values() for session in group]
        echoes = await asyncio.gather(*map(self.echo, sessions))
        self.is_over = True
        await publishing
        published = len(self.published)
        for (kind, deflate), group in opened.items():
            found = [self.judged(session, echoes[sessions.index(session)]) for session in group]
            self.stage.expect(f"over {kind}, {'with' if deflate else 'without'} permessage-deflate: echoes and publications as they were sent",
                              {tuple(await one) for one in found}, {(True, True, None)})
        print(f"{len(sessions)} sessions, {sum(map(len, echoes))} echoes in {upstream.splits} pieces, {published} publications", flush=True)
        self.stage.expect("thousands of pieces, hundreds of publications", (upstream.splits > 3000, published >= PUBLICATIONS), (True, True))
        await gate.end()

    def message(self, sizes=SIZES):
        size = self.random.choice(sizes)
        if self.random.random() < 0.5:
            return (LETTERS * (size // len(LETTERS) + 1))[:size]
        return self.random.randbytes(size)

    async def echo(self, session):
        """Sends messages in parts, and waits for none of the answers."""
        sent = [b"e" + message if isinstance(message, bytes) else "e" + message for message in (self.message() for _ in range(self.stage.options.echoes))]
        for message in sent:
            await send_parts(session, message, self.random.choice([1, 1, 2, 5]))
            await asyncio.sleep(0)
        return sent

    async def publish(self, gate):
        """Publishes with one request, and with a batch, in turn."""
        publisher = Publisher(gate.publish)
        while not self.is_over or len(self.published) < PUBLICATIONS:
            message = self.publication()
            kind = "text/plain; charset=utf-8" if isinstance(message, str) else "application/octet-stream"
            await publisher.publish("all", message, kind)
            lines = []
            for _ in range(self.random.randrange(12)):
                message = self.publication()
                body = {"text": message} if isinstance(message, str) else {"base64": base64.b64encode(message).decode()}
                lines.append({"channel": "all", **body})
            answers = await publisher.batch(lines)
            assert all("reached" in answer for answer in answers), answers
        publisher.close()

    def publication(self):
        """The next one, with its number."""
        number, message = f"p{len(self.published):08}", self.message(SIZES[:8])
        self.published.append(number + message if isinstance(message, str) else number.encode() + message)
        return self.published[-1]

    async def judged(self, session, sent):
        """Whether it got all echoes, and all publications; and the error of the judge."""
        found = [await session.receive() for _ in range(len(sent) + len(self.published))]
        echoes = [message for message in found if message[:1] in ("e", b"e")]
        publications = [message for message in found if message[:1] in ("p", b"p")]
        return echoes == sent, publications == self.published, getattr(session, "error", None)
