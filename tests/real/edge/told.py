"""A server that answers with what its requests were told in headers: by a body, or in the first message of a session, which then echoes."""

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
                self.wfile.write(frame(said))
                while message := heard(self.rfile):
                    self.wfile.write(frame(message))
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


def frame(text, mask=b""):
    """A message of less than 126 bytes; that of a client has a mask, which changes nothing here."""
    return bytes([0x81, len(text) | (0x80 if mask else 0)]) + mask + text.encode()


def heard(file):
    """The next message; empty at the end."""
    first = file.read(2)
    if len(first) < 2 or first[0] != 0x81:
        return ""
    mask = exactly(file, 4 if first[1] & 0x80 else 0)
    message = exactly(file, first[1] & 0x7F)
    return bytes(byte ^ mask[place % 4] if mask else byte for place, byte in enumerate(message)).decode()


def echo(connection, text):
    """What a session answers to a message."""
    connection.sendall(frame(text, b"\0\0\0\0"))
    with connection.makefile("rb") as file:
        return heard(file)


def read(connection):
    """What the server says; `refused` if it is a status of a refusal."""
    with connection.makefile("rb") as file:
        line = file.readline().decode()
        if not line:
            raise EOFError
        status, headers = line.split(" ")[1], head(file)
        if status == "101":
            return heard(file)
        body = exactly(file, int(headers.get("content-length", 0)))
        return body.decode() if status == "200" else "refused"


def exactly(file, length):
    found = file.read(length)
    if len(found) < length:
        raise EOFError
    return found
