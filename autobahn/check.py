#!/usr/bin/env python3
"""Checks the index of an Autobahn report against the spec that wstest ran.

    check.py reports/index.json fuzzingclient.json

Every case the spec asks for has to be there, and no other, and each has to be OK. wstest itself
exits 0 when cases fail, and when it could not connect at all.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

# Cases whose verdict is INFORMATIONAL whatever the peer does.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}

# All 517 cases of autobahntestsuite 0.8.2: the last number counts from 1 to the size given here.
# A table of our own, because an index says nothing of the cases that were not run.
# fmt: off
SIZES = {
    "1.1": 8, "1.2": 8, "2": 11, "3": 7, "4.1": 5, "4.2": 5, "5": 20,
    "6.1": 3, "6.2": 4, "6.3": 2, "6.4": 4, "6.5": 5, "6.6": 11, "6.7": 4, "6.8": 2, "6.9": 4,
    "6.10": 3, "6.11": 5, "6.12": 8, "6.13": 5, "6.14": 10, "6.15": 1, "6.16": 3, "6.17": 5,
    "6.18": 5, "6.19": 5, "6.20": 7, "6.21": 8, "6.22": 34, "6.23": 7,
    "7.1": 6, "7.3": 6, "7.5": 1, "7.7": 13, "7.9": 9, "7.13": 2,
    "9.1": 6, "9.2": 6, "9.3": 9, "9.4": 9, "9.5": 6, "9.6": 6, "9.7": 6, "9.8": 6, "10.1": 1,
    **{f"12.{corpus}": 18 for corpus in range(1, 6)},
    **{f"13.{offer}": 18 for offer in range(1, 8)},
}
# fmt: on
CASES = [f"{group}.{number}" for group, size in SIZES.items() for number in range(1, size + 1)]


def matching(patterns: list[str]) -> list[str]:
    """Lists the cases that patterns select, by wstest's own rule."""
    cases: list[str] = []
    for pattern in patterns:
        if "*" in pattern:
            regex = re.compile(pattern.replace(".", r"\.").replace("*", ".*"))
            cases += filter(regex.match, CASES)
        else:
            cases.append(pattern)
    return cases


def wanted_cases(spec: dict[str, Any]) -> list[str]:
    """Lists the cases that a spec of wstest asks for, in the suite's order."""
    excluded = set(matching(spec.get("exclude-cases", [])))
    return [case for case in dict.fromkeys(matching(spec["cases"])) if case not in excluded]


def is_as_wanted(case: str, result: dict[str, Any]) -> bool:
    allowed = {"OK", "INFORMATIONAL"} if case in INFORMATIONAL else {"OK"}
    return {result.get("behavior"), result.get("behaviorClose")} <= allowed


def problems(results: dict[str, dict[str, Any]], wanted: list[str]) -> list[str]:
    """Describes every case of one agent that is not as wanted."""
    found = [f"{case}: missing" for case in wanted if case not in results]
    found += [f"{case}: not asked for" for case in results if case not in set(wanted)]
    found += [
        f"{case}: behavior {result.get('behavior')}, behaviorClose {result.get('behaviorClose')}"
        for case, result in results.items()
        if not is_as_wanted(case, result)
    ]
    return found


def main(index_path: str, spec_path: str) -> int:
    wanted = wanted_cases(json.loads(Path(spec_path).read_text()))
    try:
        index = json.loads(Path(index_path).read_text())
    except (OSError, ValueError) as error:
        print(f"autobahn: FAILED: no report: {error}")
        return 1
    # An index without an agent is what wstest writes when it could not connect.
    if not index or not wanted:
        print(f"autobahn: FAILED: {len(index)} agents tested, {len(wanted)} cases wanted")
        return 1

    failed = False
    for agent, results in index.items():
        found = problems(results, wanted)
        for problem in found:
            print(f"{agent} {problem}")
        verdict = "FAILED" if found else "passed"
        print(
            f"autobahn: {verdict}: {agent}: {len(wanted)} cases wanted, {len(results)} run, "
            f"{len(found)} not as wanted"
        )
        failed |= bool(found)
    return int(failed)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: check.py INDEX SPEC")
    sys.exit(main(*sys.argv[1:]))
