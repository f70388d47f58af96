"""What tests of every HTML report share: reading the file as a parser does, and opening it in a headless
Chromium, offline.

The browser is $RELUCID_CHROMIUM, a Chromium or Chrome on the path, or the one that `playwright install
chromium` has fetched; .ci/run installs Debian's where it can.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
VOID = {"meta", "link", "br", "img", "input", "hr", "wbr", "base", "col"}
DRAWN = "Object.keys(window.views || {}).length === document.querySelectorAll('[data-chart]').length"


class Reader(HTMLParser):
    """Elements, those that point elsewhere, the text outside scripts, and cells: what stands in elements with
    `data-what`, by table and row.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.stack = "", [""]
        self.cells: dict[tuple[str, str, str], str] = {}
        self.table = self.row = ""
        self.cell: tuple[str, str, str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.tags.append((tag, found))
        if tag not in VOID:
            self.stack.append(tag)
        for key in ("src", "href", "action", "data", "xlink:href"):
            if (value := found.get(key)) and not value.startswith(("#", "data:")):
                self.outside.append(value)
        if tag == "table":
            self.table = found.get("id") or ""
        if tag == "tr":
            self.row = found.get("data-column") or ""
        if "data-what" in found:
            self.cell = (
                self.table if tag == "td" else "text",
                self.row if tag == "td" else "",
                str(found["data-what"]),
            )

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:  # in SVG
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        self.stack.pop()
        if tag in ("td", "span"):
            self.cell = None

    def handle_data(self, data: str) -> None:
        if self.stack[-1] not in ("script", "style"):
            self.text += data
            if self.cell:
                self.cells[self.cell] = self.cells.get(self.cell, "") + data


def check_frame(text: str) -> Reader:
    """What holds of every page: nothing is fetched, headings in order, tables and pictures have names,
    anchors lead somewhere.
    """
    reader = Reader(text)
    assert reader.outside == [] and "@import" not in text.split("</style>")[0]
    assert not [tag for tag, _ in reader.tags if tag in ("link", "iframe", "object", "embed", "form")][
        1:
    ]  # the first: the icon
    assert ("html", {"lang": "en"}) in reader.tags
    ids = [found["id"] for _, found in reader.tags if "id" in found]
    assert len(ids) == len(set(ids))
    anchors = {str(found["href"])[1:] for tag, found in reader.tags if tag == "a"}
    assert anchors <= set(ids)
    assert {
        name
        for _, found in reader.tags
        if "aria-labelledby" in found
        for name in str(found["aria-labelledby"]).split()
    } <= set(ids)
    levels = [int(tag[1]) for tag, _ in reader.tags if tag in ("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b <= a + 1 for a, b in itertools.pairwise(levels))
    for tag, found in reader.tags:
        if tag == "th":
            assert found.get("scope") in ("col", "row")
        if tag == "img":
            assert found.get("alt")
        if tag == "svg":
            assert found.get("role") == "img" and found.get("aria-label")
    return reader


def chromium(driver: Any) -> str | None:
    named = os.environ.get("RELUCID_CHROMIUM") or next(
        (path for name in NAMES if (path := shutil.which(name))), None
    )
    return named or (
        driver.chromium.executable_path if Path(driver.chromium.executable_path).exists() else None
    )


@contextmanager
def offline(browser: Any) -> Iterator[Callable[[Path], Any]]:
    """Opens files without a network; at the end, whatever the console said or the page asked for fails the
    test.
    """
    said: list[str] = []
    context = browser.new_context(offline=True, color_scheme="dark", viewport={"width": 1200, "height": 900})

    def open_page(path: Path) -> Any:
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file:", "data:", "blob:")) else said.append(request.url)
            ),
        )
        page.goto(path.as_uri())
        page.wait_for_function(DRAWN)
        return page

    yield open_page
    context.close()
    assert said == []
