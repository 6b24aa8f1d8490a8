"""How a session comes into a channel, what it gets there, and who sees it."""

import asyncio
import json

from .judge import Socket
from .site import Publisher, route, settings, start

AUTH = """
[route.auth]
from = ["query:ticket"]
tickets = { lifetime = "30s" }
"""

ROUTES = [
    route("rooms", "/rooms/{room}", 'join = ["room.{path.room}", "news"]'),
    route("users", "/users/*", 'join = ["user.{subject}"]', AUTH),
    route("named", "/named/*", "upstream_header = true"),
    route("unnamed", "/unnamed/*"),
    route("kept", "/kept/*", 'join = ["kept"]\nretain = 3'),
    route("last", "/last/*", 'join = ["kept"]\nretain = 1'),
]


class Channels:
    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        self.gate = await start(self.stage, "channels", settings() + "".join(ROUTES))
        self.publisher = Publisher(self.gate.publish)
        for part in [self.joins, self.kinds, self.excludes, self.repeats, self.retains, self.lists, self.batches, self.single, self.closes]:
            await part()
        await self.gate.end()

    async def open(self, path, *fields):
        """A session and its name."""
        session = await Socket.open(self.gate.port, path, fields=fields)
        return session, self.stage.upstream.last("x-session")

    async def gets(self, session, count=1):
        return [await session.receive() for _ in range(count)]

    async def silence(self, *sessions):
        """What has come to sessions that should have got nothing: all that was sent before an echo is there when it is."""
        found = []
        for session in sessions:
            await session.echoes("still here")
            while not session.messages.empty():
                found.append(session.messages.get_nowait())
        return found

    async def names(self):
        status, answer = await self.publisher.ask("GET", "/channels?limit=1000")
        assert status == 200, answer
        return [channel["name"] for channel in answer["channels"]]

    async def joins(self):
        room, name = await self.open("/rooms/7")
        answer = await self.publisher.publish("room.7", "by path")
        self.stage.expect("join by path: reached, and delivered", (answer, await self.gets(room)), ({"reached": 1, "gates": 0, "repeated": False}, ["by path"]))
        odd, _ = await self.open("/rooms/a.b;c:d")
        self.stage.expect("join by a path with other letters", "room.a=2Eb=3Bc:d" in await self.names(), True)
        await odd.end()
        await self.by_subject()
        await self.by_upstream()
        path = f"/channels/added.later/sessions/{name}"
        found = [await self.publisher.ask(method, path) for method in ["PUT", "PUT", "DELETE", "DELETE"]]
        self.stage.expect("PUT and DELETE of a membership, each twice", found, [
            (200, {"joined": True}), (200, {"joined": False}), (200, {"left": True}), (200, {"left": False})])
        await self.publisher.ask("PUT", path)
        await self.publisher.publish("added.later", "by the API")
        self.stage.expect("join by the API: delivered", await self.gets(room), ["by the API"])
        await self.publisher.ask("DELETE", path)
        answer = await self.publisher.publish("added.later", "nobody")
        self.stage.expect("after it has left: reached, and delivered", (answer["reached"], await self.silence(room)), (0, []))
        await room.end()
        await self.gone("room.7")

    async def by_subject(self):
        for number in range(2):
            status, ticket = await self.publisher.ask("POST", "/tickets", json.dumps({"route": "users", "subject": "al.ice"}), "application/json")
            self.stage.expect(f"a ticket of the publish listener, {number}", status, 201)
            session, _ = await self.open(f"/users/x?ticket={ticket['ticket']}")
            answer = await self.publisher.publish("user.al=2Eice", "to a user")
            self.stage.expect("join by subject: reached, and delivered", (answer["reached"], await self.gets(session)), (1, ["to a user"]))
            answer = await self.publisher.ask("POST", "/subjects/al.ice", "to the subject", "text/plain")
            self.stage.expect("POST /subjects/…: reached, and delivered", (answer[1]["reached"], await self.gets(session)), (1, ["to the subject"]))
            await session.end()
            await self.gone("user.al=2Eice")

    async def by_upstream(self):
        self.stage.upstream.fields = [b"Wsgate-Channels: up.one, up.two", b"wsgate-channels: up.three,, not allowed"]
        named, _ = await self.open("/named/x")
        for channel in ["up.one", "up.two", "up.three"]:
            await self.publisher.publish(channel, channel)
        self.stage.expect("join by the upstream's header: delivered", await self.gets(named, 3), ["up.one", "up.two", "up.three"])
        refused = await self.gate.metric("wsgate_channel_joins_refused_total", route="named")
        self.stage.expect("a wrong name in it is counted", refused >= 1, True)
        unnamed, _ = await self.open("/unnamed/x")
        self.stage.expect("the header in the answers to the clients", [session.answered.field("wsgate-channels") for session in [named, unnamed]], [None, None])
        answer = await self.publisher.publish("up.one", "again")
        self.stage.expect("with upstream_header = false: reached", (answer["reached"], await self.silence(unnamed)), (1, []))
        self.stage.upstream.fields = []
        # A client has no word in it, in any place.
        fields = ["Wsgate-Channels: mine", "Sec-WebSocket-Protocol: mine"]
        client, _ = await self.open("/named/x?channel=mine&join=mine", *fields)
        for message in ['{"type":"subscribe","channel":"mine"}', 'c:{"type":"subscribe","channel":"mine"}']:
            assert await client.echoes(message)
        answer = await self.publisher.publish("mine", "to nobody")
        self.stage.expect("a client that names a channel itself: reached", (answer["reached"], await self.silence(client)), (0, []))
        await asyncio.gather(named.end(), unnamed.end(), client.end())
        await self.gone("up.one")

    async def gone(self, channel):
        """The end of a session is the end of its membership."""
        for _ in range(100):
            if channel not in await self.names():
                break
            await asyncio.sleep(0.05)
        self.stage.expect(f"{channel} after the end of its last session", channel in await self.names(), False)

    async def kinds(self):
        session, _ = await self.open("/rooms/kinds")
        texts = [None, "text/plain", "text/html; charset=utf-8", "application/json", "application/problem+json", "application/xml", "application/x-www-form-urlencoded"]
        for kind in texts:
            await self.publisher.publish("room.kinds", "ü = 1", kind)
        self.stage.expect("content types that are text", await self.gets(session, len(texts)), ["ü = 1"] * len(texts))
        binaries = ["application/octet-stream", "image/png", "application/cbor"]
        for kind in binaries:
            await self.publisher.publish("room.kinds", bytes(range(256)), kind)
        found = [message == bytes(range(256)) for message in await self.gets(session, len(binaries))]
        self.stage.expect("content types that are binary: delivered as they are", found, [True] * len(binaries))
        await self.publisher.publish("room.kinds", "")
        await self.publisher.publish("room.kinds", b"", "application/octet-stream")
        self.stage.expect("empty publications", await self.gets(session, 2), ["", b""])
        big = "x" * (1 << 20)
        await self.publisher.publish("room.kinds", big)
        self.stage.expect("one of message_size, which is more than the queue", (await self.gets(session))[0] == big, True)
        await session.end()

    async def excludes(self):
        (first, name), (second, _) = [await self.open("/rooms/two") for _ in range(2)]
        answer = await self.publisher.publish("room.two", "to the other", exclude=name)
        found = answer["reached"], await self.gets(second), await self.silence(first)
        self.stage.expect("exclude: reached, the other, the excluded", found, (1, ["to the other"], []))
        answer = await self.publisher.publish("room.two", "to both", exclude="0123456789ab-77")
        self.stage.expect("exclude of a session of another gate", (answer["reached"], await self.gets(first), await self.gets(second)), (2, ["to both"], ["to both"]))
        await asyncio.gather(first.end(), second.end())

    async def repeats(self):
        session, _ = await self.open("/rooms/once")
        key = {"Idempotency_Key": "a-key-of-one-publication"}
        answers = [await self.publisher.publish("room.once", body, **key) for body in ["once", "once", "another body"]]
        self.stage.expect("an Idempotency-Key three times: repeated", [answer["repeated"] for answer in answers], [False, True, True])
        rooms = Publisher(self.gate.publish, "rooms")
        self.stage.expect("the same key of another token", (await rooms.publish("room.once", "mine", **key))["repeated"], False)
        self.stage.expect("the same key for another channel", (await self.publisher.publish("news", "of another", **key))["repeated"], False)
        self.stage.expect("delivered", await self.gets(session, 3) + await self.silence(session), ["once", "mine", "of another"])
        at_once = [Publisher(self.gate.publish) for _ in range(20)]
        answers = await asyncio.gather(*(one.publish("room.once", "at once", Idempotency_Key="twenty-at-once") for one in at_once))
        self.stage.expect("a key 20 times at once: not repeated, and delivered",
                          ([answer["repeated"] for answer in answers].count(False), await self.gets(session) + await self.silence(session)), (1, ["at once"]))
        await session.end()

    async def retains(self):
        for number in range(5):
            await self.publisher.publish("kept", f"state {number}")
        kept, _ = await self.open("/kept/x")
        last, _ = await self.open("/last/x")
        found = await self.gets(kept, 3) + await self.silence(kept), await self.gets(last) + await self.silence(last)
        self.stage.expect("retain = 3 and 1: what sessions get that join then", found, (["state 2", "state 3", "state 4"], ["state 4"]))
        await self.publisher.publish("kept", "state 5")
        self.stage.expect("and then what is published", (await self.gets(kept), await self.gets(last)), (["state 5"], ["state 5"]))
        status, _ = await self.publisher.ask("DELETE", "/channels/kept/retained")
        late, _ = await self.open("/kept/x")
        self.stage.expect("DELETE /channels/…/retained, and who joins then", (status, await self.silence(late)), (200, []))
        await asyncio.gather(kept.end(), last.end(), late.end())

    async def lists(self):
        opened = [await self.open("/rooms/many") for _ in range(5)]
        found, after = [], None
        while len(found) <= 5:
            query = f"limit=2&after={after}" if after else "limit=2"
            status, page = await self.publisher.ask("GET", f"/channels/room.many?{query}")
            assert status == 200 and page["sessions"] == 5, page
            found += [member["session"] for member in page["members"]]
            if not (after := page.get("next")):
                break
        self.stage.expect("presence, two at a time: each session once", sorted(found), sorted(name for _, name in opened))
        member = (await self.publisher.members("room.many"))[opened[0][1]]
        self.stage.expect("presence: the route", member["route"], "rooms")
        rooms = Publisher(self.gate.publish, "rooms")
        status, answer = await rooms.ask("GET", "/channels?prefix=room.m")
        self.stage.expect("GET /channels?prefix=…: names and counts", [(channel["name"], channel["sessions"]) for channel in answer["channels"]], [("room.many", 5)])
        status, answer = await rooms.ask("GET", "/channels")
        self.stage.expect("GET /channels of a token for rooms", {channel["name"].split(".")[0] for channel in answer["channels"]}, {"room"})
        status, answer = await self.gate.ask("GET", "/channels")
        self.stage.expect("GET /channels of the admin interface", (status, "news" in [channel["name"] for channel in answer["channels"]]), (200, True))
        await asyncio.gather(*(session.end() for session, _ in opened))
        await self.gone("room.many")

    async def batches(self):
        session, name = await self.open("/rooms/batch")
        other, _ = await self.open("/rooms/batch")
        lines = [
            {"channel": "room.batch", "text": "one"},
            {"channel": "room.batch", "json": {"b": [1, 2.50, None], "a": "ü"}},
            {"channel": "room.batch", "base64": "AAEC/w=="},
            {"session": name, "text": "to one"},
            {"channel": "room.batch", "text": "not to one", "exclude": name},
            {"channel": "room.batch", "text": "keyed", "idempotency_key": "of-a-line"},
            {"channel": "room.batch", "text": "keyed", "idempotency_key": "of-a-line"},
            "this is no JSON\n",
            {"channel": "room.batch", "text": "two", "base64": "AA=="},
            {"channel": "no such name!", "text": "x"},
            {"session": "0123456789ab-77", "text": "x"},
            {"channel": "room.batch", "text": "last"},
        ]
        answers = await self.publisher.batch(lines)
        self.stage.expect("a batch: reached", [answer.get("reached") for answer in answers], [2, 2, 2, 1, 1, 2, answers[6].get("reached"), None, None, None, None, 2])
        self.stage.expect("a batch: statuses of lines", [answer.get("status") for answer in answers], [None] * 7 + [400, 400, 400, 404, None])
        self.stage.expect("a batch: repeated", [answer.get("repeated") for answer in answers[5:7]], [False, True])
        found = await self.gets(session, 6)
        found[1] = json.loads(found[1])
        self.stage.expect("a batch: what the named session gets", found + await self.silence(session),
                          ["one", {"b": [1, 2.5, None], "a": "ü"}, b"\x00\x01\x02\xff", "to one", "keyed", "last"])
        found = await self.gets(other, 6)
        self.stage.expect("a batch: what the other gets", [found[0], found[2:]] + await self.silence(other), ["one", [b"\x00\x01\x02\xff", "not to one", "keyed", "last"]])
        rooms = Publisher(self.gate.publish, "rooms")
        answers = await rooms.batch([{"channel": "news", "text": "x"}, {"session": name, "text": "x"}, {"channel": "room.batch", "text": "rooms"}])
        self.stage.expect("a batch of a token for rooms", [answer.get("status") for answer in answers], [403, 403, None])
        await asyncio.gather(session.end(), other.end())

    async def single(self):
        session, name = await self.open("/rooms/single")
        other, _ = await self.open("/rooms/single")
        status, answer = await self.publisher.ask("POST", f"/sessions/{name}", b"\x00\x01", "application/octet-stream")
        found = status, answer["reached"], await self.gets(session), await self.silence(other)
        self.stage.expect("POST /sessions/…: reached, it, another", found, (200, 1, [b"\x00\x01"], []))
        await session.end()
        for _ in range(100):
            status, answer = await self.publisher.ask("POST", f"/sessions/{name}", "late")
            if status != 200:
                break
            await asyncio.sleep(0.05)
        self.stage.expect("the same after its end", status, 410)
        await other.end()

    async def closes(self):
        opened = [(await self.open("/rooms/closed"))[0] for _ in range(3)]
        beside, _ = await self.open("/rooms/open")
        status, answer = await self.publisher.ask("DELETE", "/channels/room.closed/sessions?code=4000&reason=over")
        await asyncio.gather(*(asyncio.wait_for(session.closed.wait(), 20) for session in opened))
        self.stage.expect("DELETE /channels/…/sessions: closed, and codes", (status, answer["closed"], {session.code for session in opened}), (200, 3, {4000}))
        self.stage.expect("a session of another channel", await self.silence(beside), [])
        opened = [(await self.open("/rooms/closed"))[0] for _ in range(2)]
        await self.publisher.ask("DELETE", "/channels/room.closed/sessions")
        await asyncio.gather(*(asyncio.wait_for(session.closed.wait(), 20) for session in opened))
        self.stage.expect("the code by default", {session.code for session in opened}, {1000})
        await beside.end()
