"""`python -m bench [--small] [NAME …]`: run benchmarks and write what they measured.

`--small` runs those that have sizes at a fiftieth, to see that they work, and writes nothing.
"""

import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import decisions, footprint, latency, rehearsal, replay, simulator, standing, storm
from bench.figures import Figure

BENCHMARKS: dict[str, Callable[[], list[Figure]]] = {
    "decisions": decisions.measure,
    "footprint": footprint.measure,
    "latency": latency.measure,
    "rehearsal": rehearsal.measure,
    "replay": replay.measure,
    "simulator": simulator.measure,
    "standing": standing.measure,
    "storm": storm.measure,
}
SIZED: dict[str, Callable[[float], list[Figure]]] = {"standing": standing.measure, "storm": storm.measure}
SMALL = 1 / 50
RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> int:
    if "--small" in names:
        return _small([name for name in names if name != "--small"])
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    RESULTS.mkdir(exist_ok=True)
    for name in names or BENCHMARKS:
        print(f"\n{name}")
        figures = BENCHMARKS[name]()
        for figure in figures:
            print(f"  {figure}")
        written = {
            "measured": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
            "figures": [figure.as_json() for figure in figures],
        }
        (RESULTS / f"{name}.json").write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    return 0


def _small(names: list[str]) -> int:
    unknown = [name for name in names if name not in SIZED]
    if unknown:
        print(f"there is no small {', '.join(unknown)}; there are {', '.join(SIZED)}", file=sys.stderr)
        return 2
    for name in names or SIZED:
        print(f"\n{name}")
        for figure in SIZED[name](SMALL):
            print(f"  {figure}")
    return 0


raise SystemExit(main(sys.argv[1:]))
