"""Renews the tables of `docs/linear.md` and the plots in `docs/plots` from what the bench `linear` prints.

    cargo bench --bench linear | python3 benches/plot.py
"""

import math
import pathlib
import re
import sys

DOCS = pathlib.Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 240, 68, 16, 16, 40


def tables(text):
    """By name: the unit, and how many of them took how many nanoseconds each."""
    found = {}
    points = None
    for line in text.splitlines():
        if head := re.fullmatch(r"# (.+?): (.+)", line):
            points = []
            found[head[1]] = (head[2], points)
        elif points is not None and (row := re.fullmatch(r" *(\d+) +(\d+\.\d+)", line)):
            points.append((int(row[1]), float(row[2])))
    return found


def exponent(points):
    """By which power of `n` the whole cost grows, over the larger half of the points: least squares of logarithms."""
    half = points[len(points) // 2 :]
    xs = [math.log(n) for n, _ in half]
    ys = [math.log(n * each) for n, each in half]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)


def short(n):
    """A number as the axis has it."""
    for size, name in [(1 << 20, " Mi"), (1 << 10, " Ki")]:
        if n >= size and n % size == 0:
            return f"{n // size}{name}"
    return str(n)


def svg(name, unit, points):
    """Nanoseconds a unit over how many there are, both on scales of powers. Readable on light and on dark."""
    most = math.ceil(math.log10(max(each for _, each in points)) + 0.2)
    least = math.floor(math.log10(min(each for _, each in points)) - 0.2)
    last = math.log(points[-1][0])

    def x(n):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(n) / last

    def y(each):
        return TOP + (HEIGHT - TOP - BOTTOM) * (most - math.log10(each)) / (most - least)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{name}: nanoseconds for each {unit}</title>",
        "<style>text { font: 11px sans-serif; fill: #808080 } .grid { stroke: #808080; opacity: .3 } "
        ".line { fill: none; stroke: #3b82f6; stroke-width: 2 } circle { fill: #3b82f6 }</style>",
    ]
    for power in range(least, most + 1):
        at = y(10.0**power)
        lines.append(f'<line class="grid" x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{10.0**power:,g} ns</text>')
    for n, _ in points[::2]:
        lines.append(f'<text x="{x(n):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{short(n)}</text>')
    lines.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">{name}</text>')
    places = [(f"{x(n):.1f}", f"{y(each):.1f}") for n, each in points]
    lines.append('<polyline class="line" points="' + " ".join(f"{a},{b}" for a, b in places) + '"/>')
    lines += [f'<circle cx="{a}" cy="{b}" r="3"/>' for a, b in places]
    return "\n".join([*lines, "</svg>", ""])


def section(name, unit, points):
    """What the page says about one table."""
    picture = name.replace(" ", "-") + ".svg"
    return "\n".join(
        [
            f"## {name[0].upper()}{name[1:]}",
            "",
            f"A unit is a {unit}. What n of them cost grows with n to the power of {exponent(points):.2f}.",
            "",
            f"![{name}: nanoseconds a unit](plots/{picture})",
            "",
            "| n | " + " | ".join(short(n) for n, _ in points) + " |",
            "|---|" + "---:|" * len(points),
            "| ns a unit | " + " | ".join(f"{each:.3g}" if each < 100 else f"{each:.0f}" for _, each in points) + " |",
            "",
        ]
    )


def renewed(page, text):
    """The page with `text` between its marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def main():
    found = tables(sys.stdin.read())
    if not found:
        sys.exit("there are no tables in what was read")
    plots = DOCS / "plots"
    plots.mkdir(exist_ok=True)
    for name, (unit, points) in found.items():
        plots.joinpath(name.replace(" ", "-") + ".svg").write_text(svg(name, unit, points))
    page = DOCS / "linear.md"
    text = "\n".join(section(name, *table) for name, table in found.items())
    page.write_text(renewed(page.read_text(), text))


if __name__ == "__main__":
    main()
