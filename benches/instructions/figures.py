"""The figures: how they are worked out, kept in a file, and compared."""

from typing import NamedTuple

HEAD = "scenario,instructions,allocations,bytes"
# How many more instructions are no news: of all, and of a few.
TOLERANCE = 0.02
TOLERATED = 3


class Figures(NamedTuple):
    """What a message costs."""

    instructions: float
    allocations: float
    bytes: float


class Table(NamedTuple):
    """The figures of all scenarios, and what they hold for."""

    conditions: dict[str, str]
    rows: dict[str, Figures]


def per_message(once: Figures, twice: Figures, messages: int) -> Figures:
    """What a message costs if so many of them cost `once`, and as many again `twice`."""
    return Figures(*(round((b - a) / messages, 2) for a, b in zip(once, twice, strict=True)))


def instructions(profile: str, without: str) -> int:
    """The instructions in a part of a profile of callgrind, less those of calls of a function.

    Names and positions in it must not be compressed.
    """
    total, left_out, callee, is_call = None, 0, "", False
    for line in profile.splitlines():
        key, _, value = line.partition("=")
        if line.startswith("totals: "):
            total = int(line.split()[1])
        elif key == "cfn":
            callee = value
        elif key == "calls":
            is_call = True
        elif is_call:
            # The line of a call: where it is, and what it costs with all that it calls.
            is_call = False
            left_out += int(line.split()[1]) if callee == without else 0
    if total is None:
        raise ValueError("a profile without totals")
    return total - left_out


def parse(text: str) -> Table:
    lines = text.splitlines()
    conditions = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    rows = [line.rsplit(",", 3) for line in lines if not line.startswith("#") and line != HEAD]
    return Table(conditions, {name.strip('"'): Figures(*map(float, row)) for name, *row in rows})


def render(table: Table) -> str:
    conditions = [f"# {name}: {value}" for name, value in table.conditions.items()]
    rows = [f'"{name}",' + ",".join(map(show, row)) for name, row in table.rows.items()]
    return "\n".join([*conditions, HEAD, *rows, ""])


def differences(kept: dict[str, str], now: dict[str, str]) -> list[str]:
    """The conditions that are not the same."""
    names = list(dict.fromkeys([*kept, *now]))
    pairs = [(name, kept.get(name, "nothing"), now.get(name, "nothing")) for name in names]
    return [f"{name}: {before} -> {after}" for name, before, after in pairs if before != after]


class Comparison(NamedTuple):
    worse: list[str]
    better: list[str]
    same: int


def compare(kept: dict[str, Figures], now: dict[str, Figures]) -> Comparison:
    """What costs more and what costs less than was kept, beyond what is tolerated."""
    worse, better, same = [], [], 0
    for name, before in kept.items():
        after = now.get(name)
        if after is None:
            worse.append(f"{name}: kept, but no scenario any more")
            continue
        more, less = is_more(before, after), is_more(after, before)
        if more:
            worse.append(f"{name}: {change(before, after)}")
        elif less:
            better.append(f"{name}: {change(before, after)}")
        else:
            same += 1
    worse += [f"{name}: nothing is kept for this scenario" for name in now if name not in kept]
    return Comparison(worse, better, same)


def is_more(before: Figures, after: Figures) -> bool:
    tolerated = max(TOLERATED, TOLERANCE * min(before.instructions, after.instructions))
    return (
        after.instructions > before.instructions + tolerated
        or after.allocations > before.allocations
        or after.bytes > before.bytes
    )


def change(before: Figures, after: Figures) -> str:
    """Old and new, of what is not the same."""
    changed = []
    for name, a, b in zip(Figures._fields, before, after, strict=True):
        if a != b:
            ratio = f" ({100 * (b / a - 1):+.1f} %)" if a else ""
            changed.append(f"{show(a)} -> {show(b)} {name}{ratio}")
    return ", ".join(changed)


def show(value: float) -> str:
    return f"{value:.2f}".removesuffix("0").removesuffix(".0")
