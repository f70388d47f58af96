"""What checking by default costs: whole runs of `relucid prove`, with `--trust exact` and without, in turns.

    python -m relucid.experiments.checked FOLDER [--only REGEX] [--repeat N]

FOLDER holds claim folders (`*/claim.toml`), such as `python -m relucid.benchmarks.tokens --out DIR --seeds
report` makes.  Each run is a process of its own; start of Python, imports and reading count.  Prints medians
over the claims, of wall and of processor time, and their ratios.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..benchmarks.attempt import run_command

PLAIN = ("--trust", "exact")


@dataclass(frozen=True)
class MeasuredRun:
    """One process: what it said, wall and processor seconds."""

    verdict: str
    trust: str | None
    wall: float
    cpu: float


def run(claim: Path, options: tuple[str, ...]) -> MeasuredRun:
    """MeasuredRun `prove` once on a claim file."""
    command = [sys.executable, "-P", "-m", "relucid", "prove", str(claim), "--json", *options]
    ran = run_command(command, math.inf, None, threading.Event())
    said: dict[str, Any] = json.loads(ran.out) if ran.out else {"verdict": str(ran.ended), "trust": None}
    return MeasuredRun(said["verdict"], said["trust"], ran.seconds, ran.cpu_seconds)


def measured(claim: Path, repeat: int) -> tuple[MeasuredRun, MeasuredRun]:
    """Run with and without the check, in turns; return of each the run with the median processor time."""
    runs = [(run(claim, PLAIN), run(claim, ())) for _ in range(repeat)]
    plain, checked = (
        sorted((pair[side] for pair in runs), key=lambda r: r.cpu)[repeat // 2] for side in (0, 1)
    )
    return plain, checked


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="a regular expression for claims' names")
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    claims = [
        path
        for path in sorted(options.folder.glob("*/claim.toml"))
        if re.search(options.only, path.parent.name)
    ]
    if not claims or options.repeat < 1:
        parser.error(
            f"{options.folder} has no claim folders of that name" if not claims else "--repeat is at least 1"
        )
    rows = []
    for path in claims:
        plain, checked = measured(path, options.repeat)
        rows.append((plain, checked))
        print(
            f"{path.parent.name}: {checked.verdict}, trust {checked.trust}; cpu {plain.cpu:.2f} -> "
            f"{checked.cpu:.2f} s",
            flush=True,
        )
    for name in ("wall", "cpu"):
        before, after = (statistics.median(getattr(pair[side], name) for pair in rows) for side in (0, 1))
        print(
            f"median {name}: {before:.2f} s without, {after:.2f} s with the check: {after / before:.2f} times"
        )
    reached = sum(checked.trust == "checked" for _, checked in rows)
    print(
        f"{sum(checked.verdict == 'proved' for _, checked in rows)} of {len(rows)} proved, {reached} of "
        f"them checked"
    )


if __name__ == "__main__":
    main()
