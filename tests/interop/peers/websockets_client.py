"""The Python library websockets as a client: see `common.py`."""

import asyncio

from common import Client, Connection, arguments, client_tls
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


class WebsocketsConnection(Connection):
    def __init__(self, websocket):
        self.websocket = websocket
        self.subprotocol = websocket.subprotocol
        self.extensions = websocket.response.headers.get("Sec-WebSocket-Extensions", "")
        self.send = websocket.send
        self.receive = websocket.recv
        self.fragments = websocket.send

    async def ping(self, payload):
        await (await self.websocket.ping(payload))

    async def close(self, code, reason):
        await self.websocket.close(code, reason)
        return self.websocket.protocol.close_rcvd.code

    async def closed(self):
        try:
            await self.websocket.recv()
        except ConnectionClosed as error:
            return error.rcvd.code, error.rcvd.reason


class WebsocketsClient(Client):
    async def connect(self, path="/", subprotocols=(), compression=True):
        websocket = await connect(
            self.uri + path,
            subprotocols=subprotocols or None,
            compression="deflate" if compression else None,
            max_size=None,
            proxy=None,
            ssl=client_tls(self.options),
        )
        return WebsocketsConnection(websocket)


asyncio.run(WebsocketsClient(arguments()).run())
