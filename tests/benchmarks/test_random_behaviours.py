"""Random behaviours: what is drawn, that it is varied and from a seed, and a run over a few."""

from __future__ import annotations

import ast
import itertools
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from relucid.benchmarks import distill_random, random_programs
from relucid.benchmarks.distill_behaviours import Behaviour, read_suite, suite_toml
from relucid.benchmarks.distill_random import Draw, _reducible, _reductions
from relucid.benchmarks.distill_results import by_length
from relucid.benchmarks.random_programs import RandomProgram, random_alphabet
from relucid.cli.main import main
from relucid.search.rank import description_length


@pytest.fixture(scope="module")
def drawn() -> tuple[Behaviour, ...]:
    return Draw(8, 6, 36).behaviours()


def test_all_follows_from_the_seed(drawn: tuple[Behaviour, ...]) -> None:
    again, other = Draw(2, 6, 36).behaviours(), Draw(2, 6, 36, seed=1).behaviours()
    assert again != other
    assert {b.reference.source for b in again} <= {b.reference.source for b in drawn}


def test_drawn_programs_vary_and_are_what_cpython_says(drawn: tuple[Behaviour, ...]) -> None:
    assert len({(b.domain.tokens, b.reference.source.split("(", 1)[1]) for b in drawn}) == 8
    for b in drawn:
        assert 6 <= b.reference_length <= 36 and f"_{b.reference_length}_" in b.name
        names: dict = {}
        exec(b.reference.source, names)
        lengths = range(b.domain.min_length, b.domain.max_length + 1)
        words = [w for n in lengths for w in itertools.product(b.domain.tokens, repeat=n)]
        count = Counter(names[b.name](w) for w in words)
        assert set(count) == set(b.labels) and 2 <= len(b.labels) <= 12
        assert max(count.values()) <= 0.95 * len(words) and len(words) == b.inputs <= 5000


def test_programs_have_every_form() -> None:
    rng = random.Random(0)
    text = "".join(RandomProgram(rng, random_alphabet(rng)).source("f", k % 4) for k in range(400))
    for part in (
        "for t in tokens:", "    x = ", " if ", "sum(", ".count(", "len(tokens)", "tokens[-", "int(t", "max(", "min(", "zip(", "% ",
        "// ", "index(", "in tokens", "len(set(", "sorted(tokens)[", "key=tokens.count", ".get(",
    ):  # fmt: skip
        assert part in text, part
    assert "sum((" not in text and "'" not in text


def test_programs_that_a_part_of_them_can_replace_are_not_drawn(drawn: tuple[Behaviour, ...]) -> None:
    sample = [w for n in range(1, 5) for w in itertools.product("ab", repeat=n)]
    for line in ('str(abs(tokens.count("a")))', 'str(min(tokens.count("a"), 9))', "tokens[-1] or tokens[0]"):
        assert _reducible(f"def drawn(tokens):\n    return {line}\n", sample)
    unused = "def drawn(tokens):\n    x = 0\n    y = 0\n    for t in tokens:\n        x = y\n        y = y + 1\n    return str(y)\n"
    assert _reducible(unused, sample) and "def drawn(tokens):" in next(_reductions(unused))
    assert not _reducible('def drawn(tokens):\n    return str(tokens.count("a") % 2)\n', sample)
    for b in drawn:
        words = [b.domain.unpadded(w) for w in b.labelled.words]
        assert not _reducible(b.reference.source.replace(f"def {b.name}(", "def drawn("), words)


def test_the_generator_knows_nothing_of_the_search_but_what_length_is() -> None:
    for module in (distill_random, random_programs):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        assert {name for name in found if name.startswith("search")} <= {"search.rank"}


def test_a_suite_that_is_written_reads_the_same(drawn: tuple[Behaviour, ...], tmp_path: Path) -> None:
    tiny = read_suite(Path(__file__).with_name("behaviours.toml"))
    (tmp_path / "suite.toml").write_text(suite_toml((*drawn, *tiny)), encoding="utf-8")
    again = read_suite(tmp_path / "suite.toml")
    assert [b.digest for b in again] == [b.digest for b in (*drawn, *tiny)]
    assert [b.large for b in again] == [b.large for b in (*drawn, *tiny)]


def test_counts_by_length() -> None:
    found = by_length([(8, 8, True), (6, 7, True), (8, None, False), (8, 6, True), (6, 6, False)])
    assert found == [
        {"length": 6, "behaviours": 2, "settled": 1, "no_longer": 0},
        {"length": 8, "behaviours": 3, "settled": 2, "no_longer": 2},
    ]


def test_random_behaviours_run_and_are_a_suite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = [
        "bench",
        "distill",
        "--random",
        "2",
        "--size",
        "6-8",
        "--out",
        str(out),
        "--backends",
        "enumerate",
    ]
    assert main([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [m["teacher"] for m in said["behaviours"]] == ["exact", "exact"]
    assert all(description_length(m["reference"]) == m["reference_length"] <= 8 for m in said["behaviours"])
    assert sum(row["behaviours"] for row in said["totals"]["by_reference_length"]) == 2
    before = {path: path.read_bytes() for path in out.rglob("measured.json")}
    suite = ["bench", "distill", "--suite", str(out / "suite.toml"), "--out", str(out)]
    assert main([*suite, "--backends", "enumerate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == said  # no result is made again
    assert before == {path: path.read_bytes() for path in out.rglob("measured.json")}
    assert main([*command, "--search-only"]) == 2 and "--backends" in capsys.readouterr().err
    assert main([*command[:-2], "--search-only", "-q"]) == 0
    assert "reference's length  behaviours  settled  no longer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--random", "2", "--size", "12-6"], "--size: 12-6 are no lengths from 6 to 60"),
        (["--random", "2", "--size", "1-99"], "--size: 1-99 are no lengths"),
        (["--random", "2", "--size", "big"], "--size: 'big' is no range of lengths"),
        (["--size", "6-8"], "--size: it is the size of random behaviours"),
        (["--random", "2", "--suite", "x.toml"], "--suite: --random draws the behaviours"),
        (["--random", "1", "--size", "7"], "--size: no program with a length from 7 to 7 was drawn"),
        (["--random", "1", "--size", "6", "--large"], "--large: none of the behaviours has a large_length"),
    ],
)
def test_bad_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["bench", "distill", *options, "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert message in printed.err and printed.err.count("\n") == 1 and not printed.out
    assert not (tmp_path / "out").exists()
