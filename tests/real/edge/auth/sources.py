"""Tokens of every kind, in each place where a credential may stand; and none of them is seen again."""

import asyncio
import collections
import time

from ..gate import Gate
from ..wire import get, shake

ISSUER = """
[issuer.id]
issuer = "https://id.example.com/"
jwks = "{jwks}"
algorithms = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
audience = ["chat"]
"""

ROUTE = """
[[route]]
name = "{name}"
path = "/{name}/*"
upstream = "echo"
http = {{ mode = "forward", origin = "check" }}
[route.origin]
allow = ["https://page.test"]
[route.headers]
set = {{ x-user = "{{subject}}", x-roles = "{{claim.realm_access.roles}}" }}
[route.auth]
from = ["{source}"]
jwt = "id"
require = {{ "realm_access.roles" = ["chat", "nobody"] }}
"""

SOURCES = {
    "header": "header:authorization",
    "own": "header:x-api-token",
    "cookie": "cookie:session",
    "query": "query:access_token",
    "subprotocol": "subprotocol:bearer.",
}


def shown(source, token):
    """The query, and the fields of a request with this token."""
    origin = "Origin: https://page.test"
    return {
        "header": ("", [f"Authorization: Bearer {token}"]),
        "own": ("", [f"X-Api-Token: {token}"]),
        "cookie": ("", [origin, f"Cookie: theme=dark; session={token}; lang=en"]),
        "query": (f"?a=1&access_token={token}&b=2", [origin]),
        "subprotocol": ("", [origin, f"Sec-WebSocket-Protocol: bearer, bearer.{token}, chat"]),
    }[source]


def status_of(source, token, fault):
    # A subprotocol has fewer characters than a token might.
    if source == "subprotocol" and "=" in token:
        return 400
    return 401 if fault else 101


class Sources:
    def __init__(self, stage):
        self.stage, self.maker = stage, stage.maker
        self.tokens, self.answers = [], []

    def cases(self):
        self.maker.now = int(time.time())
        cases = self.maker.cases()
        # This machine may take a second for all of them.
        cases["not yet"] = (self.stage.signed(nbf=self.maker.now + 60), "token_not_yet")
        return cases

    async def all(self):
        settings = ISSUER.format(jwks=self.stage.jwks_file()) + "".join(ROUTE.format(name=name, source=source) for name, source in SOURCES.items())
        self.gate = await Gate.start(self.stage, "sources", settings, level="trace")
        for source in SOURCES:
            await self.every_token(source)
        await self.upstream_sees()
        await self.plain()
        await self.two()
        await self.only_the_token()
        self.nothing_leaks()
        await self.gate.end()

    async def every_token(self, source):
        before = len(self.stage.upstream.heads)
        cases, wrong, expected = self.cases(), [], collections.Counter()
        for name, (token, fault) in cases.items():
            query, fields = shown(source, token)
            answer = await shake(self.gate.port, f"/{source}/x{query}", *fields)
            self.tokens.append(token)
            self.answers.append(answer)
            status = status_of(source, token, fault)
            if answer.status != status:
                wrong.append((name, answer.status, status))
            # A header that is malformed is refused before there is a route.
            if status != 400:
                expected["accepted" if status == 101 else fault if token else "credential_missing"] += 1
        self.stage.expect(f"{len(cases)} tokens by {source}: those with another status than they should have", wrong, [])
        self.stage.expect(f"by {source}: the outcomes are counted as the faults are",
                          await self.gate.outcomes(source), dict(expected))
        self.stage.expect(f"by {source}: requests that came upstream",
                          len(self.stage.upstream.heads) - before, expected["accepted"])

    async def upstream_sees(self):
        """What is left of a request without its credential."""
        token = self.stage.signed()
        for source in SOURCES:
            query, fields = shown(source, token)
            answer = await shake(self.gate.port, f"/{source}/x{query}", *fields, "X-User: root", "X-Roles: root")
            last = self.stage.upstream.last
            head = self.stage.upstream.heads[-1]
            found = (answer.status, head.split(b" ")[1].decode(), last("cookie"), last("authorization"),
                     last("sec-websocket-protocol"), last("x-user"), last("x-roles"), head.lower().count(b"x-user:"))
            expected = (101, f"/{source}/x" + ("?a=1&b=2" if source == "query" else ""), "theme=dark; lang=en" if source == "cookie" else None,
                        None, "chat" if source == "subprotocol" else None, "alice", "chat,admin", 1)
            self.stage.expect(f"by {source}: what comes upstream", found, expected)
        self.stage.expect("by subprotocol: what is chosen", answer.field("sec-websocket-protocol"), "chat")
        refused = await shake(self.gate.port, "/header/x", "Authorization: Bearer " + self.stage.signed(realm_access={"roles": ["reader"]}))
        self.stage.expect("a token without the role", refused.status, 403)
        foreign = await shake(self.gate.port, "/cookie/x", "Origin: https://evil.test", f"Cookie: session={token}")
        self.stage.expect("a cookie with a page of another origin", foreign.status, 403)

    async def plain(self):
        """Plain requests need the credential too, and lose it."""
        token = self.stage.signed()
        for source in SOURCES:
            if source == "subprotocol":
                continue
            query, fields = shown(source, token)
            without = await get(self.gate.port, f"/{source}/x", "Origin: https://page.test")
            answer = await get(self.gate.port, f"/{source}/x{query}", *fields)
            self.answers += [without, answer]
            self.stage.expect(f"a plain request, by {source}: without, with, the subject upstream",
                              (without.status, answer.status, self.stage.upstream.last("x-user")), (401, 200, "alice"))

    async def two(self):
        first, second = self.stage.signed(), self.stage.signed(sub="bob")
        self.tokens += [first, second]
        for source, path, fields in [
            ("query", f"?access_token={first}&access_token={second}", []),
            ("query", f"?access_token={first}&%61ccess_token={second}", []),
            ("header", "", [f"Authorization: Bearer {first}", f"Authorization: Bearer {second}"]),
            ("cookie", "", ["Origin: https://page.test", f"Cookie: session={first}; session={second}"]),
            ("cookie", "", ["Origin: https://page.test", f"Cookie: session={first}", f"Cookie: session={second}"]),
            ("subprotocol", "", [f"Sec-WebSocket-Protocol: bearer.{first}, bearer.{second}"]),
        ]:
            answer = await shake(self.gate.port, f"/{source}/x{path}", *fields)
            self.answers.append(answer)
            self.stage.expect(f"two tokens by {source}", answer.status, 400)
        same = await shake(self.gate.port, f"/query/x?access_token={first}&access_token={first}")
        self.stage.expect("the same token twice", same.status, 101)

    async def only_the_token(self):
        """The one case in which a token is seen again: by the client that has sent it."""
        token = self.stage.signed(sub="carol")
        answer = await shake(self.gate.port, "/subprotocol/x", f"Sec-WebSocket-Protocol: bearer.{token}")
        found = (answer.status, answer.field("sec-websocket-protocol") == f"bearer.{token}",
                 self.stage.upstream.last("sec-websocket-protocol"))
        self.stage.expect("an offer of the token's subprotocol alone: it is chosen, and not sent upstream", found, (101, True, None))
        self.tokens.append(token)
        marked = await shake(self.gate.port, "/subprotocol/x", f"Sec-WebSocket-Protocol: bearer, bearer.{token}")
        self.answers.append(marked)
        self.stage.expect("with `bearer` beside it, that is chosen", (marked.status, marked.field("sec-websocket-protocol")), (101, "bearer"))

    def nothing_leaks(self):
        parts = {part.encode() for token in self.tokens for part in token.split(".") if len(part) >= 16}
        assert len(parts) > 100, len(parts)
        places = {
            "the log at level trace": [self.gate.log.read_bytes()],
            "what came upstream": self.stage.upstream.heads,
            "the answers": [answer.head + answer.body for answer in self.answers],
        }
        for place, texts in places.items():
            whole = b"\n".join(texts)
            found = sorted(part.decode() for part in parts if part in whole)
            self.stage.expect(f"parts of {len(self.tokens)} tokens in {place} ({len(whole)} bytes)", found, [])
