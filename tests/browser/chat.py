"""Uses the page of examples/chat in Chromium; see the script `run` beside it.

    chat.py CHROMIUM CHAT PICTURES
"""

import json
import os
import signal
import subprocess
import sys

from devtools import PATIENCE, Browser, check, quiet, same
from readable import can_be_read_by_all

MARKUP = "<img src=x onerror=\"document.title='injected'\"><script>document.title='injected'</script>"

LAST = "document.querySelector('#messages > li:last-child')"

# Connected, and told a name.
OPEN = """
document.querySelector("#state").dataset.state === "open"
    && document.querySelector("#name").textContent !== "–"
"""

# An element that has the focus, and whether that can be seen.
FOCUSED = """
(() => {
  const style = getComputedStyle(document.activeElement);
  return [document.activeElement.id || document.activeElement.textContent.trim(),
          style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
})()
"""


class Server:
    """The example, which can be killed and started again at the same address."""

    def __init__(self, program):
        self.program = program
        self.address = "127.0.0.1:0"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "--listen", self.address],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        words = self.process.stdout.readline().split()
        check(words[:2] == ["listening", "on"], f"the first line: {words}")
        self.address = words[2]
        self.url = f"http://{self.address}/"
        check(self.url in self.process.stdout.readline(), "the second line tells what to open")

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)


def messages(window):
    """All that is shown: who, about, what."""
    return window.evaluate("""
        [...document.querySelectorAll("#messages > li")].map(item => item.matches(".notice")
            ? ["", item.textContent]
            : [item.querySelector("strong").textContent, item.lastElementChild.textContent])
    """)


def wait_for(window, *message):
    """Waits until the newest message is this one."""
    window.wait(f"""(() => {{
        const item = document.querySelector("#messages > li:last-child");
        const shown = item && !item.matches(".notice")
            ? [item.querySelector("strong").textContent, item.lastElementChild.textContent]
            : ["", item?.textContent];
        return JSON.stringify(shown) === JSON.stringify({json.dumps(message)});
    }})()""")


def fill(window, selector, text):
    """Types into a field, and presses Enter."""
    window.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
    window.type(text)
    window.press("Enter")


def opens_and_tells_what_was_agreed(one, two, server):
    for window in (one, two):
        window.wait(OPEN)
        same(window.text("#state"), "Connected")
        same(window.text("#address"), f"ws://{server.address}/chat")
        same(window.text("#subprotocol"), "chat.v1")
        check(window.text("#compression").startswith("onpermessage-deflate"), "compression")
        window.wait("/^[0-9.]+ ms$/.test(document.querySelector('#rtt').textContent)")
        same(window.evaluate("document.activeElement.id"), "text", "the focus")
    same([one.text("#name"), two.text("#name")], ["guest-1", "guest-2"])
    wait_for(one, "", "guest-2 has joined")
    quiet(one, two)


def shows_text_as_text(one, two):
    fill(one, "#text", "Hello, κόσμε \U0001f30a")
    wait_for(one, "You", "Hello, κόσμε \U0001f30a")
    wait_for(two, "guest-1", "Hello, κόσμε \U0001f30a")
    fill(two, "#text", MARKUP)
    wait_for(one, "guest-2", MARKUP)
    wait_for(two, "You", MARKUP)
    for window in (one, two):
        same(window.evaluate("document.querySelectorAll('img, #messages script').length"), 0)
        same(window.evaluate("document.title"), "framewire chat")
    fill(one, "#text", "and a long one: " + "tide is high, " * 500)
    two.wait(f"{LAST}.textContent.includes('bytes, the beginning')")
    fill(one, "#text", "x" * 65_537)
    one.wait("document.querySelector('#problem').textContent.includes('65,537 bytes')")
    one.evaluate("document.querySelector('#text').value = ''")
    quiet(one, two)


def sends_bytes_there_and_back(one, two, folder):
    fill(one, "#hex", "00 ff A5, 0x0a")
    wait_for(one, "You", "00 ff a5 0a")
    wait_for(two, "guest-1", "00 ff a5 0a")
    check("binary, 4 bytes" in two.text("#messages > li:last-child"), "the size")
    fill(one, "#hex", "0f f")
    one.wait("document.querySelector('#hex').getAttribute('aria-invalid') === 'true'")
    check(one.text("#problem").startswith("Two hexadecimal digits"), "the problem")
    one.evaluate("document.querySelector('#hex').value = ''")
    cases = ((0, "empty"), (1000, " ".join(["c3"] * 32) + " …"), (65_536, None), (65_537, False))
    for size, shown in cases:
        path = os.path.join(folder, f"{size}.bin")
        with open(path, "wb") as file:
            file.write(b"\xc3" * size if shown else os.urandom(size))
        node = two.command("DOM.getDocument")["root"]["nodeId"]
        node = two.command("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
        two.command("DOM.setFileInputFiles", nodeId=node, files=[path])
        two.evaluate("document.querySelector('#upload button').click()")
        if shown is False:
            two.wait("document.querySelector('#problem').textContent.includes('65,537 bytes')")
        else:
            about = f"binary, {size:,} bytes"
            one.wait(f"{LAST}.textContent.includes('{about}')")
            check(shown in (None, messages(one)[-1][1]), "the preview")
        os.remove(path)
    quiet(one, two)


def is_used_by_keyboard_alone(window):
    # The first one on the page.
    window.evaluate("document.querySelector('#toggle').focus()")
    expected = ["scroll", "text", "Send", "hex", "Send bytes", "file", "Send file"]
    seen = []
    for _ in expected:
        window.press("Tab")
        focused, visible = window.evaluate(FOCUSED)
        check(visible, f"the focus on {focused} can't be seen")
        seen.append(focused)
    same(seen, expected, "the order of Tab")
    for _ in expected[2:]:
        window.press("Tab", shift=True)
    same(window.evaluate(FOCUSED)[0], "text")
    window.type("by keyboard")
    window.press("Tab")
    window.press("Enter")
    wait_for(window, "You", "by keyboard")
    for _ in range(3):
        window.press("Tab", shift=True)
    same(window.evaluate(FOCUSED), ["toggle", True])
    window.press("Enter")
    window.wait("document.querySelector('#toggle').textContent === 'Connect'")
    same(window.text("#closed"), "1000 (normal), clean")
    same(window.text("#state"), "Not connected")
    # Whoever has disconnected stays so.
    window.evaluate("dispatchEvent(new Event('online')); new Promise(done => setTimeout(done, 1200))")
    same(window.text("#state"), "Not connected")
    disabled = "[...document.querySelectorAll('form button')].every(button => button.disabled)"
    check(window.evaluate(disabled), "disabled")
    window.evaluate("document.querySelector('#toggle').focus()")
    window.press("Space")
    window.wait(OPEN)
    quiet(window)


def connects_again_when_the_server_is_back(one, two, server):
    server.kill()
    for window in (one, two):
        window.wait("document.querySelector('#state').dataset.state !== 'open'")
        window.wait("document.querySelector('#closed').textContent.startsWith('1006')")
        check(", not clean" in window.text("#closed"), "not clean")
        same(window.text("#subprotocol"), "–")
    told = "Connection lost. Next attempt in "
    one.wait(f"document.querySelector('#state').textContent.startsWith('{told}')")
    one.picture(f"{PICTURES}/lost.png")
    # More than one attempt fails.
    one.wait("/in [2-9] s/.test(document.querySelector('#state').textContent)")
    server.start()
    for window in (one, two):
        window.wait(OPEN)
    before = len(messages(two))
    fill(one, "#text", "back again")
    wait_for(two, one.text("#name"), "back again")
    check(before > 2, "what was said before is still there")
    for window in (one, two):
        for complaint in window.take_complaints():
            refused = "WebSocket connection to" in complaint and "ERR_CONNECTION_REFUSED" in complaint
            check(refused, f"complaint: {complaint}")
    # And one that gives up while it waits.
    server.kill()
    two.wait("document.querySelector('#state').dataset.state === 'waiting'")
    two.evaluate("document.querySelector('#toggle').click()")
    same(two.text("#state"), "Not connected")
    server.start()
    one.wait(OPEN)
    same(two.text("#state"), "Not connected")
    two.evaluate("document.querySelector('#toggle').click()")
    two.wait(OPEN)
    for window in (one, two):
        window.take_complaints()


def stays_disconnected_though_the_server_does_not_answer(browser, server):
    """The measurement that had begun before must not connect again."""
    window = browser.open(server.url)
    window.wait(OPEN)
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        # The next measurement begins, and has no answer.
        window.evaluate("new Promise(done => setTimeout(done, 5500))")
        window.evaluate("document.querySelector('#toggle').click()")
        same(window.text("#state"), "Closing …")
        # To the page, it takes too long at the time of the one after it.
        window.evaluate("(now => performance.now = () => now() + 15_000)(performance.now.bind(performance))")
        window.evaluate("new Promise(done => setTimeout(done, 5500))")
        check(window.text("#state") in ("Closing …", "Not connected"), window.text("#state"))
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    window.wait("document.querySelector('#state').textContent === 'Not connected'")
    same(window.text("#toggle"), "Connect")
    window.command("Page.close")


def keeps_to_its_policy(browser, server):
    """What an injection would try: scripts, handlers, styles, other servers, frames."""
    window = browser.open(server.url)
    window.wait(OPEN)
    quiet(window)
    window.evaluate("""
        window.violated = [];
        addEventListener("securitypolicyviolation", event => violated.push(event.effectiveDirective));
        const script = document.createElement("script");
        script.textContent = "window.injected = 'script'";
        document.body.append(script);
        const box = document.createElement("div");
        box.innerHTML = `<p style="color: red"></p>
            <img src="http://127.0.0.1:9/x" onerror="window.injected = 'handler'">`;
        document.body.append(box);
        try { new WebSocket("ws://127.0.0.1:9/") } catch {}
        const frame = document.createElement("iframe");
        frame.src = "/";
        document.body.append(frame);
    """)
    for directive in (
        "connect-src",
        "frame-src",
        "img-src",
        "script-src-attr",
        "script-src-elem",
        "style-src-attr",
    ):
        window.wait(f"violated.includes('{directive}')")
    same(window.evaluate("typeof window.injected"), "undefined", "injected")
    check(any("Content Security Policy" in complaint for complaint in window.take_complaints()), "told")
    # The socket to our own server was not meant.
    fill(window, "#text", "still here")
    wait_for(window, "You", "still here")
    window.command("Page.close")


def keeps_a_bounded_list(window):
    window.evaluate("""(async () => {
        const socket = new WebSocket(location.origin.replace("http", "ws") + "/chat", "chat.v1");
        await new Promise(done => socket.onopen = done);
        for (let n = 0; n < 600; n++) socket.send("flood " + n);
        await new Promise(done => socket.onmessage = event => event.data.endsWith("flood 599") && done());
        socket.close();
    })()""")
    window.wait(f"{LAST}.textContent.endsWith('has left')")
    same(window.evaluate("document.querySelectorAll('#messages > li').length"), 500)
    below = "(box => box.scrollHeight - box.scrollTop - box.clientHeight)(document.querySelector('#scroll'))"
    check(window.evaluate(below) < 2, "the newest is in sight")
    quiet(window)


def shows_itself(browser, server):
    """Pictures of a conversation, for somebody to look at."""
    one, two = (browser.open(server.url) for _ in range(2))
    for window in (one, two):
        window.wait(OPEN)
    names = [one.text("#name"), two.text("#name")]
    fill(two, "#text", "Is the new tide table in already?")
    wait_for(one, names[1], "Is the new tide table in already?")
    answer = "Yes, since this morning. High water is at 14:32, a little later than we thought."
    fill(one, "#text", answer)
    wait_for(two, names[0], answer)
    fill(one, "#hex", " ".join(f"{n * 7 % 256:02x}" for n in range(48)))
    two.wait("document.querySelector('#messages > li:last-child code') !== null")
    fill(two, "#text", "شكرا — <b>thanks!</b>")
    wait_for(one, names[1], "شكرا — <b>thanks!</b>")
    one.evaluate("document.querySelector('#text').focus()")
    for name, scheme, width, height in (
        ("desktop-light", "light", 1280, 800),
        ("desktop-dark", "dark", 1280, 800),
        ("tablet-light", "light", 768, 1024),
        ("phone-light", "light", 360, 740),
        ("phone-dark", "dark", 360, 740),
    ):
        one.size(width, height)
        one.prefer(color_scheme=scheme)
        one.picture(f"{PICTURES}/{name}.png", whole=width < 1000)
    quiet(one, two)


def main(chromium, program):
    server = Server(program)
    try:
        with Browser(chromium) as browser:
            print("   " + browser.command("Browser.getVersion")["product"])
            one = browser.open(server.url)
            one.wait(OPEN)
            two = browser.open(server.url, 360, 740)
            for test, args in (
                (opens_and_tells_what_was_agreed, (one, two, server)),
                (shows_text_as_text, (one, two)),
                (sends_bytes_there_and_back, (one, two, PICTURES)),
                (is_used_by_keyboard_alone, (one,)),
                (stays_disconnected_though_the_server_does_not_answer, (browser, server)),
                (keeps_to_its_policy, (browser, server)),
                (keeps_a_bounded_list, (one,)),
                (can_be_read_by_all, (one,)),
                (connects_again_when_the_server_is_back, (one, two, server)),
                (shows_itself, (browser, server)),
            ):
                test(*args)
                print(f"ok {test.__name__}", flush=True)
    finally:
        server.kill()


if __name__ == "__main__":
    CHROMIUM, CHAT, PICTURES = sys.argv[1:]
    main(CHROMIUM, CHAT)
