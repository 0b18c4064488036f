"""Counts, and compares with what is kept: see `benches/check-instructions`."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from figures import (
    Figures,
    Table,
    change,
    compare,
    differences,
    instructions,
    parse,
    per_message,
    render,
)

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KEPT = HERE.parent / "instructions.csv"
# The functions of the program: what is counted in, and what of it is not.
COUNTED = "instructions::counted"
LEFT_OUT = "instructions::deliver"
# All of the environment, for its size would move the stack. Callgrind takes each byte of a
# `rep movsb` for an instruction: the C library shall copy and fill by vectors only.
ENVIRONMENT = {
    "GLIBC_TUNABLES": "glibc.cpu.x86_rep_movsb_threshold=1000000000"
    ":glibc.cpu.x86_rep_stosb_threshold=1000000000"
}


def output(command, **options) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def build() -> str:
    """The program, as users build theirs."""
    command = ["cargo", "build", "--quiet", "--release", "--features", "tokio"]
    command += ["--bench", "instructions", "--message-format=json-render-diagnostics"]
    messages = map(json.loads, output(command, cwd=ROOT).splitlines())
    programs = [message.get("executable") for message in messages]
    return next(program for program in reversed(programs) if program)


def conditions(program: str) -> dict[str, str]:
    """What the figures depend on besides the code: other compilers and vectors give others."""
    lines = output(["rustc", "-vV"], cwd=ROOT).splitlines()
    rustc = dict(line.split(": ", 1) for line in lines if ": " in line)
    valgrind = ["valgrind", "--quiet", "--tool=none", program, "--processor"]
    libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else None
    return {
        "rustc": f"{rustc['release']} {rustc.get('commit-hash', 'unknown')[:9]}",
        "target": rustc["host"],
        "RUSTFLAGS": os.environ.get("RUSTFLAGS", "").strip() or "none",
        "libc": libc or "unknown",
        "valgrind": output(["valgrind", "--version"]).strip(),
        "processor, as emulated": output(valgrind, env=ENVIRONMENT).strip(),
    }


def count(program: str, scenario: str) -> Figures:
    """Runs a scenario."""
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder, "profile")
        command = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={profile}"]
        command += [f"--toggle-collect={COUNTED}", f"--dump-after={COUNTED}"]
        command += ["--compress-strings=no", "--compress-pos=no", program, scenario]
        runs = [map(int, line.split()) for line in output(command, env=ENVIRONMENT).splitlines()]
        figures = []
        for number, (messages, *allocated) in enumerate(runs, 1):
            counted = instructions(Path(f"{profile}.{number}").read_text(), LEFT_OUT)
            figures.append((messages, Figures(counted, *allocated)))
    # The first is until it is warm.
    _, (messages, once), (_, twice) = figures
    return per_message(once, twice, messages)


def install() -> str | None:
    """Tells why valgrind can't be used, if so."""
    if shutil.which("valgrind"):
        return None
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return "there is no valgrind, and it takes root on Debian to install it"
    print("instructions: installing valgrind", flush=True)
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", "valgrind"],
    ):
        # A list that could not be renewed may still do.
        subprocess.run(command, env=environment, timeout=300, **quiet)
    return None if shutil.which("valgrind") else "valgrind could not be installed"


def update(before: Table, now: Table) -> None:
    for line in differences(before.conditions, now.conditions):
        print(line)
    for name in dict.fromkeys([*before.rows, *now.rows]):
        old, new = before.rows.get(name), now.rows.get(name)
        if old is None or new is None:
            print(f"{name}: {'new' if old is None else 'gone'}")
        elif old != new:
            print(f"{name}: {change(old, new)}")
    KEPT.write_text(render(now))


def main() -> int:
    parser = argparse.ArgumentParser(prog="benches/check-instructions")
    parser.add_argument("--strict", action="store_true", help="fail if nothing can be counted")
    parser.add_argument("--update", action="store_true", help="keep what is counted")
    options = parser.parse_args()
    start = time.monotonic()
    why = install()
    if why:
        print(f"instructions: NOTHING WAS COUNTED: {why}")
        return 1 if options.strict or options.update else 0
    program = build()
    kept = parse(KEPT.read_text()) if KEPT.exists() else Table({}, {})
    now = Table(conditions(program), {})
    others = differences(kept.conditions, now.conditions)
    if others and not options.update:
        print("instructions: NOTHING WAS COMPARED, for the figures were taken on something else:")
        print(*(f"  {line}" for line in others), sep="\n")
        print("To compare, take them on the commit before, with --update.")
        return 0
    scenarios = output([program]).splitlines()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counted = pool.map(lambda scenario: count(program, scenario), scenarios)
        now.rows.update(zip(scenarios, counted, strict=True))
    took = f"{len(scenarios)} scenarios in {time.monotonic() - start:.0f} s"
    if options.update:
        update(kept, now)
        print(f"instructions: kept {took}")
        return 0
    worse, better, same = compare(kept.rows, now.rows)
    for title, lines in (("BETTER, to be kept with --update", better), ("WORSE", worse)):
        if lines:
            print(f"{title}:", *(f"  {line}" for line in lines), sep="\n")
    verdict = "FAILED" if worse else "ok"
    counts = f"{len(worse)} worse, {len(better)} better, {same} the same"
    print(f"instructions: {verdict}: {counts}; {took}")
    return 1 if worse else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        # It has told why.
        sys.exit(f"instructions: FAILED: {' '.join(error.cmd)} ends with {error.returncode}")
