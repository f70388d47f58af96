"""`bench distill`: behaviours whose programs are known, from circuit to proof.

`benchmarking.py` has the command and calls this; nothing heavy is imported at the top.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common.errors import InputError
from .options import Output, bundled, choice_option, names_in, refuse
from .printing import status_line

if TYPE_CHECKING:
    from ..benchmarks.distill_plan import DistillPlan, TeacherKind
    from ..benchmarks.distill_random import Draw


SIZE = "6-16"


@dataclass(frozen=True)
class BehaviourOptions:
    """Which behaviours are distilled, and what from."""

    behaviours: Path | None = None
    random: int | None = None
    size: str | None = None
    teacher: TeacherKind | None = None
    large: bool | None = None
    search_only: bool | None = None

    @property
    def given(self) -> dict[str, object]:
        """Return the options by their names, None for what was left out."""
        names = {"behaviours": "--suite", "search_only": "--search-only"}
        return {names.get(name, f"--{name}"): value for name, value in asdict(self).items()}


behaviour_options = bundled(
    "chosen",
    BehaviourOptions,
    click.option(
        "--suite",
        "behaviours",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="For distill: the behaviours of this file, not those that ship.",
    ),
    click.option(
        "--random",
        type=click.IntRange(1, 10_000),
        default=None,
        metavar="N",
        help="For distill: N random behaviours, drawn from --seed.",
    ),
    click.option(
        "--size",
        default=None,
        metavar="LOW-HIGH",
        help=f"Lengths of the references of --random [default: {SIZE}].",
    ),
    choice_option(
        "--teacher",
        ("exact", "trained"),
        "For distill: a circuit that runs the reference, or a trained network "
        "[default: exact with --suite, else trained].",
    ),
    click.option(
        "--large",
        is_flag=True,
        default=None,
        help="For distill: the behaviours on their large domains (`large_length`).",
    ),
    click.option(
        "--search-only",
        is_flag=True,
        default=None,
        help="For distill: only search for programs, from the references' labels; nothing is proved.",
    ),
)


def bench_distill(
    chosen: BehaviourOptions,
    html: Path | None,
    output: Output,
    *,
    jobs: int,
    repeat: int,
    dump: Path | None,
    **options: Any,
) -> int:
    """Run the suite of behaviours, which has no columns, and one behaviour at a time."""
    from ..benchmarks.distill import run
    from ..benchmarks.distill_page import write_programs
    from ..benchmarks.distill_plan import DistillPlan
    from ..benchmarks.distill_report import print_summary
    from ..benchmarks.distill_results import summary_json

    many = {"--jobs": jobs if jobs > 1 else None, "--repeat": repeat if repeat > 1 else None}
    refuse(many, "the suite distill runs one behaviour at a time")
    refuse({"--dump": dump}, "the suite distill has no columns to compare")
    del options["seeds"]
    backends = names_in(options.pop("backends"))
    plan = DistillPlan(
        suite=chosen.behaviours,
        draw=_draw(chosen, options["seed"]),
        teacher=chosen.teacher,
        large=bool(chosen.large),
        search_only=bool(chosen.search_only),
        backends=backends,
        **options,
    )
    if plan.search_only:
        unused = {
            "--teacher": chosen.teacher,
            "--backends": backends,
            "--html": html,
            "--large": chosen.large,
        }
        refuse(unused, "--search-only labels a small domain, and has no teacher, prover or page")
        return _search_only(plan, output)
    if html is not None:
        check_place(html, plan)
    with status_line(output.quiet) as say:
        found = run(plan, say)
    if html is not None:
        write_programs(html, found)
    output.show(lambda: summary_json(found), lambda: print_summary(found, plan.folder, plan.draw is not None))
    return 0


def _draw(chosen: BehaviourOptions, seed: int) -> Draw | None:
    """Return what is to be drawn; None without --random.  Raises InputError."""
    from ..benchmarks.distill_random import Draw

    if chosen.random is None:
        refuse({"--size": chosen.size}, "it is the size of random behaviours")
        return None
    refuse({"--suite": chosen.behaviours}, "--random draws the behaviours")
    ends = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", chosen.size or SIZE)
    if ends is None:
        raise InputError("--size", f"{chosen.size!r} is no range of lengths", "write it as 6-12")
    return Draw(chosen.random, int(ends[1]), int(ends[2] or ends[1]), seed)


def check_place(html: Path, plan: DistillPlan) -> None:
    """Raise InputError if the page could not be written, or would replace the suite or a result."""
    from ..benchmarks.distill import SUMMARY
    from ..models.apart import check_apart
    from ..reports.html import check_page

    check_page(html)
    read = () if plan.suite is None else (plan.suite,)
    check_apart([("--out", plan.folder / SUMMARY), ("--html", html)], read)


def _search_only(plan: DistillPlan, output: Output) -> int:
    """Search for programs, and print each as soon as it is found."""
    from ..benchmarks.distill_report import print_search, print_searched
    from ..benchmarks.distill_search import FoundProgram, run, search_json

    def nothing(found: FoundProgram) -> None:
        pass

    with status_line(output.quiet) as say:
        found = run(plan, say, nothing if output.quiet or output.as_json else print_searched)
    output.show(lambda: search_json(found), lambda: print_search(found, plan.draw is not None))
    return 0
