"""The architecture as a test: imports run one way, every module imports alone, heavy packages stay out of the
fast paths.
"""

from __future__ import annotations

import ast
import functools
import random
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
from package_files import ROOMS as LAYERS
from package_files import ROOT

SKIPPED = {"tests", ".venv", "build", "docs", "out", "examples", "setup.py"}
HEAVY = {
    "torch",
    "matplotlib",
    "ortools",
    "z3",
    "bitwuzla",
    "cvc5",
    "exact",
    "pysat",
    "onnxruntime",
    "rich",
    "scipy",
    "pandas",
    "vl_convert",
    "jinja2",
    "pygments",
    "highspy",
    "playwright",
}


@functools.cache
def modules() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.py") if not SKIPPED & set(p.relative_to(ROOT).parts[:1]))


def name(path: Path) -> str:
    parts = ("relucid", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(path: Path) -> int | None:
    first = path.relative_to(ROOT).with_suffix("").parts[0]
    return LAYERS.index(first) if first in LAYERS else None


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imports(
    path: Path, *, top_level_only: bool = False, but_for_types: bool = False
) -> list[tuple[str, int]]:
    """Absolute names of everything a module imports, with lines; `but_for_types`: not what only type checkers
    read.
    """
    tree = parsed(path)
    if but_for_types:
        told = [
            n for n in tree.body if not (isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test))
        ]
        tree = ast.Module(told, [])
    package = name(path).split(".") if path.name == "__init__.py" else name(path).split(".")[:-1]
    found = []
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *(node.module.split(".") if node.module else [])])
            found += [(f"{stem}.{alias.name}", node.lineno) for alias in node.names]
    return found


def test_imports_run_one_way() -> None:
    for path in (p for p in modules() if layer(p) is not None):
        for imported, line in imports(path):
            parts = imported.split(".")
            if parts[0] == "relucid" and len(parts) > 1 and parts[1] in LAYERS:
                assert LAYERS.index(parts[1]) <= layer(path), f"{path}:{line} imports {imported}"


def imported_modules() -> dict[str, set[str]]:
    """Return, for each module, the modules of the package that it imports, at the top or inside functions."""
    known = {name(path) for path in modules()}
    graph: dict[str, set[str]] = {}
    for path in modules():
        found = set()
        for imported, _ in imports(path, but_for_types=True):
            while imported and imported not in known:
                imported = imported.rpartition(".")[0]
            if imported not in ("", "relucid", name(path)):
                found.add(imported)
        graph[name(path)] = found
    return graph


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the strongly connected components with more than one module (Tarjan 1972, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []
    for start in graph:
        work = [] if start in number else [(start, iter(sorted(graph[start])))]
        while work:
            here, targets = work[-1]
            if here not in number:
                number[here] = low[here] = len(number)
                stack.append(here)
            following = next((t for t in targets if t in graph and (t not in number or t in stack)), None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[here])
                if low[here] == number[here]:
                    together = set(stack[stack.index(here) :])
                    del stack[stack.index(here) :]
                    found += [together] if len(together) > 1 else []
            elif following in number:
                low[here] = min(low[here], number[following])
            else:
                work.append((following, iter(sorted(graph[following]))))
    return found


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"f", "a"}, "f": {"e"}}
    assert sorted(map(sorted, circles(graph))) == [["b", "c"], ["e", "f"]]


def test_no_modules_import_each_other() -> None:
    """Nor through others, nor inside functions: what needs each other is one subject, or has a third one in
    common.
    """
    assert not circles(imported_modules())


def test_every_import_names_a_module_that_is_there() -> None:
    """Imports inside functions, and those of tests, too: type checkers take a missing module for one of
    unknown types.
    """
    known = {name(path) for path in modules()}
    for path in (*modules(), *sorted((ROOT / "tests").rglob("*.py"))):
        package = name(path).split(".") if path.name == "__init__.py" else name(path).split(".")[:-1]
        for node in ast.walk(parsed(path)):
            if not isinstance(node, ast.ImportFrom):
                continue
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *(node.module.split(".") if node.module else [])])
            if stem.startswith("relucid") and not stem.startswith("relucid.tests"):
                assert stem in known, f"{path}:{node.lineno} imports from {stem}"


def test_inside_the_package_imports_are_relative() -> None:
    for path in modules():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert not (node.module or "").startswith("relucid"), f"{path}:{node.lineno}"


def test_backends_never_import_each_other() -> None:
    backends = set((ROOT / "verifiers" / "backends").glob("[a-z]*.py"))
    for path in backends:
        others = {p.stem for p in backends} - {path.stem}
        for imported, line in imports(path):
            parts = imported.split(".")
            assert parts[:3] != ["relucid", "verifiers", "backends"] or parts[3] not in others, (
                f"{path}:{line}"
            )


def test_heavy_packages_are_imported_where_they_are_needed() -> None:
    # their one subject: these are imported only to print, train.py is a script
    allowed = {"console.py": {"rich"}, "console_show.py": {"rich"}, "train.py": {"torch"}}
    for path in modules():
        for imported, line in imports(path, top_level_only=True):
            heavy = HEAVY - allowed.get(path.name, set())
            assert imported.split(".")[0] not in heavy, f"{path}:{line} imports {imported} at the top"


def test_every_module_has_a_docstring() -> None:
    for path in modules():
        assert ast.get_docstring(parsed(path)), path


@pytest.mark.parametrize("count", [60, pytest.param(None, marks=pytest.mark.slow)])
def test_every_module_imports_alone(count: int | None) -> None:
    """Each in a fresh interpreter state: no module works only because another was imported before it.

    A few modules on every run, others each time; all of them in the slow tests.
    """
    names = [name(p) for p in modules() if p.name != "__main__.py"]
    names = names if count is None else random.Random().sample(names, count)
    code = (
        "import importlib, os, sys\n"
        "import click, numpy, onnx\n"  # other people's, once for all: what stands alone or not is ours
        "for module in sys.argv[1:]:\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        try:\n"
        "            importlib.import_module(module)\n"
        "        except BaseException as error:\n"
        "            print(module, type(error).__name__, error, flush=True)\n"
        "            os._exit(1)\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *names], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.stdout == "" and result.returncode == 0, result.stdout + result.stderr


def test_help_imports_nothing_heavy() -> None:
    code = "import sys\nfrom relucid.cli.main import main\nmain(['--help'])\nprint(sorted(m for m in sys.modules if '.' not in m), file=sys.stderr)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(ast.literal_eval(result.stderr.strip().splitlines()[-1]))
    assert not loaded & (HEAVY | {"numpy", "onnx"}), loaded & (HEAVY | {"numpy", "onnx"})


def proof_modules(*names: str) -> set[str]:
    return {f"relucid.verifiers.proof.{name}" for name in names}


READER = ("tree", "region", "lines", "format")
TRUSTED = {
    "words.checker": proof_modules("words.checker", "words.network_rows", "words.sweep", *READER),
    "words.witness": proof_modules("words.witness", "witness", "format"),
    "words.positions": proof_modules(
        "words.positions",
        *("words.checker", "words.network_rows", "words.sweep", *READER),
        *("words.witness", "witness"),
    ),
    "boxes.checker": proof_modules(
        "boxes.checker", "boxes.rounded_network", "boxes.bounds", "boxes.exact_bounds", *READER
    ),
    "boxes.witness": proof_modules("boxes.witness", "witness", "format"),
}
EVERYTHING_TRUSTED = set().union(*TRUSTED.values())


@pytest.mark.parametrize("checker", TRUSTED)
def test_the_checkers_stand_on_models_numpy_and_the_standard_library_only(checker: str) -> None:
    """What has to be trusted for a proof (docs/reference/proof-format.md, 8 and 10), by the imports of the
    modules that are loaded with the checker.
    """
    command = f"import sys, relucid.verifiers.proof.{checker}\nprint(*(m for m in sys.modules if m.startswith('relucid.') and sys.modules[m].__file__))"
    loaded = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    ).stdout.split()
    inside = {m for m in loaded if not m.startswith(("relucid.common", "relucid.models"))} - {
        "relucid.version",
        "relucid.verifiers",
        "relucid.verifiers.proof",
        "relucid.verifiers.proof.words",
        "relucid.verifiers.proof.boxes",
    }
    assert inside == TRUSTED[checker]
    for path in modules():
        if name(path) in loaded:
            for imported, line in imports(path):
                root = imported.split(".")[0]
                assert root in {"relucid", "numpy", *sys.stdlib_module_names}, (
                    f"{path}:{line} imports {imported}"
                )


def test_the_checker_stays_small_enough_to_be_read() -> None:
    """In logical lines of code, which do not depend on how the code is wrapped or explained."""
    lines = {
        name(path).removeprefix("relucid.verifiers.proof."): logical_lines(path)
        for path in modules()
        if name(path) in EVERYTHING_TRUSTED
    }
    limits = {"words.checker": 685, "boxes.checker": 638}
    for checker, limit in limits.items():
        assert sum(lines[m.removeprefix("relucid.verifiers.proof.")] for m in TRUSTED[checker]) < limit, lines
    assert sum(lines.values()) < 1155, lines


def logical_lines(path: Path) -> int:
    """Lines of code; a docstring is none."""
    blank = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)
    with path.open("rb") as stream:
        kinds = [t.type for t in tokenize.tokenize(stream.readline) if t.type not in blank]
    docstrings = sum(
        kinds[i : i + 2] == [tokenize.STRING, tokenize.NEWLINE]
        and (i == 0 or kinds[i - 1] == tokenize.NEWLINE)
        for i in range(len(kinds))
    )
    return kinds.count(tokenize.NEWLINE) - docstrings


def test_no_module_of_the_checker_computes_with_floats() -> None:
    """No float literal, no float dtype or conversion, no true division in what decides."""
    for path in (p for p in modules() if name(p) in EVERYTHING_TRUSTED):
        for node in ast.walk(parsed(path)):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), path
            assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), path
            assert not (isinstance(node, ast.Attribute) and node.attr.startswith("float")), path
            assert not (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
            ), path
