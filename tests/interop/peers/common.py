"""What the Python peers share: the checks that each makes as a client of ours.

A client is started with a URI and options, prints a line for each check (`ok NAME`, `failed NAME: WHY`, or
`cannot NAME: WHY` for what the library has no way to do) and at the end `done`. A server prints
`listening on ADDRESS` and runs until it is killed. Both obey the commands of `driver.rs`.
"""

import argparse
import asyncio
import json
import ssl

TIMEOUT = 60
SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]
LARGE = 16 << 20
CLOSES = [(1000, "done"), (1001, "going away"), (3000, ""), (4999, "Grüße 😀")]


class Cannot(Exception):
    """The library has no way to do this."""


def arguments(server=False):
    parser = argparse.ArgumentParser()
    if server:
        parser.add_argument(
            "--compression", choices=["off", "no-takeover", "takeover"], default="off"
        )
        parser.add_argument("--cert")
        parser.add_argument("--key")
    else:
        parser.add_argument("uri")
        parser.add_argument("--ca")
        # What the server agrees to, if it is offered.
        parser.add_argument(
            "--compression", choices=["off", "no-takeover", "takeover"], default="off"
        )
        # Whether the server is the driver.
        parser.add_argument("--commands", action="store_true")
        # The checks to make; all of them if none is named.
        parser.add_argument("--only", action="append")
    return parser.parse_args()


def client_tls(options):
    return ssl.create_default_context(cafile=options.ca) if options.ca else None


def server_tls(options):
    if not options.cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key)
    return context


def text_of(size):
    """A text of this many bytes, with characters of one to four bytes."""
    line = "Käthe's tide table: 😀 𝄞 €; "
    text = (line * (size // 30 + 1)).encode()[:size].decode(errors="ignore")
    return text + "." * (size - len(text.encode()))


def data_of(size):
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def expect(condition, complaint):
    if not condition:
        raise AssertionError(complaint)


def expect_same(answer, message):
    """Without the messages themselves, which may be long."""
    if type(answer) is not type(message) or answer != message:
        kinds = f"{type(message).__name__} of {len(message)} became {type(answer).__name__}"
        length = f" of {len(answer)}" if isinstance(answer, (str, bytes)) else f" {answer!r:.100}"
        raise AssertionError(f"the message differs: {kinds}{length}")


def obey(text, told):
    """What a server does with a text at `/commands`: a name and what belongs to it."""
    name, _, argument = text.partition(" ")
    if name == "close":
        code, _, reason = argument.partition(" ")
        return "close", (int(code), reason)
    if name == "ping":
        return "ping", argument.encode()
    if name == "closed":
        return "send", told["closed"]
    if name == "agreed":
        return "send", told["agreed"]
    return "send", text


class Client:
    """The checks. A subclass knows how its library does each step."""

    def __init__(self, options):
        self.options = options
        self.uri = options.uri.rstrip("/")

    async def connect(self, path="/", subprotocols=(), compression=True):
        """A connection with `send`, `receive`, `fragments`, `ping`, `close`, `agreed`."""
        raise NotImplementedError

    async def texts(self):
        async with await self.connect() as connection:
            for size in SIZES:
                await connection.exchange(text_of(size))

    async def binaries(self):
        async with await self.connect() as connection:
            for size in SIZES:
                await connection.exchange(data_of(size))

    async def large(self):
        async with await self.connect() as connection:
            await connection.exchange(text_of(LARGE))
            await connection.exchange(data_of(LARGE))

    async def many(self):
        """Sent while answers come."""
        async with await self.connect() as connection:
            messages = [text_of(number % 300) for number in range(2000)]

            async def send():
                for message in messages:
                    await connection.send(message)

            sender = asyncio.create_task(send())
            for message in messages:
                expect_same(await connection.receive(), message)
            await sender

    async def fragments_sent(self):
        async with await self.connect() as connection:
            for message in [text_of(1000), data_of(1000), text_of(200_000), data_of(LARGE)]:
                cuts = [0, 0, 7, 7, 500, len(message)]
                pieces = [message[start:end] for start, end in zip(cuts, cuts[1:])]
                await connection.fragments(pieces)
                expect_same(await connection.receive(), message)

    async def fragments_received(self):
        async with await self.connect("/fragments") as connection:
            for size in SIZES + [LARGE]:
                await connection.exchange(text_of(size))
                await connection.exchange(data_of(size))

    async def pings(self):
        async with await self.connect() as connection:
            for payload in [b"", b"framewire", b"p" * 125]:
                await connection.ping(payload)
            await connection.exchange("and on")

    async def pings_answered(self):
        async with await self.connect("/commands") as connection:
            for payload in ["", "framewire", "p" * 125]:
                await connection.send(f"ping {payload}")
                expect_same(await connection.receive(), f"pong {payload}")

    async def closes(self):
        for code, reason in CLOSES:
            connection = await self.connect()
            answer = await connection.close(code, reason)
            expect(answer == code, f"{code} was answered by {answer}")

    async def closes_told(self):
        for code, reason in CLOSES:
            connection = await self.connect("/commands")
            await connection.close(code, reason)
            async with await self.connect("/commands") as other:
                await other.send("closed")
                expect_same(await other.receive(), f"{code} {reason}")

    async def closed_by_server(self):
        for code, reason in CLOSES:
            connection = await self.connect("/commands")
            await connection.send(f"close {code} {reason}")
            told = await connection.closed()
            expect(told == (code, reason), f"{code} {reason} became {told}")

    async def subprotocol(self):
        async with await self.connect(subprotocols=["other", "chat.v2"]) as connection:
            expect(connection.subprotocol == "chat.v2", f"it is {connection.subprotocol}")
        async with await self.connect(subprotocols=["other"]) as connection:
            expect(connection.subprotocol is None, f"it is {connection.subprotocol}")
            await connection.exchange("without")

    async def compression(self):
        async with await self.connect() as connection:
            agreed = connection.extensions
            wanted = self.options.compression
            expect(("permessage-deflate" in agreed) == (wanted != "off"), f"agreed: {agreed!r}")
            for end in ["client", "server"]:
                without = f"{end}_no_context_takeover" in agreed
                expect(without == (wanted == "no-takeover"), f"agreed: {agreed!r}")
            boats = [{"id": number % 7, "name": "Käthe", "tide": 0.25} for number in range(2000)]
            for size in [0, 1, 2, 10, 100, 2000] * 3:
                await connection.exchange(json.dumps(boats[:size]))
                await connection.exchange(json.dumps(boats[:size]).encode())

    async def no_offer(self):
        async with await self.connect(compression=False) as connection:
            agreed = connection.extensions
            expect(not agreed, f"agreed: {agreed!r}")
            await connection.exchange(text_of(10_000))

    def checks(self):
        names = ["texts", "binaries", "large", "many", "fragments_sent", "pings", "closes"]
        names += ["subprotocol", "compression", "no_offer"]
        if self.options.commands:
            names += ["fragments_received", "pings_answered", "closes_told", "closed_by_server"]
        return self.options.only or names

    async def run(self):
        for name in self.checks():
            title = name.replace("_", " ")
            try:
                await asyncio.wait_for(getattr(self, name)(), TIMEOUT)
                print(f"ok {title}", flush=True)
            except Cannot as error:
                print(f"cannot {title}: {error}", flush=True)
            except Exception as error:
                print(f"failed {title}: {type(error).__name__}: {error}", flush=True)
        print("done", flush=True)


class Connection:
    """What is the same for both libraries."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, traceback):
        if kind is None:
            code = await self.close(1000, "")
            expect(code == 1000, f"1000 was answered by {code}")
        else:
            await self.close(1011, "")

    async def exchange(self, message):
        await self.send(message)
        expect_same(await self.receive(), message)
