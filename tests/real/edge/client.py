"""`openssl s_client` as a client: what a listener shows, and whether it lets in."""

import re
import subprocess


class Seen:
    """What a connection was like."""

    def __init__(self, text):
        self.text = text
        self.let_in = "HTTP/1.1 " in text
        self.status = self._find(r"HTTP/1\.1 (\d+)")
        self.subject = self._find(r"subject=CN = ([^\n]+)")
        self.version = self._find(r"^New, (TLSv[\d.]+)|^Reused, (TLSv[\d.]+)")
        self.is_resumed = "\nReused, " in text
        self.protocol = self._find(r"ALPN protocol: (\S+)")
        self.verified = "Verify return code: 0 (ok)" in text
        self.early = self._find(r"(Early data was [^\n]+)")
        length = self._find(r"[Cc]ontent-[Ll]ength: (\d+)")
        self.body = text.split("\r\n\r\n", 1)[1][: int(length)] if length else ""

    def _find(self, pattern):
        found = re.search(pattern, self.text, re.MULTILINE)
        return next((group for group in found.groups() if group), None) if found else None


def s_client(port, *arguments, ca=None, name="a.test", host=None, path="/who"):
    """Connects, and sends one request."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", *map(str, arguments)]
    command += ["-servername", name] if name else ["-noservername"]
    command += ["-CAfile", str(ca)] if ca else []
    request = f"GET {path} HTTP/1.1\r\nHost: {host or name or 'a.test'}\r\nX-Client: CN=mallory\r\nConnection: close\r\n\r\n"
    done = subprocess.run(command, input=request.encode(), capture_output=True, timeout=30)
    return Seen((done.stdout + done.stderr).decode(errors="replace"))
