"""The Python library aiohttp as a client: see `common.py`."""

import asyncio

import aiohttp
from common import Cannot, Client, Connection, arguments, client_tls, expect


class AiohttpConnection(Connection):
    def __init__(self, session, websocket):
        self.session = session
        self.websocket = websocket
        self.subprotocol = websocket.protocol
        self.extensions = websocket._response.headers.get("Sec-WebSocket-Extensions", "")

    async def send(self, message):
        if isinstance(message, str):
            await self.websocket.send_str(message)
        else:
            await self.websocket.send_bytes(message)

    async def receive(self):
        message = await self.websocket.receive()
        texts = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)
        return message.data if message.type in texts else message

    async def fragments(self, pieces):
        raise Cannot("aiohttp sends whole messages only")

    async def ping(self, payload):
        await self.websocket.ping(payload)
        message = await self.websocket.receive()
        expect(message.type is aiohttp.WSMsgType.PONG, f"{message}, not a pong")
        expect(message.data == payload, f"{message.data} is not {payload}")

    async def close(self, code, reason):
        await self.websocket.close(code=code, message=reason.encode())
        await self.session.close()
        return self.websocket.close_code

    async def closed(self):
        message = await self.websocket.receive()
        await self.session.close()
        return message.data, message.extra


class AiohttpClient(Client):
    async def connect(self, path="/", subprotocols=(), compression=True):
        # Pings are answered by this end all the same: see `pings_answered`.
        session = aiohttp.ClientSession()
        websocket = await session.ws_connect(
            self.uri + path,
            protocols=subprotocols,
            compress=15 if compression else 0,
            max_msg_size=0,
            autoping=path != "/",
            ssl=client_tls(self.options) or True,
        )
        return AiohttpConnection(session, websocket)


asyncio.run(AiohttpClient(arguments()).run())
