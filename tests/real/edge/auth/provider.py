"""An identity provider that is not ours: npm's oauth2-mock-server."""

import asyncio
import shutil

from harness import HERE

from ..gate import Gate
from ..wire import shake

SETTINGS = """
[issuer.provider]
issuer = "{issuer}"
jwks = "{issuer}/jwks"
audience = ["chat"]
algorithms = ["RS256", "ES256"]
[[route]]
name = "header"
path = "/*"
upstream = "echo"
[route.headers]
set = {{ x-user = "{{subject}}" }}
[route.auth]
jwt = "provider"
"""


class Provider:
    def __init__(self, stage):
        self.stage = stage

    async def run(self, *command, **options):
        return await asyncio.create_subprocess_exec(*command, cwd=self.stage.scratch / "provider", **options)

    async def all(self):
        if not shutil.which("npm"):
            print("provider: left out, npm is not installed", flush=True)
            return
        shutil.copytree(HERE / "edge" / "auth", self.stage.scratch / "provider", dirs_exist_ok=True)
        npm = await self.run("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error",
                             stdout=asyncio.subprocess.DEVNULL)
        assert await npm.wait() == 0
        self.server = await self.run("node", "provider.mjs", "0", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        try:
            await self.tokens(await self.line())
        finally:
            self.server.stdin.close()
            await self.server.wait()

    async def line(self):
        return (await asyncio.wait_for(self.server.stdout.readline(), 30)).decode().strip()

    async def token(self, subject):
        self.server.stdin.write(f"{subject}\n".encode())
        return await self.line()

    async def tokens(self, issuer):
        gate = await Gate.start(self.stage, "provider", SETTINGS.format(issuer=issuer))

        async def found(token):
            answer = await shake(gate.port, "/", f"Authorization: Bearer {token}")
            return answer.status, self.stage.upstream.last("x-user") if answer.status == 101 else None

        first = await self.token("dora")
        self.stage.expect("a token of oauth2-mock-server", await found(first), (101, "dora"))
        self.stage.expect("with the signature of another", await found(first.rsplit(".", 1)[0] + "." + (await self.token("emil")).rsplit(".", 1)[1]),
                          (401, None))
        await gate.end()
        # Wrong signatures cause a fetch too; the next one is not made before 30 s are over.
        gate = await Gate.start(self.stage, "provider-again", SETTINGS.format(issuer=issuer))
        await found(first)
        self.server.stdin.write(b"+ES256\n")
        self.stage.expect("its new key, for ES256: the first token", await found(await self.token("emil")), (101, "emil"))
        await gate.end()
