"""The recipes of publishing: the settings, the application and the requests out of each page, with a client for its page."""

import asyncio
import json
import re
import secrets
import socket
import sys
import urllib.parse

import aiohttp
from harness import HERE, Process, recipe_settings
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

PAGES = HERE.parent.parent / "docs" / "recipes"

# What the pages call their ports: of the gate, of the publish listener and of the application.
PORTS = [8080, 9901, 9001]


class Recipes:
    def __init__(self, stage):
        self.stage = stage

    async def all(self):
        for play in [self.chat_room, self.notifications, self.live_state]:
            async with Site(self.stage, play.__name__.replace("_", "-")) as site:
                await play(site)

    async def chat_room(self, site):
        expect, names = self.stage.expect, ["lobby", "ü", "@me", "a/b", "b.c=d", "two:parts+more~", "100% of it"]
        self.stage.expect("chat-room: its page", "new WebSocket(" in (await site.get("/"))[1], True)
        for name in names:
            # As encodeURIComponent does it.
            path = "/rooms/" + urllib.parse.quote(name, safe="-_.!~*'()")
            if "/" in name:
                expect(f"chat-room: the room {name!r}", await site.refused(path), 400)
                continue
            async with site.open(path) as first, site.open(path) as second:
                await first.send("hello")
                await second.send("hear, hear")
                found = sorted([await site.next(first), await site.next(first)]), sorted([await site.next(second), await site.next(second)])
                expect(f"chat-room: what both get in the room {name!r}", found, (["hear, hear", "hello"], ) * 2)
                async with site.open(path) as third:
                    expect("chat-room: and a third", sorted([await site.next(third), await site.next(third)]), found[0])
        async with site.open("/rooms/lobby") as session:
            for _ in range(2):
                await site.next(session)
            found = await site.curl(0)
            expect("chat-room: the request of the page", (found, await site.next(session)), ({"reached": 1, "gates": 0, "repeated": False}, "The server restarts at 12:00."))
            status, answer = await site.get("/channels", publish=True)
            expect("chat-room: the list of channels", (status, "room.=C3=BC" in answer), (200, True))
        async with site.open("/rooms/lobby") as session:
            for number in range(30):
                await session.send(f"number {number}")
            while await site.next(session) != "number 29":
                pass
        async with site.open("/rooms/lobby") as session:
            found = [await site.next(session) for _ in range(20)]
            expect("chat-room: the last 20 messages", found, [f"number {number}" for number in range(10, 30)])
            await session.send("x" * 5000)
            expect("chat-room: a message of 5,000 bytes", await site.ended(session), 1009)
        status, _ = await site.get("/channels/halls.1", publish=True)
        expect("chat-room: a channel that the token does not take", status, 403)

    async def notifications(self, site):
        expect = self.stage.expect
        expect("notifications: its page", (await site.get("/"))[0], 200)
        expect("notifications: without a cookie", await site.refused("/notifications", origin=site.base), 401)
        cookies = {user: await self.log_in(site, user) for user in ["alice", "bob", "auth0|alice"]}
        expect("notifications: the cookie, and a client without an Origin", await site.refused("/notifications", cookie=cookies["alice"]), 403)
        expect("notifications: the cookie, and another site's page",
               await site.refused("/notifications", cookie=cookies["alice"], origin="https://evil.example"), 403)
        users = ["alice", "alice", "bob", "auth0|alice"]
        opened = [await site.open("/notifications", origin=site.base, cookie=cookies[user]) for user in users]
        found = await site.curl(0)
        expect("notifications: the request of the page: the answer", found, {"reached": 2, "gates": 0, "repeated": False})
        expect("notifications: what comes", [await site.next(session) for session in opened[:2]], ['{"order":7,"state":"paid"}'] * 2)
        expect("notifications: the same again", (await site.curl(0))["repeated"], True)
        answer = await site.post("/subjects/auth0%7Calice", "to the other")
        expect("notifications: a subject with other characters", (answer["reached"], await site.next(opened[3])), (1, "to the other"))
        expect("notifications: nothing more, and nothing for bob", await asyncio.gather(*map(site.is_silent, opened)), [True] * 4)
        for session in opened:
            await session.close()

    async def log_in(self, site, user):
        async with site.http.post(f"{site.base}/login", data={"user": user}, allow_redirects=False) as answer:
            assert answer.status == 303, answer.status
            return answer.headers["Set-Cookie"].split(";")[0]

    async def live_state(self, site):
        expect = self.stage.expect
        expect("live-state: its page", (await site.get("/"))[0], 200)
        expect("live-state: a match that the application does not know", await site.refused("/matches/8"), 404)
        async with site.open("/matches/7") as session:
            first = json.loads(await site.next(session))
            changed = json.loads(await site.next(session))
            expect("live-state: the first state, and the next", sum(changed.values()) - sum(first.values()), 1)
            async with site.open("/matches/7") as late:
                expect("live-state: what a page gets that opens then, at once", json.loads(await site.next(late, 2)), changed)
                found = await site.curl(0)
                states = [await site.next(late), await site.next(session)]
                expect("live-state: the correction: reached, and delivered", (found["reached"], states), (2, ['{"home":2,"away":1}'] * 2))
        expect("live-state: the end of a match", await site.curl(1), {"forgotten": 1})


class Site:
    """What a page has, in a folder of its own, on ports that are free."""

    def __init__(self, stage, name):
        self.stage, self.name, self.started = stage, name, []
        page = PAGES / f"{name}.md"
        self.ports = dict(zip(PORTS, free_ports(len(PORTS))))
        self.settings, self.application, self.page = [self.moved(recipe_settings(page, kind)) for kind in ["toml", "python", "html"]]
        self.program = re.search(r"^python3 (\w+\.py)", page.read_text(), re.MULTILINE)[1]
        self.requests = [self.moved(text) for text in re.findall(r"^(curl (?:.*\\\n)*.*)$", page.read_text(), re.MULTILINE)]
        self.variables = {name: secrets.token_hex(32) for name in re.findall(r"\$\{(\w+)\}", self.settings)}
        self.base = f"http://127.0.0.1:{self.ports[8080]}"

    def moved(self, text):
        """A text of the page with the ports of this run."""
        return re.sub(rf"\b({'|'.join(map(str, PORTS))})\b", lambda found: str(self.ports[int(found[0])]), text)

    async def __aenter__(self):
        folder = self.stage.scratch / self.name
        folder.mkdir(exist_ok=True)
        for file, text in [("wsgate.toml", self.settings), (self.program, self.application), ("index.html", self.page)]:
            (folder / file).write_text(text)
        await self.start("application", [sys.executable, "-u", self.program], folder, r"Running on")
        await self.start("wsgate", [self.stage.program, "run", "wsgate.toml"], folder, r"publish interface listening")
        self.http = aiohttp.ClientSession()
        return self

    async def start(self, name, command, folder, pattern):
        # Both find their files in the folder.
        command = ["env", "-C", str(folder), *command]
        process = Process(f"{name} of {self.name}", command, folder / f"{name}.log", self.variables)
        self.started.append(process)
        self.stage.started.append(process)
        await asyncio.to_thread(process.wait_for, pattern, 20)

    async def __aexit__(self, *_):
        await self.http.close()
        for process in self.started:
            await asyncio.to_thread(process.end)

    def open(self, path, origin=None, cookie=None):
        """A session, as a page opens it."""
        fields = {"Cookie": cookie} if cookie else {}
        return connect(f"ws://127.0.0.1:{self.ports[8080]}{path}", origin=origin, additional_headers=fields, proxy=None, compression=None)

    async def refused(self, path, **options):
        """The status of a handshake that is refused."""
        try:
            async with self.open(path, **options):
                return 101
        except InvalidStatus as error:
            return error.response.status_code

    async def next(self, session, seconds=20):
        return await asyncio.wait_for(session.recv(), seconds)

    async def is_silent(self, session):
        """Whether nothing comes before the answer to a ping, which is sent behind all that was published."""
        await asyncio.wait_for(await session.ping(), 20)
        try:
            await asyncio.wait_for(session.recv(), 0)
        except TimeoutError:
            return True
        return False

    async def ended(self, session):
        """The code that a session ends with."""
        try:
            while True:
                await self.next(session)
        except ConnectionClosed as closed:
            return closed.rcvd.code

    async def get(self, path, publish=False):
        url = f"http://127.0.0.1:{self.ports[9901]}" if publish else self.base
        async with self.http.get(url + path, headers=self.token) as answer:
            return answer.status, await answer.text()

    async def post(self, path, text):
        async with self.http.post(f"http://127.0.0.1:{self.ports[9901]}{path}", data=text, headers=self.token) as answer:
            assert answer.status == 200, (answer.status, await answer.text())
            return await answer.json()

    @property
    def token(self):
        return {"Authorization": f"Bearer {next(value for name, value in self.variables.items() if name.endswith('_TOKEN'))}"}

    async def curl(self, number):
        """The answer to a request of the page, as a shell makes it."""
        command = f"set -e\n{self.requests[number]}"
        process = await asyncio.create_subprocess_exec("sh", "-c", command, stdout=asyncio.subprocess.PIPE, env={"PATH": "/usr/bin:/bin", **self.variables})
        out, _ = await asyncio.wait_for(process.communicate(), 20)
        return json.loads(out)


def free_ports(count):
    """So many of them at once, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
