"""The shape of the code as a test: sizes, names and words that keep the package easy to read.

Each test lists what breaks a rule.  Rules have no list of exceptions: what does not fit gets a better shape.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from package_files import ROOMS, ROOT

MOST_LINES = 300
MOST_PARAMETERS = 7
MOST_COLUMNS = 110
MOST_README_LINES = 20


def modules() -> Iterator[Path]:
    """Yield every module of the package."""
    yield from (p for p in ROOT.glob("*.py") if p.name != "setup.py")
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def written() -> Iterator[Path]:
    """Yield everything that people read: code, tests and documents."""
    yield from modules()
    yield from (p for p in sorted((ROOT / "tests").rglob("*.py")) if "corpus" not in p.parts)
    yield from (p for p in sorted(ROOT.glob("*.md")))
    for room in (*ROOMS, "docs", "tests", "examples"):
        yield from sorted((ROOT / room).rglob("*.md"))


def long_modules() -> set[str]:
    """Return modules with more than 300 lines; docstrings do not count, so that nobody saves on them."""
    found = set()
    for path in modules():
        text = path.read_text(encoding="utf-8")
        said = sum((d.end_lineno or d.lineno) - d.lineno + 1 for d in docstrings(ast.parse(text)))
        if len(text.splitlines()) - said > MOST_LINES:
            found.add(place(path))
    return found


def docstrings(tree: ast.AST) -> Iterator[ast.Expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield first


def repeated_classes() -> set[str]:
    homes = defaultdict(set)
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(place(path))
    return {name for name, places in homes.items() if len(places) > 1}


def long_signatures() -> set[str]:
    """Return functions, and constructors of plain classes, that take more than seven parameters."""
    found = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = node.args
                names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
                count = len([name for name in names if name not in ("self", "cls")])
                is_command = any(
                    "click" in ast.unparse(d) or "command" in ast.unparse(d) for d in node.decorator_list
                )
                if count > MOST_PARAMETERS and not is_command:
                    found.add(f"{place(path)}:{node.name}")
    return found


def long_lines() -> set[str]:
    """Return places with long lines.

    In documents, tables, code and links are left out.  In tests, so are lines that are long because of a
    string: programs, patterns and error messages are easier to read and to find in one piece.
    """
    found = set()
    for path in written():
        text = path.read_text(encoding="utf-8")
        if all(len(line) <= MOST_COLUMNS for line in text.splitlines()):
            continue
        in_string = strings(text) if path.suffix == ".py" and place(path).startswith("tests/") else set()
        fenced = False
        for number, line in enumerate(text.splitlines(), 1):
            if path.suffix == ".md":
                fenced ^= line.lstrip().startswith("```")
                if fenced or line.lstrip().startswith("|") or " " not in line.strip()[:MOST_COLUMNS]:
                    continue
            if (
                len(line) > MOST_COLUMNS
                and number not in in_string
                and not re.search(r"  # (type: ignore|noqa|fmt: skip)", line)
            ):
                found.add(f"{place(path)}:{number}")
    return found


def strings(text: str) -> set[int]:
    """Return the lines that hold a string literal; docstrings do not count."""
    tree = ast.parse(text)
    said = {id(docstring.value) for docstring in docstrings(tree)}
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in said:
            if isinstance(node, ast.Constant) and not isinstance(node.value, str | bytes):
                continue
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def rooms() -> set[Path]:
    """Return the packages with at least two modules."""
    folders = {p.parent for p in modules() if p.parent != ROOT}
    packages = {f for f in folders if (f / "__init__.py").exists()}
    return {f for f in packages if len([p for p in f.glob("*.py") if p.name != "__init__.py"]) > 1}


def test_modules_have_one_subject() -> None:
    assert long_modules() <= set(), sorted(long_modules())


def test_a_class_name_means_one_thing() -> None:
    assert repeated_classes() <= set(), sorted(repeated_classes())


def test_functions_take_at_most_seven_parameters() -> None:
    assert long_signatures() <= set(), sorted(long_signatures())


def test_lines_fit_a_page() -> None:
    assert not long_lines(), sorted(long_lines())


def test_every_room_says_what_it_is() -> None:
    for room in sorted(rooms()):
        readme = room / "README.md"
        assert readme.exists(), (
            f"{place(room)}/README.md is missing: what lives here, where it stands in the flow, what one adds here"
        )
        assert len(readme.read_text(encoding="utf-8").splitlines()) <= MOST_README_LINES, place(readme)


@pytest.mark.parametrize("word", ["DESIGN"])
def test_nobody_cites_what_is_not_here(word: str) -> None:
    """Documents outside of the repository are no sources for its readers."""
    for path in written():
        if path != Path(__file__):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                assert not re.search(rf"\b{word}\b", line), f"{place(path)}:{number}"
