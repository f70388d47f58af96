"""The commands that compare solvers: `bench`, `report` and `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..common.errors import InputError
from .limits import Limited, memory_option, timeout_option
from .options import html_option, json_option, names_in, print_json, quiet_option, status_line, writing


@click.command(cls=Limited, each=True)
@click.argument("suite", required=False)
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("out/bench"),
    show_default=True,
    help="Folder for claims and results.",
)
@click.option(
    "--backends",
    default=None,
    help="Only these columns, separated by commas [default: all; of vnncomp: race].",
)
@click.option(
    "--seeds",
    type=click.Choice(["tune", "report"]),
    default="tune",
    show_default=True,
    help="Seeds of the suite `tokens`.",
)
@click.option("--only", default="", help="Only claims whose name matches this regular expression.")
@timeout_option(60.0, "Seconds for each attempt.")
@click.option(
    "--memory", type=click.IntRange(64), default=4096, show_default=True, help="Megabytes per solver."
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=None,
    help="Solvers side by side in the race, and threads of each solver [default: one per core].",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the solvers.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Attempts side by side; more than 1 blurs the times.",
)
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Make each attempt N times; medians count.",
)
@click.option("--again", is_flag=True, help="Make attempts again that have a result.")
@click.option(
    "--dump",
    type=click.Path(path_type=Path),
    default=None,
    help="Write every column's formulas to this new folder first.",
)
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path),
    default=None,
    help="Only report on the results in FOLDER.",
)
@html_option
@quiet_option
@json_option
def bench(
    suite: str | None,
    directory: Path | None,
    folder: Path | None,
    html: Path | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Run each solver alone, and the race, on every claim of SUITE, and compare them
    (docs/reference/benchmark.md).

    \b
    SUITE is one of
      tokens              claims with trained networks, made from seeds
      a claim file, or a folder of claim files
      distill             50 known behaviours, from circuit to proof
      vnncomp DIRECTORY   `relucid verify` on every instance of an instances.csv (or that folder alone)

    Attempts that have a result in --out are not made again, so a run that was stopped goes on.
    """
    if suite is not None and directory is None and (Path(suite) / "instances.csv").is_file():
        suite, directory = "vnncomp", Path(suite)
    if suite == "vnncomp" or directory is not None:
        return _bench_vnncomp(suite, directory, html, quiet, as_json, **options)
    if suite == "distill" and folder is None:
        return _bench_distill(html, quiet, as_json, **options)
    from ..benchmarks.bench import plan_of, read_files, report, run, written_files
    from ..benchmarks.watch import watching

    if html is not None:
        from ..models.apart import check_apart
        from ..reports.html import check_page

        check_page(html)
        written = written_files(folder or options["out"])
        check_apart(
            [*(("--out", p) for p in written), ("--html", html)],
            read_files(suite) if folder is None and suite else (),
        )
    with watching(quiet) as watch:
        if folder is not None:
            summary, out = report(folder, options["only"]), folder
        else:
            plan = plan_of(suite, backends=names_in(options.pop("backends")), **options)
            summary, out = run(plan, watch), plan.out
    return _shown(summary, out, html, quiet, as_json)


def _no_columns(suite: str, jobs: int, repeat: int, dump: Path | None, html: Path | None) -> None:
    """Raise InputError for options that only a suite of claims has."""
    for option, given in (("--jobs", jobs > 1), ("--repeat", repeat > 1)):
        if given:
            raise InputError(option, f"the suite {suite} runs one behaviour at a time", "leave it out")
    for option, file in (("--dump", dump), ("--html", html)):
        if file is not None:
            raise InputError(option, f"the suite {suite} has no columns to compare", "leave it out")


def _bench_vnncomp(
    suite: str | None,
    directory: Path | None,
    html: Path | None,
    quiet: bool,
    as_json: bool,
    *,
    jobs: int,
    repeat: int,
    dump: Path | None,
    **options: Any,
) -> int:
    from .verify import bench_vnncomp

    if suite == "vnncomp":
        _no_columns(suite, 1, 1, dump, None)
    return bench_vnncomp(suite, directory, html, quiet, as_json, jobs=jobs, repeat=repeat, **options)


def _bench_distill(
    html: Path | None,
    quiet: bool,
    as_json: bool,
    *,
    jobs: int,
    repeat: int,
    dump: Path | None,
    backends: str | None,
    seeds: str,
    **options: Any,
) -> int:
    """Run the suite of behaviours.  It has no columns, and runs one behaviour at a time."""
    from ..benchmarks.distill import DistillPlan, print_summary, run, summary_json

    _no_columns("distill", jobs, repeat, dump, html)
    del seeds
    plan = DistillPlan(backends=names_in(backends), **options)
    with status_line(quiet) as say:
        found = run(plan, say)
    with writing():
        if as_json:
            print_json(summary_json(found))
        else:
            print_summary(found, plan.out)
    return 0


@click.command(name="report", cls=Limited)
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--only", default="", help="Only claims whose name matches this regular expression.")
@html_option
@timeout_option(600.0)
@memory_option(8192)
@quiet_option
@json_option
def report_command(
    results: Path, only: str, html: Path | None, quiet: bool, as_json: bool, **limits: Any
) -> int:
    """Report on RESULTS, and change nothing there.

    RESULTS is a results.jsonl of `bench` or its folder, or the folder that `distill` wrote.
    """
    from ..benchmarks.bench import summary_of
    from ..benchmarks.results import results_path
    from ..reports.run import is_run

    path = results_path(results)
    if html is not None:
        from ..models.apart import check_apart, claim_files
        from ..reports.html import check_page
        from ..reports.run import CLAIM, RESULT

        check_page(html)
        check_apart([("--html", html)], (path, results / RESULT, *claim_files(results / CLAIM)))
    if not path.exists() and is_run(results):
        return _distillation(results, only, html, quiet, as_json)
    return _shown(summary_of(path, only), None, html, quiet, as_json)


def _distillation(folder: Path, only: str, html: Path | None, quiet: bool, as_json: bool) -> int:
    """Write the page on a distillation if one is wanted, then print text or JSON."""
    from ..reports.distillation_page import examined, write_distillation
    from ..reports.distillation_text import print_report, report_json
    from ..reports.run import read_run

    if only:
        raise InputError("--only", "a distillation is about one claim", "leave it out")
    with status_line(quiet) as progress:
        found = examined(read_run(folder), progress)
    if html is not None:
        write_distillation(html, found)
    with writing():
        if as_json:
            print_json(report_json(found))
        else:
            print_report(found, None if html is None else str(html), quiet)
    return 0


def _shown(summary: Any, out: Path | None, html: Path | None, quiet: bool, as_json: bool) -> int:
    """Write the page if one is wanted, then print tables or JSON."""
    if html is not None:
        from ..benchmarks.page import write_page

        write_page(html, summary)
    with writing():
        if as_json:
            from ..benchmarks.summary_json import summary_json

            print_json(summary_json(summary))
        else:
            from ..benchmarks.report import print_report

            print_report(summary, out, html, quiet)
    return 0


@click.command(cls=Limited)
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=0.1,
    show_default=True,
    help="Times that differ by less than this share are equal.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Level of the paired test.",
)
@timeout_option(600.0)
@memory_option(8192)
@quiet_option
@json_option
def compare(
    before: Path, after: Path, tolerance: float, alpha: float, quiet: bool, as_json: bool, **limits: Any
) -> int:
    """Say what changed from BEFORE to AFTER, two results.jsonl of `bench` or their folders.

    Exit status: 0 nothing is worse, 1 something is (newly lost or wrong, or slower by the paired test),
    2 bad input.
    """
    from ..benchmarks.comparison import compared, comparison_json
    from ..benchmarks.results import read_file, results_path

    first, second = (read_file(results_path(path)) for path in (before, after))
    found = compared(first, second, tolerance, alpha)
    with writing():
        if as_json:
            print_json(comparison_json(found))
        else:
            from ..benchmarks.report import print_comparison

            print_comparison(found, quiet)
    return int(found.worse)


commands = (bench, report_command, compare)
