"""Drives Chromium by its DevTools protocol, over two pipes, with nothing but the standard library."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

# Seconds until anything that is waited for has to be there.
PATIENCE = 20

FLAGS = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    # All windows are used at the same time, though only one can be in front.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--hide-scrollbars",
]


class Browser:
    """A Chromium of its own, with a profile of its own, for a `with` block."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        commands, self.commands = os.pipe()
        self.events, events = os.pipe()
        flags = [*FLAGS, f"--user-data-dir={self.profile}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        self.process = subprocess.Popen(
            # Chromium reads commands from descriptor 3 and writes events to 4.
            ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{events}', "chromium", program, *flags],
            pass_fds=(commands, events),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands)
        os.close(events)
        self.buffer = bytearray()
        self.number = 0
        self.answers = {}
        self.windows = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.command("Browser.close")
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def command(self, method, session=None, **params):
        """Gives a command, and waits for its result."""
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.commands, data) :]
        deadline = time.monotonic() + PATIENCE
        while number not in self.answers:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"Chromium does not answer {method}")
            self.receive(left)
        answer = self.answers.pop(number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def receive(self, seconds):
        """Takes what comes in this time."""
        ready, _, _ = select.select([self.events], [], [], seconds)
        if not ready:
            return
        data = os.read(self.events, 1 << 20)
        if not data:
            raise AssertionError("Chromium has ended")
        self.buffer += data
        *messages, self.buffer = self.buffer.split(b"\0")
        for message in messages:
            message = json.loads(message)
            if "id" in message:
                self.answers[message["id"]] = message
            elif message.get("sessionId") in self.windows:
                self.windows[message["sessionId"]].event(message["method"], message["params"])

    def open(self, url, width=1280, height=800):
        """Opens a window, and collects its complaints from its first byte on."""
        target = self.command("Target.createTarget", url="about:blank", newWindow=True)
        attached = self.command("Target.attachToTarget", flatten=True, **target)
        window = Window(self, attached["sessionId"])
        self.windows[window.session] = window
        for domain in ("Page", "Runtime", "Log", "Audits", "Accessibility", "DOM"):
            window.command(f"{domain}.enable")
        window.size(width, height)
        # Otherwise only one of them would have the focus.
        window.command("Emulation.setFocusEmulationEnabled", enabled=True)
        window.command("Page.navigate", url=url)
        window.wait(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")
        return window


class Window:
    """A page, as somebody uses it who can also look inside."""

    def __init__(self, browser, session):
        self.browser = browser
        self.session = session
        self.complaints = []

    def command(self, method, **params):
        return self.browser.command(method, self.session, **params)

    def event(self, method, params):
        """Keeps what a developer would see in the console, and what the browser thinks of the page."""
        if method == "Runtime.consoleAPICalled":
            said = [arg.get("value", arg.get("description")) for arg in params["args"]]
            self.complaints.append(f"console.{params['type']}: {said}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(f"exception: {params['exceptionDetails']}")
        elif method == "Log.entryAdded":
            entry = params["entry"]
            self.complaints.append(f"{entry['source']} {entry['level']}: {entry['text']}")
        elif method == "Audits.issueAdded":
            self.complaints.append(f"issue: {json.dumps(params['issue'])}")

    def take_complaints(self):
        """The complaints since the last call."""
        # What belongs to the commands before is there when this one has been answered.
        self.evaluate("0")
        taken, self.complaints = self.complaints, []
        return taken

    def evaluate(self, expression):
        """The value of an expression of JavaScript, also of one that waits."""
        params = {"returnByValue": True, "awaitPromise": True, "userGesture": True}
        result = self.command("Runtime.evaluate", expression=expression, **params)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression, patience=PATIENCE):
        """Waits until an expression is true, and gives its value."""
        deadline = time.monotonic() + patience
        while not (value := self.evaluate(expression)):
            if time.monotonic() > deadline:
                page = self.evaluate("document.body?.innerText ?? ''")
                raise AssertionError(f"never true: {expression}\n{page[-2000:]}\n{self.complaints}")
            self.browser.receive(0.02)
        return value

    def text(self, selector):
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")

    def size(self, width, height):
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def prefer(self, **features):
        """What the user has told the system: `color_scheme="dark"`."""
        features = [
            {"name": f"prefers-{name.replace('_', '-')}", "value": value}
            for name, value in features.items()
        ]
        self.command("Emulation.setEmulatedMedia", features=features)

    def press(self, key, shift=False):
        code = {"Tab": 9, "Enter": 13, "Space": 32}[key]
        text = {"Tab": "", "Enter": "\r", "Space": " "}[key]
        event = {
            "key": " " if key == "Space" else key,
            "code": key,
            "windowsVirtualKeyCode": code,
            "modifiers": 8 if shift else 0,
        }
        down = "keyDown" if text else "rawKeyDown"
        self.command("Input.dispatchKeyEvent", type=down, text=text, **event)
        self.command("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text):
        """Types into what has the focus."""
        self.command("Input.insertText", text=text)

    def picture(self, path, whole=False):
        # Two frames later, all that was changed is on the screen.
        frame = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
        self.evaluate(frame)
        shot = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))


def check(holds, what):
    if not holds:
        raise AssertionError(what)


def same(actual, expected, what="differs"):
    check(actual == expected, f"{what}: {actual!r} instead of {expected!r}")


def quiet(*windows):
    """Nothing in the console, no exception, no violation of the policy, no issue."""
    for window in windows:
        same(window.take_complaints(), [], "complaints")
