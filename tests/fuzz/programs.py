"""Random programs of the readable subset: values and errors against CPython's, automata against running the
program on every word.
"""

from __future__ import annotations

import itertools
import random
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

from random_programs import TOKENS, Calm, Writer, brute_force, every_value, in_cpython, in_ours, language
from relucid.common.errors import InputError
from relucid.models.claims.domain import Domain
from relucid.models.claims.language import build_language
from relucid.models.program.program import Program, ProgramError

from .registry import Case, Counts

RUNS = 60  # of one program
STEPS = 5_000  # of one run
ENOUGH = 3  # runs over a limit: the others will be too
WORDS = [w for n in range(5) for w in itertools.product(TOKENS, repeat=n)]
KEEP = "def w(tokens):\n    n = 0\n    for t in tokens:\n        if t != 'b':\n            n += 1\n    return {}\n"
SIZED = ("len(tokens) > 1", '"a" in tokens', "n >= 1", 'tokens[:1] == ("a",)', "n % 2 == 0")
UNSIZED = ("n == 1", '"a" in tokens', "n >= 1", "n != 0 and tokens[0] == 'a'", "n % 2 == 0")


def cases(rng: random.Random) -> Iterator[Case]:
    while True:
        for _ in range(4):
            source = rng.choice((Writer, Calm))(rng, rng.random() < 0.4).program()
            yield {"source": source, "inputs": [list(w) for w in rng.sample(WORDS, RUNS)]}
        sized = rng.random() < 0.4
        source = rng.choice((Writer, Calm, Calm))(rng, True, sized).program()
        shortest = rng.randint(0, 3)
        keep = KEEP.format(rng.choice(SIZED if sized else UNSIZED)) if rng.random() < 0.5 else None
        yield {
            "source": source,
            "tokens": rng.randint(1, 3),
            "low": shortest,
            "high": max(1, shortest + rng.randint(0, 2)),
            "where": keep,
        }


def problem(case: Case, counts: Counts) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            program = Program(case["source"], "f")
        except ProgramError:
            return None  # smaller programs may be none
        return (
            against_cpython(program, case, counts) if "inputs" in case else automaton(program, case, counts)
        )


def against_cpython(program: Program, case: Case, counts: Counts) -> str | None:
    reference, left_out = in_cpython(case["source"]), 0
    for given in case["inputs"]:
        tokens = tuple(given)
        ours = in_ours(program, tokens, STEPS)
        if ours == ("raise", ""):  # a limit, or an operation that the subset leaves out
            counts["runs against CPython", "left out"] += 1
            left_out += 1
            if left_out == ENOUGH:
                return None
            continue
        counts["runs against CPython", "value" if ours[0] == "value" else "error"] += 1
        theirs = reference(tokens)
        if ours != theirs:
            return f"on {tokens!r} the interpreter gives {ours!r}, CPython {theirs!r}"
    return None


def automaton(program: Program, case: Case, counts: Counts) -> str | None:
    where = None if case["where"] is None else Program(case["where"], "w")
    domain = Domain(TOKENS[: case["tokens"]], case["low"], case["high"], "_", where)
    labels = every_value(program, domain)
    expected, tokens = brute_force(domain, program, labels)
    row = "words of automata"
    try:
        built = build_language(domain, program, labels)
    except InputError as error:
        counts[row, "refused"] += 1
        return (
            None
            if expected == "program" and f"on input {tokens!r}" in str(error)
            else f"an automaton is refused: {error}"
        )
    if expected == "program":
        return f"the program fails on {tokens!r}, and there is an automaton"
    found: dict[Any, Any] = language(built)
    counts[row, "agree"] += len(expected)
    if found == expected and built.size == len(expected):
        return None
    off = [w for w in {*found, *expected} if found.get(w) != expected.get(w)]
    return f"the automaton differs from running the program on {len(off)} words, {min(off, default=None)} among them; it counts {built.size}"


def deeper(than: int, line: str) -> bool:
    return len(line) - len(line.lstrip()) > than


def smaller(case: Case) -> Iterator[Case]:
    """Fewer inputs, fewer lines."""
    if len(case.get("inputs", ())) > 1:
        yield from ({**case, "inputs": [given]} for given in case["inputs"])
    if case.get("where"):
        yield {**case, "where": None}
    if case.get("high", 0) > max(1, case.get("low", 0)):
        yield {**case, "high": case["high"] - 1}
    lines = case["source"].splitlines(keepends=True)
    for size in (8, 4, 2, 1):
        for start in range(0, len(lines), size):
            yield {**case, "source": "".join(lines[:start] + lines[start + size :])}
    for i, line in enumerate(lines):
        body = line.lstrip()
        if body.startswith(("if ", "else:", "for ", "while ", "elif ")):  # what is inside, in its place
            rest = list(itertools.takewhile(partial(deeper, len(line) - len(body)), lines[i + 1 :]))
            yield {
                **case,
                "source": "".join([*lines[:i], *(x[4:] for x in rest), *lines[i + 1 + len(rest) :]]),
            }
