"""`bench distill`: behaviours whose programs are known, from circuit to proof.

`benchmarking.py` has the command and calls this; nothing heavy is imported at the top.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import Output, bundled, choice_option, names_in, refuse
from .printing import status_line

if TYPE_CHECKING:
    from ..benchmarks.distill import DistillPlan, TeacherKind


@dataclass(frozen=True)
class BehaviourOptions:
    """Which behaviours are distilled, and what from."""

    behaviours: Path | None = None
    teacher: TeacherKind | None = None
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
    choice_option(
        "--teacher",
        ("exact", "trained"),
        "For distill: a circuit that runs the reference, or a trained network "
        "[default: exact with --suite, else trained].",
    ),
    click.option(
        "--search-only",
        is_flag=True,
        default=None,
        help="For distill: only search for programs, from the references' labels; nothing is proved.",
    ),
)


def refuse_columns(suite: str, jobs: int, repeat: int, dump: Path | None, html: Path | None) -> None:
    """Raise InputError for options that only a suite of claims has."""
    many = {"--jobs": jobs if jobs > 1 else None, "--repeat": repeat if repeat > 1 else None}
    refuse(many, f"the suite {suite} runs one behaviour at a time")
    refuse({"--dump": dump, "--html": html}, f"the suite {suite} has no columns to compare")


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
    from ..benchmarks.distill import DistillPlan, run
    from ..benchmarks.distill_report import print_summary
    from ..benchmarks.distill_results import summary_json

    refuse_columns("distill", jobs, repeat, dump, html)
    del options["seeds"]
    backends = names_in(options.pop("backends"))
    plan = DistillPlan(suite=chosen.behaviours, teacher=chosen.teacher, backends=backends, **options)
    if chosen.search_only:
        refuse(
            {"--teacher": chosen.teacher, "--backends": backends},
            "--search-only has no teacher and no prover",
        )
        return _search_only(plan, output)
    with status_line(output.quiet) as say:
        found = run(plan, say)
    output.show(lambda: summary_json(found), lambda: print_summary(found, plan.out))
    return 0


def _search_only(plan: DistillPlan, output: Output) -> int:
    """Search for programs, and print each as soon as it is found."""
    from ..benchmarks.distill_report import print_search, print_searched
    from ..benchmarks.distill_search import FoundProgram, run, search_json

    def nothing(found: FoundProgram) -> None:
        pass

    with status_line(output.quiet) as say:
        found = run(plan, say, nothing if output.quiet or output.as_json else print_searched)
    output.show(lambda: search_json(found), lambda: print_search(found))
    return 0
