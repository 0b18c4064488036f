"""What all groups share: checks with a time limit, programs that are started and ended, and the report.

Everything that is written lies in `target/interop`, and everything that is started is killed at the end.
"""

import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = ROOT / "target" / "interop"
LOGS = OUT / "logs"
EXAMPLES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "examples"
PYTHON = OUT / "python" / "bin" / "python"
NODE_MODULES = OUT / "node" / "node_modules"

# Seconds. `client` gives up after 8.
LIMIT = 60
START = 20
MOMENT = 3


class Skip(Exception):
    """The group can't run here; the text tells why."""


class Cannot(Exception):
    """The peer has no way to do this."""


class Late(BaseException):
    """A check has not ended in time. Nothing that catches errors swallows it."""


def _late(*_):
    raise Late


def _terminated(*_):
    sys.exit("interop: terminated")


signal.signal(signal.SIGALRM, _late)
signal.signal(signal.SIGTERM, _terminated)


class Report:
    """What came of the checks. Each is told when it has ended, in one line."""

    def __init__(self):
        self.passed = 0
        self.cannot = []
        self.failed = []
        self.skipped = []
        self.group = ""

    def ok(self, name):
        self.passed += 1
        print(f"ok {self.group}: {name}", flush=True)

    def fail(self, name, why):
        self.failed.append(f"{self.group}: {name}")
        print(f"FAILED {self.group}: {name}: {why}", flush=True)

    def unable(self, name, why):
        self.cannot.append(f"{self.group}: {name}")
        print(f"n/a {self.group}: {name}: {why}", flush=True)

    def skip(self, what, why):
        self.skipped.append(what)
        print(f"SKIPPED: {what}: {why}", flush=True)

    @contextmanager
    def check(self, name, limit=LIMIT):
        """One check: it fails if the block raises, or is not done within `limit` seconds."""
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            yield
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Skip:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise
        except Cannot as error:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.unable(name, error)
        except Late:
            self.fail(name, f"not done after {limit} s")
        except Exception as error:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.fail(name, f"{type(error).__name__}: {error}")
        else:
            self.ok(name)

    def client(self, title, command, limit=LIMIT + 30):
        """Runs a peer as a client, whose lines are checks: see `peers/common.py`."""
        with Program(command, title) as program:
            while True:
                line = program.line(limit)
                if line is None:
                    self.fail(title, f"it ended, or was silent for {limit} s; {program.log}")
                    return
                verdict, _, rest = line.partition(" ")
                name, _, why = rest.partition(": ")
                name = f"{title}, {name}"
                if verdict == "done":
                    return
                if verdict == "ok":
                    self.ok(f"{title}, {rest}")
                elif verdict == "cannot":
                    self.unable(name, why)
                else:
                    self.fail(name, why or line)


class Program:
    """A program in a process group of its own, which is killed at the end of the block."""

    def __init__(self, command, name, **options):
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = LOGS / (re.sub(r"\W+", "-", name).strip("-") + ".log")
        environment = {**os.environ, "NODE_MODULES": str(NODE_MODULES), "PYTHONUTF8": "1"}
        # A proxy that the machine has for itself is none of ours.
        environment = {k: v for k, v in environment.items() if not k.lower().endswith("_proxy")}
        environment["NO_PROXY"] = environment["no_proxy"] = "*"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
                **options,
            )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.decode(errors="replace").rstrip("\n"))
        self.lines.put(None)

    def line(self, limit=START):
        """The next line of its output; None at its end, or if there is none in time."""
        try:
            return self.lines.get(timeout=limit)
        except queue.Empty:
            return None

    def listening(self):
        """The address that it listens on, from its first line."""
        line = self.line() or ""
        match = re.fullmatch(r"listening on (\S+:\d+)( with TLS)?", line)
        if not match:
            raise RuntimeError(f"it does not say where it listens: {line!r}; {self.log}")
        return match[1]

    def end(self):
        """Asks it to end, so that it can tidy up, and waits a moment."""
        self.process.terminate()
        try:
            self.process.wait(MOMENT)
        except subprocess.TimeoutExpired:
            pass  # It is killed next.

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


@contextmanager
def server(command, name):
    """A server that tells its address in its first line."""
    with Program(command, name) as program:
        yield program.listening()


@contextmanager
def daemon(name, command_on):
    """A server that has to be told its port: `command_on(port)` writes its configuration.

    Somebody else may have taken the port until it is used: then there is another one.
    """
    for _ in range(5):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with Program(command_on(port), name) as program:
            if wait_for(program, port):
                try:
                    yield port
                finally:
                    program.end()
                return
    raise RuntimeError(f"{name} does not start: {program.log}")


def wait_for(program, port):
    """Whether the program accepts connections on its port, within START seconds."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and program.process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return program.process.poll() is None
        except OSError:
            time.sleep(0.02)
    return False


class Ended:
    """How a program has ended, and what it printed."""

    def __init__(self, status, out, error):
        self.status = status
        self.out = out.decode(errors="replace")
        self.error = error.decode(errors="replace").strip()

    def __repr__(self):
        return f"status {self.status}, stdout {self.out[:200]!r}, stderr {self.error[:300]!r}"


def run(command, lines=(), answers=0, limit=LIMIT):
    """Runs a program to its end. Its stdin ends when it has printed as many lines as it gets answers.

    After a Close frame a server may drop what it has not answered yet.
    """
    errors = tempfile.TemporaryFile(dir=LOGS)
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,
    )
    writer = threading.Thread(target=_write, args=(process.stdin, lines), daemon=True)
    guard = threading.Timer(limit, process.kill)
    guard.start()
    try:
        writer.start()
        out = b"".join(iter(process.stdout.readline, b"")) if answers is None else b""
        for _ in range(answers or 0):
            out += process.stdout.readline()
        writer.join()
        _write(process.stdin, None)
        out += process.stdout.read()
        process.wait()
    finally:
        guard.cancel()
        process.kill()
        process.wait()
    with errors:
        errors.seek(0)
        return Ended(process.returncode, out, errors.read())


def _write(stdin, lines):
    """Writes the lines; None ends them."""
    try:
        if lines is None:
            stdin.close()
        else:
            stdin.write("".join(f"{line}\n" for line in lines).encode())
            stdin.flush()
    except BrokenPipeError:
        pass  # It has ended before: its status tells why.


def client(uri, lines=(), *options, answers=0, limit=LIMIT):
    """Runs our client, with these lines as its stdin, until there are so many answers, or its end."""
    return run([EXAMPLES / "client", uri, "--binary", *options], lines, answers, limit)


def exchange(uri, lines, wanted, *options):
    """Our client sends these lines, prints those, and ends well."""
    expect_lines(client(uri, lines, *options, answers=len(wanted)), wanted)


def driver(*arguments):
    """Runs our driver as a client, which has to succeed."""
    ended = run([EXAMPLES / "interop_driver", *arguments])
    expect(ended.status == 0, ended)


def expect(condition, complaint):
    if not condition:
        raise AssertionError(complaint)


def expect_lines(ended, lines):
    """The client has ended well and printed these lines, and nothing else."""
    expect(ended.status == 0, ended)
    printed = ended.out.split("\n")[:-1]
    for number, (line, wanted) in enumerate(zip(printed, lines)):
        # Not the lines themselves, which may be long.
        complaint = f"line {number} differs, lengths {len(line)} {len(wanted)}: {line[:80]!r}"
        expect(line == wanted, complaint)
    expect(len(printed) == len(lines), f"{len(printed)} lines, not {len(lines)}: {ended}")


def fresh(name):
    """An empty folder in `target/interop`."""
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
