#!/usr/bin/env python3
"""Writes the tables of docs/performance.md and README.md.

    report.py FIGURES COMMAND   stores figures, a line of JSON each, in results.json, with what they were measured on
    report.py                   takes those that are stored

A figure is a scenario, a contestant, one of its idioms, a value and a unit.
"""

import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RESULTS = HERE / "results.json"

OURS, FLOOR = "framewire", "floor"
# Columns come in this order, and then whoever else there is.
ORDER = [
    OURS, FLOOR, "zlib-rs", "tungstenite", "tokio-tungstenite", "fastwebsockets", "tokio-websockets", "yawc",
    "sockudo-ws", "soketto", "web-socket", "raw TCP",
]
# Not libraries that one could use instead.
NO_PEERS = {OURS, OURS + ", owned messages", FLOOR, "zlib-rs", "raw TCP"}
# Where more is better. Of these units, neither is: they tell how a figure came about.
MORE_IS_BETTER, NEITHER = {"M/s"}, {"pongs"}


def floor(times):
    return {"of": FLOOR, "times": times}


def peer(times, idiom=None):
    return {"of": "best peer", "times": times, "idiom": idiom}


def of(contestant, times, idiom=None):
    return {"of": contestant, "times": times, "idiom": idiom}


def at_most(value):
    return {"of": None, "value": value}


# What we want of each scenario: all bounds of a row have to be kept.
TARGETS = {
    "ping 0": [floor(2.2)],
    "binary 16": [floor(1.5), peer(1 / 7)],
    "binary 125": [floor(0.7)],
    "binary 1024": [floor(1.1)],
    "binary 16384": [peer(1.0)],
    "binary 65536": [peer(1.0)],
    "binary 1048576": [peer(1.0)],
    "ascii 16": [floor(1.4)],
    "ascii 125": [floor(1.1)],
    "ascii 1024": [floor(1.1)],
    "mixed 1024": [floor(1.1)],
    "mixed 1048576": [peer(1.2)],
    "serve 16, flush 64": [floor(0.8)],
    "serve 125, flush 64": [floor(0.8)],
    # A reference count more than the floor, which has none: to clone `Bytes` and to drop them takes 19 ns.
    "serve 16384, flush 1": [{"of": FLOOR, "times": 1.0, "plus": 19.0}],
    "serve 16384, flush 64": [{"of": FLOOR, "times": 1.0, "plus": 19.0}],
    "client 16, flush 64": [floor(0.9)],
    "client 125, flush 64": [floor(0.8)],
    "client 16384, flush 1": [peer(0.7)],
    "client 16384, flush 64": [peer(0.7)],
    "client 1048576, flush 1": [peer(1.0)],
    "client 1048576, flush 64": [peer(1.0)],
    "compress 150": [of("zlib-rs", 1.2, "level 1"), peer(1.0, "default")],
    "compress 2048": [of("zlib-rs", 1.2, "level 1"), peer(1.0, "default")],
    "compress 65536": [of("zlib-rs", 1.2, "level 1"), peer(1.0, "default")],
    "decompress 150": [of("zlib-rs", 1.3)],
    "decompress 2048": [of("zlib-rs", 1.05)],
    "decompress 65536": [of("zlib-rs", 1.05)],
    "echo 64 x 64 x 64 B": [floor(1.15)],
    "echo 64 x 64 x 64 B, reads per message": [floor(1.0)],
    "echo 64 x 64 x 64 B, writes per message": [floor(1.0)],
    "echo 64 x 1 x 64 B": [of("raw TCP", 1.05)],
    "echo 16 x 1 x 16 KiB": [floor(1.05)],
    "echo 16 x 4 x 16 KiB": [peer(1.0)],
    "echo 4 x 1 x 1 MiB": [peer(1.0)],
    "idle connection": [at_most(1331.0)],
    "idle connection, keepalive": [at_most(1536.0)],
    "handshake": [floor(1.1)],
}
for size in [16, 125, 16384, 65536]:
    # Between these sizes it is linear, which is no bound.
    TARGETS[f"prepared broadcast {size}, per recipient"] = [at_most(10.0)]

# Tables by the first words of their scenarios; what fits nowhere comes last.
GROUPS = [
    ("Parsing as a server", r"(ping|binary|ascii|mixed) "),
    ("Sending as a server", r"serve "),
    ("Sending as a client", r"client "),
    ("One message for many clients", r"prepared broadcast "),
    ("Compressing", r"compress "),
    ("Decompressing", r"decompress "),
    ("Over loopback: system calls of an echo", r"echo .*per message"),
    ("Over loopback: latency and throughput of an echo", r"echo .*(latency|throughput)"),
    ("Over loopback: an echo", r"echo "),
    ("Over loopback: connections", r"(idle|handshake|connections)"),
    ("Over loopback: one message for many", r"broadcast "),
    ("Others", r""),
]

# The rows of the README: scenario and what it is called there.
README_ROWS = [
    ("binary 16", "parse 16 B, binary"),
    ("binary 1024", "parse 1 KiB, binary"),
    ("binary 1048576", "parse 1 MiB, binary"),
    ("ascii 125", "parse 125 B, ASCII"),
    ("mixed 1024", "parse 1 KiB, other text"),
    ("binary 65536", "parse 64 KiB, binary"),
    ("serve 125, flush 64", "queue 125 B as a server"),
    ("serve 16384, flush 64", "queue 16 KiB as a server"),
    ("client 125, flush 64", "mask and queue 125 B"),
    ("client 16384, flush 64", "mask and queue 16 KiB"),
    ("compress 2048", "compress 2 KiB of JSON, level 1"),
    ("decompress 2048", "decompress 2 KiB of JSON"),
    ("echo 64 x 64 x 64 B", "echo 64 B, 64 connections, 64 in flight"),
    ("echo 64 x 1 x 64 B", "echo 64 B, 64 connections, 1 in flight"),
    ("echo 4 x 1 x 1 MiB", "echo 1 MiB, 4 connections"),
    ("idle connection", "an idle connection"),
    ("handshake", "an accepted handshake"),
]


class Row:
    """The figures of one scenario."""

    def __init__(self, scenario, unit):
        self.scenario, self.unit = scenario, unit
        self.figures = {}

    def add(self, contestant, idiom, value):
        self.figures.setdefault(contestant, {})[idiom] = value

    def best(self, contestant, idiom=None):
        """The best value of one contestant, or None."""
        values = self.figures.get(contestant, {})
        values = [value for name, value in values.items() if idiom in (None, name)]
        if not values:
            return None
        return max(values) if self.unit in MORE_IS_BETTER else min(values)

    def best_peer(self, idiom=None):
        """Whoever is best of the others, and the value."""
        peers = [(self.best(name, idiom), name) for name in self.figures if name not in NO_PEERS]
        peers = [(value, name) for value, name in peers if value is not None]
        if not peers:
            return None
        return max(peers) if self.unit in MORE_IS_BETTER else min(peers)

    def ours(self):
        """What we are judged by: the way of our README, if there is one of its own."""
        for idiom in ["readme", "best"]:
            if (value := self.best(OURS, idiom)) is not None:
                return value
        return self.best(OURS)

    def ratio(self, other):
        ours = self.ours()
        if ours is None or not other or self.unit in NEITHER:
            return None
        return ours / other

    def bound(self, target):
        """The number that is not to be passed, or None if there is nothing to measure it by."""
        if target["of"] is None:
            return target["value"]
        if target["of"] == "best peer":
            found = self.best_peer(target["idiom"])
            base = found and found[0]
        else:
            base = self.best(target["of"], target.get("idiom"))
        return None if base is None else base * target["times"] + target.get("plus", 0.0)

    def met(self):
        """Whether all targets are kept; None if there are none, or not all can be told."""
        targets = TARGETS.get(self.scenario)
        if not targets or self.ours() is None:
            return None
        bounds = [self.bound(target) for target in targets]
        kept = [bound is None or self.keeps(bound) for bound in bounds]
        if not all(kept):
            return False
        return None if None in bounds else True

    def keeps(self, bound):
        # Calls are counted, and told to two places.
        slack = 0.005 if self.unit == "calls" else 0.0
        if self.unit in MORE_IS_BETTER:
            return self.ours() >= bound
        return self.ours() <= bound + slack


def rows(figures):
    found = {}
    for figure in figures:
        row = found.setdefault(figure["scenario"], Row(figure["scenario"], figure["unit"]))
        row.add(figure["contestant"], figure["idiom"], figure["value"])
    return list(found.values())


def number(value):
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    if value >= 100:
        return f"{value:.0f}"
    if value >= 1:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.01 else f"{value:.4f}"


def ratio(value):
    return "-" if value is None else f"{value:.2f}"


def cell(row, contestant):
    """The best value, and in brackets the other idioms by their names."""
    values = row.figures.get(contestant)
    if not values:
        return "-"
    best = row.best(contestant)
    main = next(name for name, value in values.items() if value == best)
    others = [f"{name} {number(value)}" for name, value in values.items() if name != main]
    text = number(best) if main == "best" else f"{main} {number(best)}"
    return f"{text} ({', '.join(others)})" if others else text


def target_text(target):
    if target["of"] is None:
        return f"at most {number(target['value'])}"
    idiom = f", {target['idiom']}" if target.get("idiom") else ""
    plus = f" + {target['plus']:.0f} ns" if target.get("plus") else ""
    return f"{target['times']:.3g} x {target['of']}{idiom}{plus}"


def table(some):
    """All figures of some scenarios, which have one unit."""
    names = {name for row in some for name in row.figures}
    columns = [name for name in ORDER if name in names] + sorted(names - set(ORDER))
    ranked = some[0].unit not in NEITHER
    head = [some[0].unit] + columns
    head += ["x floor", "x best peer", "target", "met"] if ranked else []
    lines = [head, ["---"] + ["---:"] * len(columns) + (["---:", "---:", "---", "---"] if ranked else [])]
    for row in some:
        line = [row.scenario] + [cell(row, name) for name in columns]
        if ranked:
            best = row.best_peer()
            peer = f"{ratio(row.ratio(best[0]))} ({best[1]})" if best and row.ours() is not None else "-"
            targets = "; ".join(target_text(target) for target in TARGETS.get(row.scenario, []))
            met = {True: "yes", False: "no", None: "-"}[row.met()]
            line += [ratio(row.ratio(row.best(FLOOR))), peer, targets or "-", met]
        lines.append(line)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def full_report(results):
    left, parts = rows(results["figures"]), [measured_on(results)]
    for title, pattern in GROUPS:
        some = [row for row in left if re.match(pattern, row.scenario)]
        left = [row for row in left if row not in some]
        if some:
            parts.append(f"### {title}")
        # Times come first.
        for unit in sorted({row.unit for row in some}, key=lambda unit: (unit != "ns", unit)):
            parts.append(table([row for row in some if row.unit == unit]))
    return "\n\n".join(parts)


def readme_report(results):
    """A dozen rows. In ASCII: the README is read by a benchmark as such."""
    by_name = {row.scenario: row for row in rows(results["figures"])}
    lines = [
        "| | framewire | best other | | (tokio-)tungstenite | floor |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for scenario, label in README_ROWS:
        row = by_name.get(scenario)
        if row is None or row.ours() is None:
            continue
        best = row.best_peer() or (None, "-")
        tungstenite = row.best("tokio-tungstenite")
        if tungstenite is None:
            tungstenite = row.best("tungstenite")
        base = row.best("zlib-rs") if "compress" in scenario else row.best(FLOOR)
        unit = f" {row.unit}" if row.unit != "ns" else ""
        values = [number(row.ours()) + unit, number(best[0]), best[1], number(tungstenite), number(base)]
        lines.append(f"| {label} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n\n" + measured_on(results)


def measured_on(results):
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    about = (
        f"Measured on {results['date']} by `{results['command']}`: {machine['processor']}, {machine['cores']} cores, "
        f"Linux {machine['kernel']}, {machine['rustc']}; {versions}."
    )
    return textwrap.fill(about, 116, break_on_hyphens=False)


def replaced(text, name, content):
    """`text` with `content` between the markers of this name."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise SystemExit(f"there are no markers of {name}")
    return f"{before}{begin}\n{content}\n\n{end}{after}"


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    about = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in info.splitlines())}
    name = about.get("model name", platform.machine())
    family = f" (family {about['cpu family']}, model {about['model']})" if "cpu family" in about else ""
    return {
        "processor": name + family,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "rustc": output("rustc", "--version"),
    }


def versions():
    """Of all that are depended on by name."""
    metadata = json.loads(output("cargo", "metadata", "--format-version", "1", "--locked"))
    locked = {package["name"]: package["version"] for package in metadata["packages"] if package["name"] in ORDER}
    return {name: locked[name] for name in ORDER if name in locked}


def stored(results):
    """As JSON, with a line for each figure."""
    rest = json.dumps({key: value for key, value in results.items() if key != "figures"}, indent=1)
    figures = ",\n".join(json.dumps(figure) for figure in results["figures"])
    return rest.removesuffix("\n}") + f',\n "figures": [\n{figures}\n ]\n}}\n'


def output(*command):
    return subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout.strip()


def main(arguments):
    if arguments:
        lines = pathlib.Path(arguments[0]).read_text().splitlines()
        results = {
            "date": datetime.date.today().isoformat(),
            "command": arguments[1],
            "machine": machine(),
            "versions": versions(),
            "figures": [json.loads(line) for line in lines if line.startswith("{")],
        }
        RESULTS.write_text(stored(results))
    results = json.loads(RESULTS.read_text())
    for path, report in [("docs/performance.md", full_report), ("README.md", readme_report)]:
        path = ROOT / path
        path.write_text(replaced(path.read_text(), "comparison", report(results)))


if __name__ == "__main__":
    main(sys.argv[1:])
