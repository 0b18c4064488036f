"""The Python library websockets as a server: see `common.py`."""

import asyncio

from common import arguments, obey, server_tls
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

TOLD = {"closed": ""}


def fragments(message):
    third = len(message) // 3
    return [message[:third], message[third : 2 * third], message[2 * third :]]


async def handle(websocket):
    path = websocket.request.path
    extensions = websocket.response.headers.get("Sec-WebSocket-Extensions", "")
    agreed = f"subprotocol {websocket.subprotocol}, extensions {extensions}"
    try:
        async for message in websocket:
            if path == "/fragments":
                await (await websocket.ping(b"before"))
                await websocket.send(fragments(message))
            elif path == "/commands" and isinstance(message, str):
                name, argument = obey(message, {**TOLD, "agreed": agreed})
                if name == "close":
                    await websocket.close(*argument)
                elif name == "ping":
                    await (await websocket.ping(argument))
                    await websocket.send("pong " + argument.decode())
                else:
                    await websocket.send(argument)
            else:
                await websocket.send(message)
    except ConnectionClosed:
        pass
    received = websocket.protocol.close_rcvd
    if received:
        TOLD["closed"] = f"{received.code} {received.reason}"


async def main():
    options = arguments(server=True)
    extensions = None
    if options.compression != "off":
        without = options.compression == "no-takeover"
        factory = ServerPerMessageDeflateFactory(
            server_no_context_takeover=without, client_no_context_takeover=without
        )
        extensions = [factory]
    settings = {"compression": None, "extensions": extensions, "max_size": None}
    subprotocols = {"subprotocols": ["chat.v2"], "select_subprotocol": select}
    tls = server_tls(options)
    async with serve(handle, "127.0.0.1", 0, ssl=tls, **subprotocols, **settings) as server:
        host, port = server.sockets[0].getsockname()
        print(f"listening on {host}:{port}", flush=True)
        await server.serve_forever()


def select(_, offered):
    return "chat.v2" if "chat.v2" in offered else None


asyncio.run(main())
