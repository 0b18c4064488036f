"""Compressed messages (RFC 7692), exchanged with the library websockets under all parameters, in both
directions: its client with `echo`, and `client` with its server.

Each line of the output is a check, as `common.py` tells. websockets inflates with zlib and the very window
that was agreed on, so that it refuses a message that refers back further.
"""

import base64
import json
import random
import subprocess
import sys
import threading

from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.sync.client import connect
from websockets.sync.server import serve

TIMEOUT = 60

SIZES = [0, 1, 5, 125, 126, 127, 128, 129, 300, 1000, 4096, 8191, 8192, 8193, 20_000]
LARGE_SIZES = [32_768, 65_535, 65_536, 100_000, 200 * 1024, 1 << 20]

BITS = range(9, 16)
DEFAULT = {}
PARAMETERS = [
    DEFAULT,
    {"server_no_context_takeover": True},
    {"client_no_context_takeover": True},
    {"server_no_context_takeover": True, "client_no_context_takeover": True},
    *({"server_max_window_bits": bits} for bits in BITS),
    *({"client_max_window_bits": bits} for bits in BITS),
    *({"server_max_window_bits": bits, "client_max_window_bits": 24 - bits} for bits in BITS),
    {"server_no_context_takeover": True, "server_max_window_bits": 10},
    *({"compress_settings": {"level": level}} for level in (0, 1, 9)),
    {"compress_settings": {"memLevel": 1}, "client_max_window_bits": 9},
]


def content(random, size):
    """A text of this many bytes without line ends: repetitive, JSON, or random characters."""
    kind = random.choice(["repetitive", "json", "random"])
    if kind == "repetitive":
        text = "tide is high, " * (size // 14 + 1)
    elif kind == "json":
        entries, length = [], 0
        while length < size:
            boat = {"id": random.randrange(1000), "name": random.choice(["Ida", "Ruth", "Käthe"])}
            entries.append(json.dumps(boat))
            length += len(entries[-1])
        text = ",".join(entries) + " " * size
    else:
        text = "".join(random.choices("abcdefghijklmnopqrstuvwxyzäöü€😀0123456789", k=size))
    # A character less where one would be cut.
    return text.encode()[:size].decode(errors="ignore")


def messages(seed):
    """Text and binary messages of all sizes, some of them again: the same for the same seed."""
    rng = random.Random(seed)
    result = []
    for size in SIZES * 2 + LARGE_SIZES:
        if rng.random() < 0.5:
            result.append(content(rng, size))
        elif rng.random() < 0.5:
            result.append(content(rng, size).encode())
        else:
            result.append(rng.randbytes(size))
    rng.shuffle(result)
    # What was random before can be compressed now, if there is context takeover.
    return result + [message for message in result if len(message) < 5000]


def fragments(rng, message):
    """The message, or pieces of it, which may be empty."""
    if rng.random() < 0.4:
        return message
    cuts = sorted(rng.randrange(len(message) + 1) for _ in range(rng.randrange(1, 6)))
    return [message[start:end] for start, end in zip([0, *cuts], [*cuts, len(message)])]


class Counter:
    """Counts the compressed messages that a connection receives."""

    def __init__(self, connection):
        self.compressed = 0
        extensions = connection.protocol.extensions
        self.extension = next((e for e in extensions if isinstance(e, PerMessageDeflate)), None)
        if self.extension:
            self.decode = self.extension.decode
            self.extension.decode = self.count

    def count(self, frame, **keywords):
        self.compressed += frame.rsv1
        return self.decode(frame, **keywords)

    def describe(self):
        e = self.extension
        if e is None:
            return "no compression"
        return (
            f"from python: window {e.local_max_window_bits}"
            f"{'' if e.local_no_context_takeover else ' takeover'}, "
            f"to python: window {e.remote_max_window_bits}"
            f"{'' if e.remote_no_context_takeover else ' takeover'}"
        )


def fail(complaint):
    print(f"failed {complaint}", flush=True)
    sys.exit(1)


def check(condition, complaint):
    if not condition:
        fail(complaint)


def check_same(name, number, message, answer):
    if type(answer) is not type(message) or answer != message:
        # Not the messages themselves, which may be long.
        kinds = [type(message).__name__, type(answer).__name__]
        lengths = [len(message), len(answer)]
        fail(f"{name}: message {number} differs: {kinds}, lengths {lengths}")


def report(name, sent, counter):
    size = sum(len(message) for message in sent)
    print(
        f"ok {name}: {counter.describe()}; {len(sent)} messages of {size} bytes, "
        f"{counter.compressed} came compressed: all the same",
        flush=True,
    )


def name_of(parameters):
    return " ".join(f"{name}={value}" for name, value in parameters.items()) or "default"


def python_client(uri, name, extensions, seed):
    """Sends messages to our echo server, one by one and several at once, with pings between."""
    rng = random.Random(seed)
    options = {"compression": None, "extensions": extensions, "max_size": None}
    with connect(uri, open_timeout=TIMEOUT, **options) as connection:
        counter = Counter(connection)
        sent = messages(seed)
        for number, message in enumerate(sent):
            connection.send(fragments(rng, message))
            if number % 7 == 0:
                check(connection.ping().wait(TIMEOUT), f"{name}: no pong")
            check_same(name, number, message, connection.recv(timeout=TIMEOUT))
        small = [message for message in sent if len(message) < 1000]
        for message in small:
            connection.send(fragments(rng, message))
        for number, message in enumerate(small):
            check_same(name, number, message, connection.recv(timeout=TIMEOUT))
        report(f"echo, {name}", sent + small, counter)
    check(connection.close_code == 1000, f"{name}: closed with {connection.close_code}")
    return counter


def check_echo(program):
    command = [program, "--listen", "127.0.0.1:0", "--deflate"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().removeprefix("listening on ").strip()
            uri = f"ws://{address}/"
            for seed, parameters in enumerate(PARAMETERS):
                name = name_of(parameters)
                factory = ClientPerMessageDeflateFactory(**parameters)
                counter = python_client(uri, name, [factory], seed)
                check(counter.extension is not None, f"{name}: not accepted")
                check(counter.compressed > 0, f"{name}: nothing was compressed")
                check_parameters(name, parameters, counter.extension, "local", "remote")
            # A window of 8 bits is too small to compress with.
            too_small = ClientPerMessageDeflateFactory(server_max_window_bits=8)
            for name, extensions in [
                ("server_max_window_bits=8", [too_small]),
                ("no offer", None),
            ]:
                counter = python_client(uri, name, extensions, 1000)
                check(counter.extension is None, f"{name}: accepted")
                check(counter.compressed == 0, f"{name}: something was compressed")
        finally:
            server.kill()


def check_parameters(name, parameters, extension, client, server):
    """What was demanded is agreed on. `client` and `server` are local or remote."""
    for end, of in [("client", client), ("server", server)]:
        bits = parameters.get(f"{end}_max_window_bits", 15)
        agreed = getattr(extension, f"{of}_max_window_bits")
        check(agreed <= bits, f"{name}: {end}_max_window_bits={agreed}")
        if parameters.get(f"{end}_no_context_takeover"):
            agreed = getattr(extension, f"{of}_no_context_takeover")
            check(agreed, f"{name}: {end} has context takeover")


def as_line(message):
    """A message as our client reads it from its stdin, and prints it."""
    if isinstance(message, bytes):
        return b"b64:" + base64.b64encode(message) + b"\n"
    return message.encode() + b"\n"


def python_server(program, name, extensions, seed):
    """Echoes what our client sends, in fragments of its own."""
    rng = random.Random(seed)
    counters = []

    def echo(connection):
        counters.append(Counter(connection))
        for message in connection:
            connection.send(fragments(rng, message))

    sent = messages(seed)
    options = {"compression": None, "extensions": extensions, "max_size": None}
    with serve(echo, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        command = [program, f"ws://127.0.0.1:{port}/", "--binary", "--deflate"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        client = subprocess.Popen(command, **pipes)
        # If it gets stuck, its end is the end of what it prints.
        guard = threading.Timer(TIMEOUT, client.kill)
        guard.start()
        try:
            writer = threading.Thread(target=write_lines, args=(client.stdin, sent))
            writer.start()
            for number, message in enumerate(sent):
                line, expected = client.stdout.readline(), as_line(message)
                check(
                    line == expected,
                    f"{name}: message {number} differs, lengths {len(expected)} {len(line)}",
                )
            writer.join()
            client.stdin.close()
            check(client.stdout.read() == b"", f"{name}: there is more")
            check(client.wait() == 0, f"{name}: the client exits with {client.returncode}")
        finally:
            guard.cancel()
            client.kill()
            server.shutdown()
            thread.join()
    report(f"client, {name}", sent, counters[0])
    return counters[0]


def write_lines(stdin, messages):
    try:
        for message in messages:
            stdin.write(as_line(message))
        stdin.flush()
    except BrokenPipeError:
        pass  # The reader finds out.


def check_client(program):
    for seed, parameters in enumerate(PARAMETERS):
        name = name_of(parameters)
        counter = python_server(program, name, [ServerPerMessageDeflateFactory(**parameters)], seed)
        check(counter.extension is not None, f"{name}: not agreed on")
        check(counter.compressed > 0, f"{name}: nothing was compressed")
        check_parameters(name, parameters, counter.extension, "remote", "local")
    counter = python_server(program, "no compression", None, 1000)
    check(counter.extension is None, "no compression: there is some")


def main():
    echo, client = sys.argv[1:]
    check_echo(echo)
    check_client(client)
    print("done")


if __name__ == "__main__":
    main()
