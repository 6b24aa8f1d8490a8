"""Credentials that a browser shows: a page and its sockets, through wsgate over TLS."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import threading
import time
import asyncio

from harness import Process

from .auth.wire import Upstream
from .certificates import Authority

SETTINGS = """
[[listen]]
address = "127.0.0.1:0"
[listen.tls]
certificates = [{{ cert = "{cert}", key = "{key}" }}]
[log]
level = "trace"
format = "json"
[issuer.app]
issuer = "app"
audience = ["chat"]
secret = "{secret}"
leeway = "0s"
[upstream.page]
servers = ["ws://127.0.0.1:{port}"]
[[route]]
name = "page"
path = "/"
upstream = "page"
http = "forward"
"""

ROUTE = """
[[route]]
name = "{name}"
path = "/ws/{name}"
upstream = "page"
auth = {{ from = ["{source}"], jwt = "app" }}
"""

SOURCES = {"cookie": "cookie:session", "query": "query:access_token", "subprotocol": "subprotocol:bearer.", "header": "header:authorization"}

SECRET = "a secret of thirty-two bytes ..."


def token(seconds):
    """A token that is right for so many seconds."""
    now = int(time.time())
    claims = {"iss": "app", "aud": "chat", "sub": "alice", "iat": now, "exp": now + seconds}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "HS256"}, claims)]
    text = b".".join(parts)
    signature = hmac.new(SECRET.encode(), text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def upstream():
    """A server on a thread of its own."""
    server, loop = Upstream(), asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return asyncio.run_coroutine_threadsafe(server.start(), loop).result(20)


def tries(scratch, program, kind, browser):
    """Rows of what one browser can show."""
    name = f"{kind}-credentials"
    cert, key = Authority(scratch / name).issue("page", ["localhost"])
    server, file = upstream(), scratch / f"{name}.toml"
    settings = SETTINGS.format(cert=cert, key=key, port=server.port, secret=SECRET)
    file.write_text(settings + "".join(ROUTE.format(name=name, source=source) for name, source in SOURCES.items()))
    gate = Process(name, [program, "run", str(file)], scratch / f"{name}.gate.log")
    try:
        port = gate.wait_for(r'"listening","address":"127\.0\.0\.1:(\d+)"', 20)[1]
        lasting = token(600)
        command = ["node", scratch / "edge" / "credentials.mjs", kind, browser, f"https://localhost:{port}/", f"https://127.0.0.1:{port}/",
                   lasting, token(10)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180)
        outcomes = json.loads(done.stdout or "{}")
        if not outcomes:
            raise RuntimeError(done.stderr[-500:])
        gate.end()
        return rows(kind, outcomes, lasting, server, (scratch / f"{name}.gate.log").read_text())
    except (RuntimeError, OSError, ValueError, subprocess.TimeoutExpired) as error:
        return [(f"{kind}, credentials", str(error), "to work")]
    finally:
        gate.end()


def rows(kind, outcomes, lasting, server, log):
    def open_with(protocol, code=1000):
        return {"opened": True, "protocol": protocol, "echoed": "hello", "code": code}

    refused = {"opened": False, "code": 1006}
    expected = {
        "nothing": refused, "cookie": open_with(""), "query": open_with(""), "marker": open_with("bearer"), "chat": open_with("chat"),
        "alone": open_with(f"bearer.{lasting}"), "markerAlone": refused, "brief": open_with("bearer", 4401),
        "header": {"thrown": "SyntaxError"}, "otherPage": refused, "otherPageWithToken": refused,
    }
    words = {
        "nothing": "no credential", "cookie": "a cookie", "query": "the query", "marker": "a subprotocol, with its marker",
        "chat": "a subprotocol, with its marker and `chat`", "alone": "a subprotocol alone", "markerAlone": "the marker alone",
        "brief": "a token that expires: the close code", "header": "a header, which no browser can set",
        "otherPage": "a page of another origin, with the cookie", "otherPageWithToken": "a page of another origin, with the token",
    }

    def shown(outcome):
        # The token itself need not be in the table.
        return json.dumps(outcome, sort_keys=True).replace(lasting, "TOKEN") if outcome else outcome

    found = [(f"{kind}: {words[name]}", shown(outcomes.get(name)), shown(outcome)) for name, outcome in expected.items()]
    reasons = re.findall(r'"handshake rejected","reason":"(\w+)"', log)
    found.append((f"{kind}: the reasons in the log", reasons, ["credential_missing", "credential_missing", "origin_denied", "origin_denied"]))
    parts = [part.encode() for part in lasting.split(".") if len(part) > 30]
    seen = any(part in head for head in server.heads for part in parts), any(part.decode() in log for part in parts)
    return [*found, (f"{kind}: the token, upstream and in the log", seen, (False, False))]
