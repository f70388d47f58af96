"""The text of a program, read in one way everywhere, so that what is shown and saved is what is proved.

A line ends at a newline and nowhere else, and every character looks like what it is.  `program.py` and
`syntax.py` read text through this module; terminal and reports show it through this module.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from typing import Any

from ...common.errors import ProgramError
from ...common.text import plain, visible

_CODING = re.compile(r"[ \t]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)")
_UTF8 = re.compile(r"utf-?8(-.*)?", re.IGNORECASE)
_LAYOUT = "\n\t"


def decoded(data: bytes, where: str) -> str:
    """Return the text of a program file: UTF-8, with or without a byte order mark, as CPython reads it.

    `where` is the file's name in messages.  Raises ProgramError.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ProgramError(f"{where}:{line}", "the file is not UTF-8 text", "save it as UTF-8") from None


def newlines(text: str) -> str:
    """Return the text with the line ends of other systems (CR LF) as newlines."""
    return text.replace("\r\n", "\n")


def check_text(text: str, origin: str) -> None:
    """Refuse text that readers could take differently.  Raises ProgramError with line and column.

    Refused are control characters (a lone CR, form feeds, NUL), separators of lines and paragraphs,
    characters that reorder what is shown or have no width, spaces other than U+0020, characters that Unicode
    does not assign, and a coding line that does not name UTF-8.
    """
    strange = [text.index(c) for c in set(text) if c not in _LAYOUT and not plain(c)]
    if strange:
        at = min(strange)
        line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
        c = text[at]
        name = unicodedata.name(c, "")
        what = f"the character U+{ord(c):04X}{f' ({name})' if name else ''} does not show as what it is"
        raise ProgramError(
            f"{origin}:{line}:{column}", what, f'write it as "{visible(c)}" inside a string, or leave it out'
        )
    for number, line_text in enumerate(lines(text)[:2], start=1):
        coding = _CODING.match(line_text)
        if coding and not _UTF8.fullmatch(coding[1].replace("_", "-")):
            raise ProgramError(
                f"{origin}:{number}",
                f"the coding line names {coding[1]}",
                "programs are UTF-8: leave the line out",
            )


def check_strings(tree: ast.Module, text: str, origin: str) -> None:
    """Refuse a tab inside a string, because readers cannot tell it from spaces.  Raises ProgramError.

    Docstrings are left alone: nothing is proved about them.
    """
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        has_tab = (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and "\t" in node.value
            and id(node) not in said
        )
        if has_tab and "\t" in segment(text, node):
            line = node.lineno  # type: ignore[attr-defined]
            what = "a string holds a tab, which looks like spaces"
            raise ProgramError(f"{origin}:{line}", what, r"write it as \t")


def lines(text: str) -> list[str]:
    """Return the lines as Python counts them in checked text, without their ends."""
    return text.split("\n")


def without_margin(text: str) -> str:
    """Return the text without the white space that all lines begin with.  Blank lines do not count."""
    rows = [row for row in lines(text) if row.strip(" \t")]
    margin = rows[0][: len(rows[0]) - len(rows[0].lstrip(" \t"))] if rows else ""
    while not all(row.startswith(margin) for row in rows):
        margin = margin[:-1]
    return "\n".join(row[len(margin) :] for row in lines(text)) if margin else text


def whole_lines(text: str, node: Any) -> str:
    """Return the lines on which a node of the text's syntax tree stands."""
    return "\n".join(lines(text)[node.lineno - 1 : node.end_lineno])


def segment(text: str, node: Any) -> str:
    """Return a node's own text.  Its columns count bytes of UTF-8."""
    rows = [row.encode() for row in whole_lines(text, node).split("\n")]
    rows[-1] = rows[-1][: node.end_col_offset]
    rows[0] = rows[0][node.col_offset :]
    return b"\n".join(rows).decode()


def shown(text: str) -> str:
    """Return the text for a screen: tabs expanded to every 8th column, invisible characters spelled out."""
    return "\n".join(map(visible, lines(newlines(text).expandtabs(8))))
