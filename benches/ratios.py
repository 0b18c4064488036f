"""Prints what `cargo bench --bench decode` measured: nanoseconds a message, and the ratio to the floor."""

import json
import os
import pathlib

target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target"), "criterion")
print(f"{'case':22} {'framewire':>12} {'floor':>12} {'ratio':>6}")
for group in ["ping", "binary", "ascii", "mixed"]:
    cases = {}
    for path in target.glob(f"{group}/*/*/new/estimates.json"):
        side, size = path.parts[-4], path.parts[-3]
        estimate = json.loads(path.read_text())["median"]["point_estimate"]
        count = json.loads((path.parent / "benchmark.json").read_text())["throughput"]["Elements"]
        cases.setdefault(size, {})[side] = estimate / count
    for size in sorted(cases, key=lambda size: (not size.isdigit(), int(size) if size.isdigit() else 0)):
        ours, floor = cases[size]["framewire"], cases[size]["floor"]
        print(f"{group + ' ' + size:22} {ours:12.1f} {floor:12.1f} {ours / floor:6.2f}")
