"""Every refusal of the publish listener: its status, and a sentence that says what is wrong and repeats nothing."""

from .judge import Socket
from .site import TOKENS, Publisher, route, settings, start

MARK = "never-repeated"
GHOST = "0123456789ab-77"
BINARY = "application/octet-stream"
NDJSON = "application/x-ndjson"
JSON = "application/json"


class Refusals:
    def __init__(self, stage):
        self.stage, self.seen = stage, []

    async def all(self):
        text = settings(size="1KiB") + route("rooms", "/rooms/{room}", 'join = ["room.{path.room}"]')
        self.gate = await start(self.stage, "refusals", text, level="trace")
        ended = await Socket.open(self.gate.port, "/rooms/1")
        gone = self.stage.upstream.last("x-session")
        await ended.end()
        session = await Socket.open(self.gate.port, "/rooms/1")
        name = self.stage.upstream.last("x-session")
        await self.tokens()
        await self.rights(name)
        await self.names(name, gone)
        await self.bodies()
        await self.keys()
        await session.echoes("still here")
        self.stage.expect("what the session got of all that", session.messages.qsize(), 0)
        await session.end()
        await self.hidden()
        await self.gate.end()

    async def refused(self, status, word, method, path, body=b"", kind=None, token="all", **fields):
        publisher = Publisher(self.gate.publish, token)
        found, answer = await publisher.ask(method, path, body, kind, **fields)
        publisher.close()
        sentence = answer.get("error", "") if isinstance(answer, dict) else repr(answer)
        self.seen.append(sentence)
        shown = f"{method} {path[:60]}{'' if kind is None else ' ' + kind} by {str(token)[:12]}: “{sentence}”"
        self.stage.expect(shown, (found, word in sentence, MARK in sentence), (status, True, False))

    async def tokens(self):
        post = "POST", "/channels/room.1", MARK
        await self.refused(401, "token", *post, token=None)
        await self.refused(401, "token", *post, token=MARK)
        await self.refused(401, "token", *post, token=TOKENS["all"][0] + "x")
        await self.refused(401, "token", *post, token=None, Authorization=f"Basic {MARK}")
        await self.refused(401, "token", "GET", "/channels", token=None)
        await self.refused(401, "token", "GET", f"/{MARK}", token=None)
        status, _ = await Publisher(self.gate.publish, None).ask("GET", "/healthz")
        self.stage.expect("GET /healthz without a token", status, 200)

    async def rights(self, name):
        for method, path in [("POST", "/channels/news"), ("GET", "/channels/news"), ("PUT", f"/channels/news/sessions/{name}"),
                             ("DELETE", f"/channels/news/sessions/{name}"), ("DELETE", "/channels/news/sessions"), ("DELETE", "/channels/news/retained"),
                             ("POST", "/channels/room"), ("POST", "/channels/room.1.deeper"), ("POST", "/channels/rooms.1"), ("POST", "/channels/Room.1")]:
            await self.refused(403, "`rooms`", method, path, token="rooms")
        await self.refused(403, "direct", "POST", f"/sessions/{name}", MARK, token="rooms")
        await self.refused(403, "direct", "POST", f"/subjects/{MARK}", MARK, token="rooms")
        await self.refused(403, "direct", "PUT", f"/channels/room.1/sessions/{name}", token="rooms")
        await self.refused(403, "tickets", "POST", "/tickets", '{"route": "rooms", "subject": "a"}', JSON, token="rooms")
        tree = Publisher(self.gate.publish, "tree")
        allowed = [(await tree.ask("POST", f"/channels/{channel}", "x"))[0] for channel in ["tree.a", "tree.a.b.c", "news", "tree", "news.a"]]
        self.stage.expect("tree.** and news: tree.a, tree.a.b.c, news, tree, news.a", allowed, [200, 200, 200, 403, 403])

    async def names(self, name, gone):
        for channel in ["", ".", "a..b", ".a", "a.", "a%20b", "a%2Fb", "a*", "%C3%BC", "a" * 256]:
            status = 404 if channel == "" else 400
            await self.refused(status, "", "POST", f"/channels/{channel}", MARK)
        await self.refused(400, "percent", "POST", "/channels/%FF", MARK)
        for path in ["/sessions/1", f"/sessions/{MARK}", "/sessions/0123456789AB-1", "/sessions/0123456789ab-"]:
            await self.refused(400, "", "POST", path, MARK)
        await self.refused(404, "", "POST", f"/sessions/{GHOST}", MARK)
        await self.refused(404, "", "POST", f"/sessions/{name.split('-')[0]}-99999999", MARK)
        await self.refused(410, "", "POST", f"/sessions/{gone}", MARK)
        for method in ["PUT", "DELETE"]:
            await self.refused(404, "", method, f"/channels/room.1/sessions/{GHOST}")
            await self.refused(410, "", method, f"/channels/room.1/sessions/{gone}")
        await self.refused(404, "", "POST", f"/{MARK}", MARK)
        await self.refused(405, "", "PATCH", "/channels/room.1", MARK)

    async def bodies(self):
        await self.refused(413, "1024", "POST", "/channels/room.1", "x" * 1025)
        await self.refused(400, "UTF-8", "POST", "/channels/room.1", b"\xff\xfe", "text/plain")
        await self.refused(400, "UTF-8", "POST", "/channels/room.1", b"\xff\xfe")
        await self.refused(415, "Content-Type", "POST", "/channels/room.1", MARK, "nothing")
        await self.refused(415, "Content-Encoding", "POST", "/channels/room.1", b"\x1f\x8b", BINARY, Content_Encoding="gzip")
        await self.refused(415, "ndjson", "POST", "/publish", "{}", JSON)
        await self.refused(415, "ndjson", "POST", "/publish", "{}")
        publisher = Publisher(self.gate.publish)
        answers = await publisher.batch([{"channel": "room.1", "text": "x" * 1025}, {"channel": "room.1", "json": {MARK: 1}, "more": 1}])
        self.stage.expect("lines of a batch: too large, an unknown key", [answer["status"] for answer in answers], [413, 400])
        self.seen += [answer["error"] for answer in answers]
        answers = await publisher.batch([{"channel": "nobody", "text": "x"}] * 1001)
        self.stage.expect("a batch of 1,001 lines: published, and the last line", (sum("reached" in answer for answer in answers), answers[-1].get("status")), (1000, 413))
        status, answer = await publisher.ask("POST", "/publish", b"\n" * (4 << 20) + b"{}", NDJSON)
        self.stage.expect("a batch of more than 4 MiB", status, 413)
        for body in ["", "[]", "{", '{"route": "rooms"}', '{"route": "rooms", "subject": ""}', f'{{"{MARK}": 1}}']:
            await self.refused(400, "", "POST", "/tickets", body, JSON)

    async def keys(self):
        for key in ["", "a b", "ü", "k" * 256]:
            await self.refused(400, "Idempotency-Key", "POST", "/channels/room.1", MARK, Idempotency_Key=key)
        for query in [f"?{MARK}=1", f"?exclude={MARK}", "?exclude=", f"?exclude={GHOST}&exclude={GHOST}"]:
            await self.refused(400, "", "POST", f"/channels/room.1{query}", MARK)
        for query in ["?limit=0", "?limit=1001", "?limit=x", f"?after={MARK}!", f"?{MARK}=1"]:
            await self.refused(400, "", "GET", f"/channels{query}")
        for query in ["?code=1005", "?code=999", "?code=5000", f"?reason={'r' * 124}", f"?{MARK}=1"]:
            await self.refused(400, "", "DELETE", f"/channels/room.1/sessions{query}")

    async def hidden(self):
        """All of it was said at level trace."""
        sentences = [sentence for sentence in self.seen if len(sentence.split()) < 2]
        self.stage.expect("refusals without a sentence", sentences, [])
        log = self.gate.log.read_text()
        shown = [word for word in [MARK, *(token for token, *_ in TOKENS.values())] if word in log]
        self.stage.expect("tokens and messages in the log at level trace", shown, [])
        counted = await self.gate.metric("wsgate_publish_refusals_total")
        self.stage.expect("the refusals in the metrics", counted >= len(self.seen) - 2, True)
