"""The command line of the hunt.

    python -m tests.fuzz KIND [--minutes N | --count N] [--seed S] [--json FILE]    look for wrong answers
    python -m tests.fuzz replay FILE                                                once more what failed
    python -m tests.fuzz table FILES                                docs/theory/reliability.md's tables

Runs from the checkout's root.  Exit status: 0 nothing was found, 1 something was, 2 bad usage.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the helpers that tests share
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny problems: threads only wait for each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from . import runner, table  # noqa: E402
from .registry import KINDS  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_subparsers(dest="what", required=True, metavar="KIND|replay|table")
    for name, about in KINDS.items():
        kind = what.add_parser(name, help=about)
        long = kind.add_mutually_exclusive_group()
        long.add_argument("--minutes", type=float, default=1.0, help="how long [default: 1]")
        long.add_argument("--count", type=int, default=None, help="so many cases, however long it takes")
        kind.add_argument(
            "--seed",
            type=int,
            default=None,
            help="of everything random [default: a new one, which is printed]",
        )
        kind.add_argument(
            "--skip", type=int, default=0, help="leave out so many cases: to get at one of them"
        )
        kind.add_argument(
            "--out", type=Path, default=Path("out/fuzz"), help="folder for what fails [default: out/fuzz]"
        )
        kind.add_argument("--json", type=Path, default=None, help="write the counts to this file")
        kind.add_argument(
            "--busy", type=int, default=0, help="so many other processes eat the cores meanwhile"
        )
        kind.add_argument("--failures", type=int, default=1, help="stop after so many [default: 1]")
    replay = what.add_parser("replay", help="check a saved case once more")
    replay.add_argument("file", type=Path)
    tables = what.add_parser("table", help="counts of several runs as Markdown")
    tables.add_argument("files", type=Path, nargs="+")
    tables.add_argument(
        "--page",
        type=Path,
        default=None,
        help="put them between the marks of this page instead of printing them",
    )
    given = parser.parse_args(arguments)
    if given.what == "table":
        if given.page is not None:
            table.written(given.page, given.files)
        else:
            print(table.markdown(given.files))
        return 0
    if given.what == "replay":
        return runner.replay(given.file)
    faulthandler.enable()
    return runner.run(
        runner.Run(
            given.what,
            given.seed,
            given.minutes,
            given.count,
            given.skip,
            given.out,
            given.json,
            given.busy,
            given.failures,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
