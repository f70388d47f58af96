"""Small claims about every position with known truth, for several tests.  The truth uses nothing of relucid:
Python integers run the network, and a table or CPython is the program.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from relucid.models.network.network import feed_forward
from relucid.models.onnx.writer import write_onnx

TOKENS = ("a", "b")
LABELS = ("x", "y", "z")
Word = tuple[str, ...]


@dataclass(frozen=True)
class PositionCase:
    """Layers of a network with a block of outputs for each position, and a program.

    where: the words that are kept; None: all.
    """

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    lengths: tuple[int, int]
    prefix: int
    sign: bool
    per_prefix: bool
    program: str
    where: frozenset[Word] | None

    @property
    def words(self) -> list[Word]:
        low, high = self.lengths
        every = (w for n in range(low, high + 1) for w in itertools.product(TOKENS, repeat=n))
        return [w for w in every if self.where is None or w in self.where]

    def network_labels(self, word: Word) -> tuple[str, ...]:
        """The labels at the positions of the word, by Python's integers."""
        return network_labels(self.layers, self.lengths[1], self.prefix, self.sign, word)

    def program_labels(self, word: Word) -> tuple[str, ...]:
        """The same of the program, by CPython."""
        space: dict = {}
        exec(self.program, space)
        if self.per_prefix:
            return tuple(space["answer"](word[: i + 1]) for i in range(len(word)))
        return space["answer"](word)

    def wrong(self) -> dict[Word, list[int]]:
        """The positions at which the two differ, for the words on which they do."""
        found = {}
        for word in self.words:
            pairs = zip(self.network_labels(word), self.program_labels(word), strict=True)
            found[word] = [i for i, (n, p) in enumerate(pairs) if n != p]
        return {word: positions for word, positions in found.items() if positions}

    def write(self, folder: Path) -> Path:
        """Write network, program and claim file; return the claim file."""
        (folder / "net.onnx").write_bytes(write_onnx(feed_forward(list(self.layers))))
        (folder / "p.py").write_text(self.program, encoding="utf-8")
        low, high = self.lengths
        lines = [
            'network = "net.onnx"\nprogram = "p.py:answer"\n\n[domain]',
            f"tokens = {json.dumps(TOKENS)}",
            f"length = {high if low == high else [low, high]}",
            'pad = "<pad>"',
            f"prefix = {json.dumps(['<bos>'] * self.prefix)}",
        ]
        if self.where is not None:
            kept = " or ".join(f"tokens == {word!r}" for word in sorted(self.where)) or "False"
            (folder / "w.py").write_text(f"def kept(tokens):\n    return {kept}\n", encoding="utf-8")
            lines.append('where = "w.py:kept"')
        lines += [
            "\n[decision]",
            f'kind = "{"sign" if self.sign else "argmax"}"',
            f"labels = {json.dumps(LABELS[: 2 if self.sign else 3])}",
            f'position = "every"\nper_prefix = {json.dumps(self.per_prefix)}\n',
        ]
        (folder / "claim.toml").write_text("\n".join(lines), encoding="utf-8")
        return folder / "claim.toml"


def network_labels(
    layers: tuple[tuple[np.ndarray, np.ndarray], ...], longest: int, prefix: int, sign: bool, word: Word
) -> tuple[str, ...]:
    alphabet = [*TOKENS, "<pad>", *(["<bos>"] if prefix else [])]
    padded = ["<bos>"] * prefix + [*word] + ["<pad>"] * (longest - len(word))
    values = [int(symbol == s) for symbol in padded for s in alphabet]
    for k, (weights, bias) in enumerate(layers):
        values = [max(0, v) for v in values] if k else values
        rows = zip(weights.tolist(), bias.tolist(), strict=True)
        values = [sum(int(w) * v for w, v in zip(row, values, strict=True)) + int(b) for row, b in rows]
    width = 1 if sign else 3
    blocks = [values[i * width : (i + 1) * width] for i in range(len(word))]
    return tuple(LABELS[b[0] > 0] if sign else LABELS[b.index(max(b))] for b in blocks)


@st.composite
def position_cases(draw: st.DrawFn) -> PositionCase:
    """Random networks.  The program is a table of their labels, of which some entries are changed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    high = draw(st.integers(1, 3))
    low = draw(st.integers(0, high))
    prefix, sign, per_prefix = draw(st.integers(0, 1)), draw(st.booleans()), draw(st.booleans())
    symbols, width = 3 + (prefix > 0), 1 if sign else 3
    inputs, each = (prefix + high) * symbols, 2
    first, last = rng.integers(-3, 4, (high * each, inputs)), np.zeros((high * width, high * each), dtype=int)
    for i in range(high):
        if per_prefix:  # a causal network: nothing after position i is read for it
            first[i * each : (i + 1) * each, (prefix + i + 1) * symbols :] = 0
        last[i * width : (i + 1) * width, i * each : (i + 1) * each] = rng.integers(-3, 4, (width, each))
    layers = ((first, rng.integers(-2, 3, high * each)), (last, rng.integers(-2, 3, high * width)))
    every = [w for n in range(high + 1) for w in itertools.product(TOKENS, repeat=n)]
    where = None
    if draw(st.booleans()):
        where = frozenset(w for w in every if low <= len(w) and rng.integers(3))
        if not any(where):
            where = None
    table: dict[Word, object] = {}
    for word in every:
        labels = network_labels(layers, high, prefix, sign, word)
        table[word] = (labels[-1] if labels else "x") if per_prefix else labels
    for _ in range(draw(st.integers(0, 2))):
        word = every[rng.integers(1, len(every))]
        other = LABELS[rng.integers(0, 2 if sign else 3)]
        place = rng.integers(len(word))
        table[word] = other if per_prefix else (*table[word][:place], other, *table[word][place + 1 :])
    lines = [f"    if tokens == {word!r}:\n        return {answer!r}" for word, answer in table.items()]
    program = "\n".join(["def answer(tokens):", *lines, "    return None\n"])
    return PositionCase(layers, (low, high), prefix, sign, per_prefix, program, where)
