"""The distill suite as one HTML file: a table of the behaviours, then each program beside its reference.

The text is `reports/programs.html`, in the frame of all reports (`reports/html.py`).
"""

from __future__ import annotations

from pathlib import Path

from ..models.program.source import shown
from ..reports import html
from .distill_results import NEAR, SuiteResult, summary_json

FRAME = Path(html.__file__).with_name("programs.html")
LONGEST = 20_000  # characters of a program that the page shows


def write_programs(path: Path, result: SuiteResult) -> None:
    """Write the page, whole or not at all.  Raises InputError."""
    html.write_html(path, page(result))


def page(result: SuiteResult) -> str:
    """Return the HTML text."""
    return html.rendered(
        FRAME,
        {"charts": {}},
        {"code": _code},
        found=result.measured,
        totals=summary_json(result)["totals"],
        near=NEAR,
    )


def _code(program: str) -> str:
    text = shown(program.rstrip())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n... {len(text) - LONGEST} more characters"
