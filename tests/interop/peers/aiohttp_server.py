"""The Python library aiohttp as a server: see `common.py`. It has no way to send fragments."""

import asyncio

from aiohttp import WSMsgType, web
from common import arguments, obey, server_tls

TOLD = {"closed": ""}
OPTIONS = arguments(server=True)


async def send(websocket, message):
    if isinstance(message, str):
        await websocket.send_str(message)
    else:
        await websocket.send_bytes(message)


async def handle(request):
    websocket = web.WebSocketResponse(
        compress=OPTIONS.compression != "off",
        protocols=["chat.v2"],
        max_msg_size=0,
        autoping=False,
        autoclose=False,
    )
    await websocket.prepare(request)
    extensions = websocket.headers.get("Sec-WebSocket-Extensions", "")
    agreed = f"subprotocol {websocket.ws_protocol}, extensions {extensions}"
    while not websocket.closed:
        message = await websocket.receive()
        if message.type is WSMsgType.TEXT and request.path == "/commands":
            name, argument = obey(message.data, {**TOLD, "agreed": agreed})
            if name == "close":
                code, reason = argument
                await websocket.close(code=code, message=reason.encode())
            elif name == "ping":
                await websocket.ping(argument)
            else:
                await websocket.send_str(argument)
        elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            await send(websocket, message.data)
        elif message.type is WSMsgType.PING:
            await websocket.pong(message.data)
        elif message.type is WSMsgType.PONG:
            await websocket.send_str("pong " + bytes(message.data).decode())
        elif message.type is WSMsgType.CLOSE:
            TOLD["closed"] = f"{message.data} {message.extra or ''}"
            await websocket.close(code=message.data)
    return websocket


async def main():
    application = web.Application()
    application.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls(OPTIONS))
    await site.start()
    host, port = runner.addresses[0]
    print(f"listening on {host}:{port}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
