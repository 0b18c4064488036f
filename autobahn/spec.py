#!/usr/bin/env python3
"""Writes the spec of one run: a committed spec with this run's peer and cases.

    spec.py fuzzingclient.json --name NAME --port PORT [--quick] [--case PATTERN]...

It goes to the standard output.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from check import CASES, matching

# What an adapter can get wrong that the core, tested with all cases, gets right: everything but
# the volume of group 9 and of compression. Of that, one case for each way in which much data can come.
QUICK = [
    *(f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 10)),
    "9.1.4",  # 4 MiB of text in one frame
    "9.2.4",  # the same as binary
    "9.4.2",  # 4 MiB in frames of 256 bytes
    "9.5.3",  # 1 MiB of text in one frame, written 256 bytes at a time
    "9.8.5",  # 1000 messages of 1 KiB, one after the other
    "12.2.5",  # 1000 compressed messages
    "12.3.12",  # compressed messages in fragments
    "13.7.8",  # with all parameters
]


def spec_of_run(spec: dict[str, Any], name: str, port: int, patterns: list[str]) -> dict[str, Any]:
    """Puts the peer into a spec of either direction, and the cases if any are given."""
    url = f"ws://127.0.0.1:{port}"
    peer = {"servers": [{"agent": name, "url": url}]} if "servers" in spec else {"url": url}
    # A case that is asked for is run, whatever is excluded by default.
    cases = {"cases": patterns, "exclude-cases": []} if patterns else {}
    return spec | peer | cases


def unknown(patterns: list[str]) -> list[str]:
    """Lists the patterns that select no case. With such a one wstest would wait for ever."""
    return [pattern for pattern in patterns if not set(matching([pattern])) & set(CASES)]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("spec", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--case", action="append", default=[])
    options = parser.parse_args(arguments)

    patterns = (QUICK if options.quick else []) + options.case
    if missing := unknown(patterns):
        sys.exit(f"autobahn: FAILED: no case matches {' '.join(missing)}")
    spec = json.loads(options.spec.read_text())
    json.dump(spec_of_run(spec, options.name, options.port, patterns), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
