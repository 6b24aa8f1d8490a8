"""A server of HTTP/1.0: a body ends with its connection."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn

from kit import listening_socket


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b"0123456789" * 1000)

    def do_POST(self):
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(size).encode())

    def log_message(self, *_):
        pass


class Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True


listener = listening_socket()
server = Server(listener.getsockname(), Page, bind_and_activate=False)
listener.setblocking(True)
server.socket = listener
server.serve_forever()
