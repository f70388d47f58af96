"""The frame of every HTML report: one file that needs nothing else.

Every number stands in a table that a template makes; the plots are specifications which Vega, carried inside the file, draws as SVG.  The
templates of `benchmarks/page.py` and `distillation_page.py` fill the blocks of `base.html`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.folders import check_writable, write_files
from ..common.optional import require
from ..common.text import visible
from ..version import __version__


def check_page(path: Path) -> None:
    """Fail before the work starts: raises InputError where the page could not be made or written."""
    for package in ("jinja2", "vl_convert"):
        require(package, "--html")
    if path.is_dir():
        raise InputError("--html", f"{path} is a folder", "give a file name")
    check_writable(path.parent, (path.name,))


def write_html(path: Path, text: str) -> None:
    """All or nothing.  Raises InputError."""
    check_page(path)
    write_files(path.parent, {path.name: text})


def rendered(
    template: Path, data: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]], **facts: Any
) -> str:
    """The page: `data` is what its scripts read (`charts`: by name), `facts` what its template shows."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader([template.parent, Path(__file__).parent])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(seen=lambda text: visible(str(text)), embedded=_embedded, **filters)
    return environment.get_template(template.name).render(
        relucid=__version__, data=data, bundle=_drawing(), **facts
    )


def _drawing() -> str:
    """Vega, Vega-Lite and vega-embed as one script, which comes with vl-convert: nothing is fetched."""
    import vl_convert

    script: str = vl_convert.javascript_bundle(None)  # type: ignore[arg-type]  # its stub is wrong: None is the default
    return script.replace("</script", "<\\/script")


def _embedded(value: object) -> str:
    """JSON that may stand inside a script element, whatever names the data hold."""
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
