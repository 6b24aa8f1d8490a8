"""A server that answers with what its requests were told in headers: by a body, or in the first message of a session."""

import base64
import hashlib
import socketserver
import threading

UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


class Handler(socketserver.StreamRequestHandler):
    timeout = 60

    def handle(self):
        try:
            self.answer()
        except (ConnectionError, TimeoutError):
            pass  # The client is gone.

    def answer(self):
        while line := self.rfile.readline().decode():
            headers = head(self.rfile)
            said = headers.get("x-seen", "not told")
            if line.split(" ")[1] == "/scheme":
                said += f", {headers.get('x-forwarded-proto', '-')}"
            if key := headers.get("sec-websocket-key"):
                accept = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
                self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                 + b"Sec-WebSocket-Accept: " + base64.b64encode(accept) + b"\r\n\r\n")
                self.wfile.write(bytes([0x81, len(said)]) + said.encode())
                self.rfile.read()
                return
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(said)}\r\n\r\n{said}".encode())


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


def head(file):
    """The headers of a message, by their names in lower case."""
    headers = {}
    while line := file.readline().decode().strip():
        name, value = line.split(":", 1)
        headers[name.lower()] = value.strip()
    return headers


def read(connection):
    """What the server says; `refused` if it is a status of a refusal."""
    with connection.makefile("rb") as file:
        line = file.readline().decode()
        if not line:
            raise EOFError
        status, headers = line.split(" ")[1], head(file)
        if status == "101":
            first, length = exactly(file, 2)
            return exactly(file, length).decode() if first == 0x81 else f"no message: {first:x}"
        body = exactly(file, int(headers.get("content-length", 0)))
        return body.decode() if status == "200" else "refused"


def exactly(file, length):
    found = file.read(length)
    if len(found) < length:
        raise EOFError
    return found
