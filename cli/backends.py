"""`relucid backends`: the table of solvers, and the conformance checks of one.

Registered by `cli/main.py`.
"""

from __future__ import annotations

import click

from .limits import Limited
from .printing import writing


@click.command(name="backends", cls=Limited)
@click.option(
    "--check",
    "name",
    default=None,
    help="Run the conformance checks on this backend (docs/reference/add-a-backend.md).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_backends(name: str | None, as_json: bool) -> int:
    """List the installed solvers with version, trust and options.

    With --check, the exit status is 0 if the backend conforms, else 1.
    """
    from ..reports.console import backends_table, conformance_report

    if name is not None:
        return 0 if conformance_report(name, as_json) else 1
    with writing():
        backends_table(as_json)
    return 0


commands = (list_backends,)
