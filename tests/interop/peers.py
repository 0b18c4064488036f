"""Our servers with other clients, and our clients with other servers, over TCP alone."""

import base64

from harness import (
    EXAMPLES,
    HERE,
    PYTHON,
    Cannot,
    client,
    driver,
    exchange,
    expect,
    server,
)

PROGRAMS = {
    "websockets": [PYTHON, HERE / "peers" / "websockets_{}.py"],
    "aiohttp": [PYTHON, HERE / "peers" / "aiohttp_{}.py"],
    "ws": ["node", HERE / "peers" / "ws_{}.mjs"],
    "jdk": ["java", "-Xshare:auto", "-Dfile.encoding=UTF-8", HERE / "peers" / "Client.java"],
}

# Our servers, what they compress, and whether they obey commands.
SERVERS = {
    "driver": (["interop_driver", "serve", "--protocol", "chat.v2"], "off", True),
    "driver --takeover": (
        ["interop_driver", "serve", "--protocol", "chat.v2", "--takeover"],
        "takeover",
        True,
    ),
    "echo_tokio": (
        ["echo_tokio", "--listen", "127.0.0.1:0", "--protocol", "chat.v2", "--deflate"],
        "no-takeover",
        False,
    ),
    "echo": (
        ["echo", "--listen", "127.0.0.1:0", "--protocol", "chat.v2", "--deflate"],
        "no-takeover",
        False,
    ),
}

SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]
LARGE = 16 << 20
CLOSES = [(1000, "done"), (1001, "going away"), (3000, ""), (4999, "Grüße 😀")]
LINE = "Käthe's tide table: 😀 𝄞 €; "


def program(peer, role):
    """How the peer is started as a client or as a server."""
    return [str(part).format(role) for part in PROGRAMS[peer]]


def text_of(size):
    return LINE * (size // len(LINE)) + "." * (size % len(LINE))


def binary_of(size):
    """A binary message as a line of our client's stdin and stdout."""
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    return "b64:" + base64.b64encode(data).decode()


def clients(report, peer):
    """The peer as a client of our servers."""
    for name, (command, compression, commands) in SERVERS.items():
        command = [EXAMPLES / command[0], *command[1:]]
        with server(command, f"{peer} with {name}") as address:
            options = ["--compression", compression, *(["--commands"] if commands else [])]
            peer_client(report, peer, f"ws://{address}", f"client of {name}", options)


def peer_client(report, peer, uri, title, options=()):
    report.client(title, [*program(peer, "client"), uri, *options])


def servers(report, peer):
    """The peer as a server of our clients."""
    for compression in ["off", "no-takeover", "takeover"]:
        command = [*program(peer, "server"), "--compression", compression]
        with server(command, f"{peer} server {compression}") as address:
            our_clients(report, peer, f"ws://{address}", compression)


def our_clients(report, peer, uri, compression, options=()):
    """`client` with a server that obeys commands."""
    title = f"server, compression {compression}"
    with report.check(f"{title}: messages"):
        lines = [text_of(size) for size in SIZES] + [binary_of(size) for size in SIZES]
        exchange(uri, lines, lines, "--deflate", *options)
    with report.check(f"{title}: many"):
        lines = [text_of(number % 300) for number in range(5000)]
        exchange(uri, lines, lines, "--deflate", *options)
    with report.check(f"{title}: large"):
        lines = [text_of(LARGE // 40), binary_of(LARGE)]
        exchange(uri, lines, lines, "--deflate", *options)
    with report.check(f"{title}: no offer"):
        lines = ["agreed", text_of(1000)]
        agreed = ["subprotocol None, extensions ", text_of(1000)]
        exchange(f"{uri}/commands", lines, agreed, *options)
    with report.check(f"{title}: subprotocol and compression"):
        offered = ["--protocol", "other", "--protocol", "chat.v2"]
        offered += ["--deflate", *options]
        ended = client(f"{uri}/commands", ["agreed"], *offered, answers=1)
        agreed = ended.out
        expect(agreed.startswith("subprotocol chat.v2, extensions "), ended)
        expect(("permessage-deflate" in agreed) == (compression != "off"), ended)
    with report.check(f"{title}: pings answered"):
        payloads = ["", "framewire", "p" * 125]
        commands = [f"ping {payload}" for payload in payloads]
        wanted = [f"pong {payload}" for payload in payloads]
        exchange(f"{uri}/commands", commands, wanted, *options)
    with report.check(f"{title}: fragments received"):
        if peer == "aiohttp":
            raise Cannot("aiohttp sends whole messages only")
        lines = [text_of(size) for size in SIZES] + [binary_of(LARGE)]
        exchange(f"{uri}/fragments", lines, lines, "--deflate", *options)
    for code, reason in CLOSES:
        with report.check(f"{title}: closed by the server with {code}"):
            command = f"close {code} {reason}"
            ended = client(f"{uri}/commands", [command], *options, answers=None)
            closed_with(ended, code, reason)


def closed_with(ended, code, reason):
    """Our client tells the reason, and the code where it is no normal end."""
    told = [f"client: closed: {reason}"] if reason else []
    if code not in (1000, 1001):
        told.append(f"client: the server closed with {code}")
    expect(ended.status == (1 if code >= 3000 else 0), ended)
    expect(ended.error.splitlines() == told, ended)


def our_driver(report, peer):
    """Our adapter for tokio as the client, doing what `client` has no options for."""
    for compression in ["off", "no-takeover", "takeover"]:
        command = [*program(peer, "server"), "--compression", compression]
        title = f"server, compression {compression}"
        with server(command, f"{peer} server {compression} driver") as address:
            uri = f"ws://{address}"
            for option in ["--deflate", "--takeover"]:
                with report.check(f"{title}: fragments sent {option}"):
                    driver("fragments", uri, option)
            with report.check(f"{title}: pings"):
                driver("ping", uri)
            for code, reason in CLOSES:
                with report.check(f"{title}: closed by us with {code}"):
                    driver("close", uri, code, reason)
                    exchange(f"{uri}/commands", ["closed"], [f"{code} {reason}"])


def run(report, peer):
    clients(report, peer)
    if peer != "jdk":
        servers(report, peer)
        our_driver(report, peer)
