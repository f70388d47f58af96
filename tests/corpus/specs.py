"""What the corpus consists of: one `Spec` per claim, and the programs they name.  `make.py` turns them into folders.

Everything here runs under CPython only; nothing of relucid is imported.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]  # integer weights (out, in) and biases, times 2**-bits each


@dataclass
class Spec:
    name: str
    program: str
    tokens: list[str]
    length: int | list[int]
    labels: list
    hidden: list[int]
    kind: str = "argmax"
    style: str = "gemm"  # gemm | matmul | ids | cube
    where: str | None = None
    prefix: list[str] = field(default_factory=list)
    suffix: list[str] = field(default_factory=list)
    pad: str | None = None
    bits: int = 4
    want: str = "proved"
    hand: Callable[[Spec], Layers] | None = None
    seed: int = 0


def names(source: str) -> list[str]:
    return [line.split("(")[0][4:] for line in source.splitlines() if line.startswith("def ")]


def functions(spec: Spec) -> tuple[Callable, Callable | None]:
    space: dict = {}
    exec(spec.program, space)
    return space[names(spec.program)[0]], space[spec.where] if spec.where else None


def lengths(spec: Spec) -> tuple[int, int]:
    return tuple(spec.length) if isinstance(spec.length, list) else (spec.length, spec.length)


def alphabet(spec: Spec) -> list[str]:
    return list(dict.fromkeys([*spec.tokens, *([spec.pad] if spec.pad else []), *spec.prefix, *spec.suffix]))


def inputs(spec: Spec) -> list[tuple[str, ...]]:
    _, where = functions(spec)
    low, high = lengths(spec)
    words = [w for n in range(low, high + 1) for w in itertools.product(spec.tokens, repeat=n)]
    return [w for w in words if where is None or where(w)]


def ids(spec: Spec, word: tuple[str, ...]) -> list[int]:
    high = lengths(spec)[1]
    letters = alphabet(spec)
    return [letters.index(t) for t in (*spec.prefix, *word, *[spec.pad] * (high - len(word)), *spec.suffix)]


def source(text: str) -> str:
    return textwrap.dedent(text).lstrip()


COUNT = source(
    """
    def many_a(tokens):
        n = 0
        for t in tokens:
            if t == "a":
                n += 1
        return n >= 2
    """
)
COUNTS = source(
    """
    def compare(tokens):
        a = tokens.count("a")
        b = tokens.count("b")
        if a > b:
            return "a"
        if b > a:
            return "b"
        return "tie"
    """
)
LAST = source(
    """
    def last_mark(tokens):
        mark = "none"
        for t in tokens:
            if t == "x" or t == "y":
                mark = t
        return mark
    """
)
FIRST = source(
    """
    def first_mark(tokens):
        for t in tokens:
            if t != ".":
                return t
        return "."
    """
)
PARITY = source(
    """
    def odd(tokens):
        odd = False
        for t in tokens:
            if t == "1":
                odd = not odd
        return odd
    """
)
TOGGLE = source(
    """
    def open_quote(tokens):
        inside = False
        for t in tokens:
            if t == "'":
                inside = not inside
        return "open" if inside else "closed"
    """
)
DEPTH = source(
    """
    def depth(tokens):
        depth = 0
        for t in tokens:
            if t == "(":
                depth += 1
            elif t == ")":
                depth -= 1
        return min(depth, 2)

    def nested(tokens):
        depth = 0
        for t in tokens:
            if t == "(":
                depth += 1
            elif t == ")":
                depth -= 1
            if depth < 0:
                return False
        return True
    """
)
CLAMPED = source(
    """
    def clamped(tokens):
        depth = 0
        for t in tokens:
            if t == "+":
                depth = min(depth + 1, 2)
            if t == "-":
                depth = max(depth - 1, 0)
        return depth > 0
    """
)
ENDS = source(
    """
    def same_ends(tokens):
        return tokens[0] == tokens[-1]
    """
)
ADJACENT = source(
    """
    def has_ab(tokens):
        previous = ""
        for t in tokens:
            if previous == "a" and t == "b":
                return True
            previous = t
        return False
    """
)
RUN = source(
    """
    def long_run(tokens):
        run = 0
        longest = 0
        for t in tokens:
            run = run + 1 if t == "a" else 0
            longest = max(longest, run)
        return 1 if longest >= 3 else 0
    """
)
QUOTE = source(
    """
    def which_quote(tokens):
        return "'" if "'" in tokens else '"'

    def one_quote(tokens):
        return tokens.count("'") + tokens.count('"') == 1
    """
)
MOD3 = source(
    """
    def mod3(tokens):
        n = 0
        for t in tokens:
            if t == "a":
                n = (n + 1) % 3
        return n
    """
)
SORTED = source(
    """
    def ascending(tokens):
        previous = tokens[0]
        for t in tokens:
            if t < previous:
                return False
            previous = t
        return True
    """
)
ANYALL = source(
    """
    def kind(tokens):
        if all(t == "a" for t in tokens):
            return "all"
        if any(t == "a" for t in tokens):
            return "some"
        return "none"
    """
)
LENGTH = source(
    """
    def long(tokens):
        return len(tokens) >= 3 and "b" not in tokens
    """
)
SCORE = source(
    """
    def score(tokens):
        total = 0
        for i, t in enumerate(tokens):
            if t == "1":
                total += 2 ** i
        return total >= 11
    """
)
CONSTANT = source(
    """
    def always(tokens):
        return "yes"
    """
)
PALINDROME = source(
    """
    def mirrored(tokens):
        return tokens[0] == tokens[3] and tokens[1] == tokens[2]
    """
)
WALK = source(
    """
    def above(tokens):
        height = 0
        low = 0
        for t in tokens:
            height += 1 if t == "u" else -1
            low = min(low, height)
        return height > 0 and low >= -1
    """
)


def count_layers(spec: Spec, weights: dict[str, int], bias: int, columns: list[int]) -> Layers:
    """One neuron that sums token weights, then outputs column * that neuron: ties are exact."""
    size = len(ids(spec, tuple(spec.tokens[:1]) * lengths(spec)[1]))
    letters = alphabet(spec)
    one = 2**spec.bits
    row = np.tile(np.array([weights.get(t, 0) for t in letters]), size) * one
    return [
        (np.stack([row, -row]), np.array([bias, -bias]) * one),
        (np.array([[c, -c] for c in columns]) * one, np.zeros(len(columns), dtype=np.int64)),
    ]


SPECS = [
    Spec("count_sign_l3", COUNT, ["a", "b"], 3, [False, True], [3], kind="sign"),
    Spec("count_sign_l7", COUNT, ["a", "b", "c"], 7, [False, True], [4], kind="sign", style="matmul"),
    Spec("count_argmax_two_layers", COUNT, ["a", "b", "c"], 6, [False, True], [6, 4]),
    Spec("count_three_layers", COUNT, ["a", "b"], 6, [False, True], [6, 5, 4]),
    Spec("count_near_miss", COUNT, ["a", "b", "c"], 7, [False, True], [4], want="refuted"),
    Spec("count_length_12", COUNT, ["a", "b"], 12, [False, True], [3], kind="sign"),
    Spec("count_length_12_near_miss", COUNT, ["a", "b"], 12, [False, True], [3], kind="sign", want="refuted"),
    Spec("compare_counts", COUNTS, ["a", "b", "c"], 5, ["a", "tie", "b"], [8]),
    Spec("compare_counts_padded", COUNTS, ["a", "b"], [1, 5], ["a", "tie", "b"], [8], pad="_"),
    Spec("compare_counts_near_miss", COUNTS, ["a", "b", "c"], 5, ["a", "tie", "b"], [8], want="refuted", style="matmul"),
    Spec("compare_tie_order", COUNTS, ["a", "b"], 4, ["a", "b", "tie"], [2], want="refuted", bits=0,
         hand=lambda s: count_layers(s, {"a": 1, "b": -1}, 0, [1, -1, 0])),
    Spec(
        "compare_tie_in_order",
        COUNTS.replace('"tie"', '"a"'),
        ["a", "b"],
        4,
        ["a", "b"],
        [2],
        bits=0,
        hand=lambda s: count_layers(s, {"a": 1, "b": -1}, 0, [1, -1]),
    ),
    Spec("last_mark_ids", LAST, ["x", "y", "."], 5, ["none", "x", "y"], [10], style="ids"),
    Spec("last_mark_ids_near_miss", LAST, ["x", "y", "."], 5, ["none", "x", "y"], [10], style="ids", want="refuted"),
    Spec("first_mark_four_tokens", FIRST, ["x", "y", "z", "."], 4, ["x", "y", "z", "."], [16], style="cube"),
    Spec("parity_4", PARITY, ["0", "1"], 4, [False, True], [8], kind="sign"),
    Spec("parity_6_two_layers", PARITY, ["0", "1"], 6, [False, True], [16, 8]),
    Spec("parity_6_near_miss", PARITY, ["0", "1"], 6, [False, True], [16, 8], want="refuted", style="matmul"),
    Spec("toggle_padded", TOGGLE, ["'", "a"], [2, 5], ["open", "closed"], [16], pad="<pad>"),
    Spec("depth_where", DEPTH, ["(", ")", "."], 6, [0, 1, 2], [12], where="nested"),
    Spec("depth_where_near_miss", DEPTH, ["(", ")", "."], 6, [0, 1, 2], [12], where="nested", want="refuted"),
    Spec("depth_where_context", DEPTH, ["(", ")"], 6, [0, 1, 2], [10], where="nested", prefix=["<s>"], suffix=["<d>", "<e>"]),
    Spec("clamped_6", CLAMPED, ["+", "-", "."], 6, [False, True], [20, 8], kind="sign"),
    Spec("clamped_three_layers_near_miss", CLAMPED, ["+", "-", "."], 5, [False, True], [12, 8, 6], want="refuted"),
    Spec("same_ends_five_tokens", ENDS, ["a", "b", "c", "d", "e"], 3, [False, True], [24]),
    Spec("adjacent_ab", ADJACENT, ["a", "b"], 6, [False, True], [10], kind="sign", style="ids"),
    Spec("adjacent_ab_near_miss", ADJACENT, ["a", "b"], 6, [False, True], [10], kind="sign", want="refuted"),
    Spec("long_run", RUN, ["a", "b"], 7, [0, 1], [12, 6]),
    Spec("which_quote", QUOTE, ["'", '"', "a", "b"], 6, ["'", '"'], [2], where="one_quote"),
    Spec("which_quote_context", QUOTE, ["'", '"', "a", "b", "="], 4, ["'", '"'], [4], where="one_quote",
         prefix=["<bos>"], suffix=["<q>"], style="ids"),
    Spec("which_quote_everywhere", QUOTE, ["'", '"', "a"], 5, ["'", '"'], [4], want="refuted"),
    Spec("mod3", MOD3, ["a", "b"], 5, [0, 1, 2], [16]),
    Spec("ascending", SORTED, ["a", "b", "c"], 4, [False, True], [12]),
    Spec("all_some_none", ANYALL, ["a", "b"], [1, 5], ["all", "some", "none"], [10], pad="~"),
    Spec("length_and_member", LENGTH, ["a", "b", "c"], [0, 4], [False, True], [8], pad="<pad>", kind="sign"),
    Spec("binary_score", SCORE, ["0", "1"], 5, [False, True], [1], kind="sign", bits=0,
         hand=lambda s: [(np.tile([0, 1], 5)[None] * np.repeat(2 ** np.arange(5), 2), np.array([-10])), (np.array([[1]]), np.array([0]))]),
    Spec("binary_score_tie", SCORE, ["0", "1"], 5, [False, True], [1], kind="sign", bits=0, want="refuted",
         hand=lambda s: [(np.tile([0, 1], 5)[None] * np.repeat(2 ** np.arange(5), 2), np.array([-11])), (np.array([[1]]), np.array([0]))]),
    Spec("one_label_only", CONSTANT, ["a", "b"], 4, ["no", "yes"], [2]),
    Spec("single_position", FIRST, ["x", "y", "z", "w", "v", "."], 1, ["x", "y", "z", "w", "v", "."], [8]),
    Spec("palindrome", PALINDROME, ["a", "b"], 4, [False, True], [10], style="cube"),
    Spec("walk_two_locals", WALK, ["u", "d"], 8, [False, True], [16, 8], kind="sign"),
    Spec("six_tokens_count", COUNT, ["a", "b", "c", "d", "e", "f"], 4, [False, True], [3], style="matmul"),
]  # fmt: skip
