"""A Tornado application: an echo with Tornado's own check of the origin, and a form with its XSRF cookie."""

import asyncio

import tornado.httpserver
import tornado.web
import tornado.websocket

from kit import listening_socket


class Echo(tornado.websocket.WebSocketHandler):
    def select_subprotocol(self, offered):
        return offered[-1] if offered else None

    def get_compression_options(self):
        return {}

    async def on_message(self, message):
        if message == "close":
            self.close(4002, "as you wish")
        else:
            await self.write_message(message, binary=isinstance(message, bytes))


class Form(tornado.web.RequestHandler):
    def get(self):
        self.write(self.xsrf_form_html())

    def post(self):
        self.write(f"hello {self.get_argument('name')}")


class Slow(tornado.web.RequestHandler):
    async def get(self):
        await asyncio.sleep(float(self.get_argument("seconds")))
        self.write("done")


async def main():
    application = tornado.web.Application([("/ws", Echo), ("/form", Form), ("/slow", Slow)], xsrf_cookies=True)
    tornado.httpserver.HTTPServer(application).add_socket(listening_socket())
    await asyncio.Event().wait()


asyncio.run(main())
