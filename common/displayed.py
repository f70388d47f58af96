"""How objects show themselves in a notebook.

A class that derives from `Displayed` has a `_repr_html_`, which Jupyter looks for.  `reports/notebook.py`
makes the HTML.  It is found by its name when it is needed, so that data types do not depend on reports.
"""

from __future__ import annotations

from importlib import import_module


class Displayed:
    """An object that a notebook shows as HTML, and everything else by its `repr`."""

    def _repr_html_(self) -> str:
        package = __name__.partition(".")[0]
        html: str = import_module(f"{package}.reports.notebook").html(self)
        return html
