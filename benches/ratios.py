"""Prints what `cargo bench` measured as tables: nanoseconds a message, ratios to the floor, percentages of what is
possible.

    python3 benches/ratios.py                  # all groups
    python3 benches/ratios.py decode "utf8 C"  # those whose names begin so

A side called `framewire` is ours, as are its variants behind a comma; `x floor` is their ratio to the floor. A side
that begins with `limit` does but a part of the work: its percentage is how much of the time of `framewire` that part
alone takes, so that 100 % would be as fast as is possible. Where there is a variant `binary`, what text costs above
it stands beside it, and percentages are of that.
"""

import collections
import json
import os
import pathlib
import re
import sys

OURS, BINARY, FLOOR, LIMIT = "framewire", "framewire, binary", "floor", "limit "


def natural(name):
    """Sorts numbers by their value, and what begins with none behind them."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part]


def rank(side):
    """Ours first, then others, then the floor, then what is possible."""
    kinds = [side == OURS, side.startswith(OURS), not side.startswith((FLOOR, LIMIT)), side == FLOOR, True]
    return kinds.index(True), side


def measured(directory):
    """Nanoseconds a message: by group, by case, by side."""
    groups = collections.defaultdict(lambda: collections.defaultdict(dict))
    for path in directory.glob("*/*/*/new/benchmark.json"):
        benchmark = json.loads(path.read_text())
        throughput = benchmark["throughput"] or {}
        if "ElementsAndBytes" not in throughput:
            continue  # of another time, or not one of ours
        estimate = json.loads(path.with_name("estimates.json").read_text())["median"]["point_estimate"]
        messages = throughput["ElementsAndBytes"]["elements"]
        case = groups[benchmark["group_id"]][benchmark["value_str"]]
        case[benchmark["function_id"]] = estimate / messages
    return groups


def number(value):
    """Three figures, or all before the point."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{digits}f}".replace(",", " ")


def percentage(limit, ours):
    """How much of `ours` the `limit` is; nothing where noise is larger than what is measured."""
    return f"{100 * limit / ours:.0f} %" if ours > 0 else "-"


def cells(sides, case):
    """The heads and the values of a line, for all `sides` of the table."""
    ours = case.get(OURS)
    whole = ours if BINARY not in case or ours is None else ours - case[BINARY]
    for side in sides:
        value = case.get(side)
        yield side, "" if value is None else number(value)
        if side.startswith(OURS) and FLOOR in sides:
            yield "x floor", "" if value is None or FLOOR not in case else f"{value / case[FLOOR]:.2f}"
        if side == BINARY:
            yield "above it", "" if value is None or ours is None else number(ours - value)
        if side.startswith(LIMIT):
            yield "%", "" if value is None or ours is None else percentage(value, whole)


def table(group, cases):
    """The lines of a table."""
    sides = sorted({side for case in cases.values() for side in case}, key=rank)
    lines = [[("", name), *cells(sides, cases[name])] for name in sorted(cases, key=natural)]
    rows = [[head for head, _ in lines[0]], *([cell for _, cell in line] for line in lines)]
    rows[0][0] = f"{group} (ns)"
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    rows.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    for row in rows:
        first, *rest = zip(row, widths)
        yield " | ".join(["| " + first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]) + " |"


def main(beginnings):
    directory = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target"), "criterion")
    groups = measured(directory)
    chosen = sorted((group for group in groups if group.startswith(beginnings)), key=natural)
    if not chosen:
        sys.exit(f"nothing of it was measured yet: no results in {directory}")
    for group in chosen:
        print(*table(group, groups[group]), "", sep="\n")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or ("",))
