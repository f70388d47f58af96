"""The frame of every HTML report: one file that needs no network.

Templates make tables of all numbers.  Plots are specifications that Vega, which is part of the file, draws as
SVG. The templates of `benchmarks/page.py` and `distillation_page.py` fill the blocks of `base.html`.
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
    """Fail before the work starts: raise InputError if the page could not be made or written."""
    for package in ("jinja2", "vl_convert"):
        require(package, "--html")
    if path.is_dir():
        raise InputError("--html", f"{path} is a folder", "give a file name")
    check_writable(path.parent, (path.name,))


def write_html(path: Path, text: str) -> None:
    """Write the page, all of it or nothing.  Raises InputError."""
    check_page(path)
    write_files(path.parent, {path.name: text})


def rendered(
    template: Path, data: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]], **facts: Any
) -> str:
    """Return the page.  Its scripts read `data` (`charts` by name); its template shows `facts`."""
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
    """Return Vega, Vega-Lite and vega-embed as one script.  vl-convert brings it, so nothing is fetched."""
    import vl_convert

    # The stub of vl-convert is wrong: None is the default.
    script: str = vl_convert.javascript_bundle(None)  # type: ignore[arg-type]
    return script.replace("</script", "<\\/script")


def _embedded(value: object) -> str:
    """Return JSON that is safe inside a script element, whatever names the data contain."""
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
